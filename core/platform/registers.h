// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's x86-64 register file as the kernel sees it: the layout of Linux's user_regs_struct, so that
// PTRACE_GETREGS and core dumps are a copy.
#pragma once

#include "core/base/types.h"

namespace umbra::platform {

struct Registers {
    u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    u64 orig_rax; ///< the system call's number, or -1 where the trap was not a system call
    u64 rip, cs, eflags, rsp, ss;
    u64 fs_base, gs_base;
    u64 ds, es, fs, gs;
};
static_assert(sizeof(Registers) == 27 * 8);

constexpr u64 kNoSyscall = ~u64 { 0 };
constexpr u16 kUserCodeSegment = 0x33;
constexpr u16 kUserDataSegment = 0x2b;
constexpr u64 kSyscallInstructionLength = 2;

} // namespace umbra::platform
