// SPDX-License-Identifier: GPL-2.0-or-later
// The ptrace requests. The raw call differs from libc's: PEEK stores the word through its fourth argument.
#include "hostabi/ptrace.h"

#include <cerrno>
#include <cstring>

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "hostabi/host-call.h"

// Not in glibc's header for C++ without a clash of its enum with the kernel's macros.
#ifndef PTRACE_SYSEMU
#define PTRACE_SYSEMU 31
#define PTRACE_SYSEMU_SINGLESTEP 32
#endif

namespace umbra::hostabi::ptrace {

namespace {

constexpr long kGetSyscallInfo = 0x420e; // PTRACE_GET_SYSCALL_INFO
constexpr u8 kSyscallEntry = 1; // PTRACE_SYSCALL_INFO_ENTRY

/// struct ptrace_syscall_info, which glibc's and the host's headers define differently.
struct SyscallInfo {
    u8 operation;
    u8 padding[3];
    u32 architecture;
    u64 instruction;
    u64 stack;
    u64 number;
    u64 args[6];
    u64 more[2];
};

template <typename Address, typename Data>
HostResult<void> request(long what, i32 tid, Address address, Data data)
{
    return host_status(host_call(SYS_ptrace, what, tid, address, data));
}

} // namespace

HostResult<void> trace_me() { return request(PTRACE_TRACEME, 0, 0, 0); }
HostResult<void> attach(i32 tid) { return request(PTRACE_ATTACH, tid, 0, 0); }
HostResult<void> seize(i32 tid, u64 options) { return request(PTRACE_SEIZE, tid, 0, options); }
HostResult<void> interrupt(i32 tid) { return request(PTRACE_INTERRUPT, tid, 0, 0); }
HostResult<void> detach(i32 tid, int signal) { return request(PTRACE_DETACH, tid, 0, signal); }
HostResult<void> set_options(i32 tid, u64 options) { return request(PTRACE_SETOPTIONS, tid, 0, options); }

HostResult<void> resume(i32 tid, int signal) { return request(PTRACE_CONT, tid, 0, signal); }
HostResult<void> resume_to_syscall(i32 tid, int signal) { return request(PTRACE_SYSCALL, tid, 0, signal); }
HostResult<void> resume_emulating(i32 tid, int signal) { return request(PTRACE_SYSEMU, tid, 0, signal); }
HostResult<void> step(i32 tid, int signal) { return request(PTRACE_SINGLESTEP, tid, 0, signal); }
HostResult<void> step_emulating(i32 tid, int signal)
{
    return request(PTRACE_SYSEMU_SINGLESTEP, tid, 0, signal);
}
HostResult<void> listen(i32 tid) { return request(PTRACE_LISTEN, tid, 0, 0); }

HostResult<SyscallEntry> get_syscall_entry(i32 tid)
{
    SyscallInfo info {};
    TRY(request(kGetSyscallInfo, tid, sizeof info, &info));
    if (info.operation != kSyscallEntry) return HostErrno { EINVAL };
    SyscallEntry entry { info.architecture, info.instruction, info.number, {} };
    std::memcpy(entry.args, info.args, sizeof entry.args);
    return entry;
}

HostResult<void> set_register(i32 tid, u64 offset, u64 value)
{
    return request(PTRACE_POKEUSER, tid, offset, value);
}

HostResult<void> get_registers(i32 tid, user_regs_struct& out)
{
    return request(PTRACE_GETREGS, tid, 0, &out);
}
HostResult<void> set_registers(i32 tid, user_regs_struct const& in)
{
    return request(PTRACE_SETREGS, tid, 0, &in);
}

HostResult<u64> get_xstate(i32 tid, std::span<u8> out)
{
    iovec part { out.data(), out.size() };
    TRY(request(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &part));
    return u64 { part.iov_len };
}

HostResult<void> set_xstate(i32 tid, std::span<u8 const> in)
{
    // const_cast: iovec serves both directions; SETREGSET only reads.
    iovec part { const_cast<u8*>(in.data()), in.size() };
    return request(PTRACE_SETREGSET, tid, NT_X86_XSTATE, &part);
}

HostResult<u64> peek(i32 tid, u64 address)
{
    u64 word = 0;
    TRY(request(PTRACE_PEEKDATA, tid, address, &word));
    return word;
}

HostResult<void> poke(i32 tid, u64 address, u64 word) { return request(PTRACE_POKEDATA, tid, address, word); }
HostResult<void> get_signal_info(i32 tid, void* out) { return request(PTRACE_GETSIGINFO, tid, 0, out); }
HostResult<void> set_signal_info(i32 tid, void const* in) { return request(PTRACE_SETSIGINFO, tid, 0, in); }

HostResult<u64> get_signal_mask(i32 tid)
{
    u64 mask = 0;
    TRY(request(PTRACE_GETSIGMASK, tid, sizeof mask, &mask));
    return mask;
}

HostResult<void> set_signal_mask(i32 tid, u64 mask)
{
    return request(PTRACE_SETSIGMASK, tid, sizeof mask, &mask);
}

HostResult<u64> get_event_message(i32 tid)
{
    u64 message = 0;
    TRY(request(PTRACE_GETEVENTMSG, tid, 0, &message));
    return message;
}

} // namespace umbra::hostabi::ptrace
