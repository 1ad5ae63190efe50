// SPDX-License-Identifier: GPL-2.0-or-later
// ptrace(2), one function a request. All are made by the tracer's thread on a tracee that is stopped (but for
// seize, attach, interrupt) and never wait. ESRCH: the tracee is dead, running, or traced by somebody else.
#pragma once

#include <span>

#include "core/base/types.h"
#include "hostabi/host-result.h"

struct user_regs_struct;

namespace umbra::hostabi::ptrace {

HostResult<void> trace_me();
HostResult<void> attach(i32 tid);
/// Attaches without stopping. `options`: PTRACE_O_*.
HostResult<void> seize(i32 tid, u64 options);
HostResult<void> interrupt(i32 tid);
HostResult<void> detach(i32 tid, int signal = 0);
HostResult<void> set_options(i32 tid, u64 options);

/// Resume the tracee, delivering `signal` (0: none), until ...
HostResult<void> resume(i32 tid, int signal = 0); ///< ... a signal
HostResult<void> resume_to_syscall(i32 tid, int signal = 0); ///< ... the entry or exit of a system call
HostResult<void> resume_emulating(
    i32 tid, int signal = 0); ///< ... a system call, which is not executed (SYSEMU)
HostResult<void> step(i32 tid, int signal = 0); ///< ... one instruction was executed
HostResult<void> step_emulating(i32 tid, int signal = 0); ///< the same, and a system call is not executed
/// Leaves a seized tracee in its group-stop but lets it be woken.
HostResult<void> listen(i32 tid);

/// The system call at whose entry the tracee stopped (PTRACE_GET_SYSCALL_INFO, Linux 5.3): cheaper than its
/// registers, and the only way to tell a 32-bit entry.
struct SyscallEntry {
    u32 architecture; ///< AUDIT_ARCH_*
    u64 instruction; ///< behind the system call instruction
    u64 number;
    u64 args[6];
};
HostResult<SyscallEntry> get_syscall_entry(i32 tid);
/// One word of the registers, by its offset in user_regs_struct.
HostResult<void> set_register(i32 tid, u64 offset, u64 value);
HostResult<void> get_registers(i32 tid, user_regs_struct& out);
HostResult<void> set_registers(i32 tid, user_regs_struct const& in);
/// The XSAVE image in the layout of the signal frame. Returns the bytes filled in, at most out.size().
HostResult<u64> get_xstate(i32 tid, std::span<u8> out);
HostResult<void> set_xstate(i32 tid, std::span<u8 const> in);
HostResult<u64> peek(i32 tid, u64 address);
HostResult<void> poke(i32 tid, u64 address, u64 word);
/// `out`, `in`: a siginfo_t of 128 bytes.
HostResult<void> get_signal_info(i32 tid, void* out);
HostResult<void> set_signal_info(i32 tid, void const* in);
HostResult<u64> get_signal_mask(i32 tid);
HostResult<void> set_signal_mask(i32 tid, u64 mask);
/// The word that belongs to the last PTRACE_EVENT stop: a new thread's id, an exit status.
HostResult<u64> get_event_message(i32 tid);

} // namespace umbra::hostabi::ptrace
