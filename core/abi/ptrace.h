// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for ptrace(2): requests, options, events, and what is copied.
#pragma once

#include <cstddef>

#include "core/base/types.h"

namespace umbra::abi {

enum class PtraceRequest : i64 {
    traceme = 0,
    peektext = 1,
    peekdata = 2,
    peekuser = 3,
    poketext = 4,
    pokedata = 5,
    pokeuser = 6,
    cont = 7,
    kill = 8,
    singlestep = 9,
    getregs = 12,
    setregs = 13,
    getfpregs = 14,
    setfpregs = 15,
    attach = 16,
    detach = 17,
    syscall = 24,
    arch_prctl = 30,
    sysemu = 31,
    sysemu_singlestep = 32,
    singleblock = 33,
    setoptions = 0x4200,
    geteventmsg = 0x4201,
    getsiginfo = 0x4202,
    setsiginfo = 0x4203,
    getregset = 0x4204,
    setregset = 0x4205,
    seize = 0x4206,
    interrupt = 0x4207,
    listen = 0x4208,
    peeksiginfo = 0x4209,
    getsigmask = 0x420a,
    setsigmask = 0x420b,
    seccomp_get_filter = 0x420c,
    seccomp_get_metadata = 0x420d,
    get_syscall_info = 0x420e,
    get_rseq_configuration = 0x420f,
    set_syscall_user_dispatch_config = 0x4210,
    get_syscall_user_dispatch_config = 0x4211,
};

constexpr u32 ptrace_o_tracesysgood = 1, ptrace_o_exitkill = 1 << 20, ptrace_o_suspend_seccomp = 1 << 21;
constexpr u32 ptrace_o_mask = 0xff | ptrace_o_exitkill | ptrace_o_suspend_seccomp;
constexpr u32 ptrace_event_fork = 1, ptrace_event_vfork = 2, ptrace_event_clone = 3, ptrace_event_exec = 4,
              ptrace_event_vfork_done = 5, ptrace_event_exit = 6, ptrace_event_seccomp = 7,
              ptrace_event_stop = 128;
/// The option that asks for an event's stop.
constexpr u32 ptrace_option_of(u32 event) { return 1u << event; }
/// What PTRACE_GETEVENTMSG says in the stops around a system call.
constexpr u64 ptrace_message_entry = 1, ptrace_message_exit = 2;

constexpr u32 nt_prstatus = 1, nt_prfpreg = 2, nt_x86_xstate = 0x202;

struct PtracePeekSiginfo {
    u64 offset;
    u32 flags;
    i32 count;
};
static_assert(sizeof(PtracePeekSiginfo) == 16);
constexpr u32 ptrace_peeksiginfo_shared = 1;

struct PtraceSyscallInfo {
    u8 op;
    u8 padding[3];
    u32 arch;
    u64 instruction, stack;
    union {
        struct {
            u64 number;
            u64 args[6];
        } entry;
        struct {
            i64 value;
            u8 is_error;
        } exit;
        struct {
            u64 number;
            u64 args[6];
            u32 data; ///< of the filter's SECCOMP_RET_TRACE
        } seccomp;
        u8 bytes[64];
    };
};
static_assert(sizeof(PtraceSyscallInfo) == 88 && offsetof(PtraceSyscallInfo, entry) == 24);
constexpr u8 ptrace_syscall_info_none = 0, ptrace_syscall_info_entry = 1, ptrace_syscall_info_exit = 2,
             ptrace_syscall_info_seccomp = 3;
constexpr u32 audit_arch_x86_64 = 0xc000003e;

struct PtraceRseqConfiguration {
    u64 area;
    u32 length, signature, flags, padding;
};
static_assert(sizeof(PtraceRseqConfiguration) == 24);

struct PtraceDispatchConfig {
    u64 mode, selector, offset, length;
};
static_assert(sizeof(PtraceDispatchConfig) == 32);

// struct user, as PTRACE_PEEKUSER addresses it.
constexpr u64 user_area_size = 928, user_debug_registers = 848, user_debug_register_count = 8;

} // namespace umbra::abi
