// SPDX-License-Identifier: GPL-2.0-or-later
// The families of prctl(2)'s options. Each gives nothing for an option that is none of its own.
#pragma once

#include <optional>

#include "core/abi/prctl.h"
#include "core/syscall/syscall.h"

namespace umbra {

/// An option with its four arguments.
struct PrctlCall {
    abi::Prctl option;
    u64 a, b, c, d;
    bool has_any() const { return a || b || c || d; }
};

using PrctlResult = std::optional<SyscallResult>;

PrctlResult prctl_credentials(Task& task, PrctlCall const& call); ///< capabilities and securebits
PrctlResult prctl_memory(
    Task& task, PrctlCall const& call); ///< what the kernel knows of the program in memory; MDWE
PrctlResult prctl_machine(Task& task, PrctlCall const& call); ///< the CPU's features and faults

/// PR_SYS_DISPATCH_OFF and _ON; PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG does it to another. EFAULT, EINVAL.
Result<void> set_syscall_dispatch(Task& task, u64 mode, SyscallDispatch const& wanted);

} // namespace umbra
