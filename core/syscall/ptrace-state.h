// SPDX-License-Identifier: GPL-2.0-or-later
// What ptrace(2) reads and writes of a stopped thread: registers, the user area, memory, signals. Each call is
// one request; `task` is the tracer, into whose memory results go.
#pragma once

#include "core/syscall/syscall.h"
#include "core/task/ptrace.h"

namespace umbra::ptrace_state {

// --- memory and struct user: EIO for what is not there ---
SyscallResult peek(Task& task, Tracee& tracee, u64 address, GuestAddr out);
SyscallResult poke(Tracee& tracee, u64 address, u64 word);
SyscallResult peek_user(Task& task, Tracee& tracee, u64 offset, GuestAddr out);
SyscallResult poke_user(Task& task, Tracee& tracee, u64 offset, u64 value);

// --- registers: EFAULT, EINVAL for another set or a length that is no multiple of its words, EIO for values ---
SyscallResult get_registers(Task& task, Tracee& tracee, GuestAddr out);
SyscallResult set_registers(Task& task, Tracee& tracee, GuestAddr in);
SyscallResult get_fp_registers(Task& task, Tracee& tracee, GuestAddr out);
SyscallResult set_fp_registers(Task& task, Tracee& tracee, GuestAddr in);
SyscallResult get_register_set(Task& task, Tracee& tracee, u32 type, GuestAddr vector);
SyscallResult set_register_set(Task& task, Tracee& tracee, u32 type, GuestAddr vector);
SyscallResult arch_prctl(Task& task, Tracee& tracee, i32 code, u64 address);

// --- signals ---
SyscallResult get_signal_info(Task& task, Tracee& tracee, GuestAddr out);
SyscallResult set_signal_info(Task& task, Tracee& tracee, GuestAddr in);
SyscallResult peek_signal_infos(Task& task, Tracee& tracee, GuestAddr request, GuestAddr out);
SyscallResult get_signal_mask(Task& task, Tracee& tracee, u64 size, GuestAddr out);
SyscallResult set_signal_mask(Task& task, Tracee& tracee, u64 size, GuestAddr in);

// --- seccomp: EACCES without CAP_SYS_ADMIN or for a filtered tracer, EINVAL, ENOENT ---
SyscallResult get_seccomp_filter(Task& task, Tracee& tracee, u64 index, GuestAddr out);
SyscallResult get_seccomp_metadata(Task& task, Tracee& tracee, u64 size, GuestAddr out);

// --- what the thread has told the kernel of itself: EFAULT, EINVAL ---
SyscallResult get_rseq(Task& task, Tracee& tracee, u64 size, GuestAddr out);
SyscallResult get_dispatch(Task& task, Tracee& tracee, u64 size, GuestAddr out);
SyscallResult set_dispatch(Task& task, Tracee& tracee, u64 size, GuestAddr in);

SyscallResult get_syscall_info(Task& task, Tracee& tracee, u64 size, GuestAddr out);

} // namespace umbra::ptrace_state
