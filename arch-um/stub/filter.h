// SPDX-License-Identifier: GPL-2.0-or-later
// The seccomp filter of a stub, as data of the image. Every call of every thread is trapped: to the kernel as
// a notification, or, where the kernel needs the whole register file anyway, to the stub's own SIGSYS entry
// first. Law 6's one native exception is rt_sigreturn at the image's own address.
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "arch-um/stub/layout.h"

namespace umbra::stub {

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_HIGH(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + 4)
#define JUMP_EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<u32>(value), yes, no)
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)

constexpr struct sock_filter kFilter[] = {
    LOAD(arch),
    JUMP_EQUAL(
        AUDIT_ARCH_X86_64, 0, 19), // a 32-bit entry: there is no such ABI, the kernel wants the registers
    LOAD_HIGH(instruction_pointer),
    JUMP_EQUAL(kImage >> 32, 0, 5),
    LOAD(instruction_pointer),
    JUMP_EQUAL(kOpIp, 14, 0), // an operation: the kernel compares every register
    JUMP_EQUAL(kSigreturnIp, 0, 2),
    LOAD(nr),
    JUMP_EQUAL(SYS_rt_sigreturn, 13, 0),
    LOAD(nr),
    // Calls that read or set the whole register file, and those after which the thread is parked.
    JUMP_EQUAL(SYS_clone, 10, 0),
    JUMP_EQUAL(SYS_fork, 9, 0),
    JUMP_EQUAL(SYS_vfork, 8, 0),
    JUMP_EQUAL(SYS_clone3, 7, 0),
    JUMP_EQUAL(SYS_execve, 6, 0),
    JUMP_EQUAL(SYS_execveat, 5, 0),
    JUMP_EQUAL(SYS_rt_sigreturn, 4, 0),
    JUMP_EQUAL(SYS_arch_prctl, 3, 0),
    JUMP_EQUAL(SYS_exit, 2, 0),
    JUMP_EQUAL(SYS_exit_group, 1, 0),
    RETURN(SECCOMP_RET_USER_NOTIF),
    RETURN(SECCOMP_RET_TRAP),
    RETURN(SECCOMP_RET_ALLOW),
};
// The jumps above count instructions: these are their targets.
static_assert(kFilter[20].k == SECCOMP_RET_USER_NOTIF && kFilter[21].k == SECCOMP_RET_TRAP
    && kFilter[22].k == SECCOMP_RET_ALLOW);

#undef LOAD
#undef LOAD_HIGH
#undef JUMP_EQUAL
#undef RETURN

} // namespace umbra::stub
