// SPDX-License-Identifier: GPL-2.0-or-later
// prctl(PR_SET_SECCOMP), for sys_prctl.
#pragma once

#include "core/base/error.h"
#include "core/base/types.h"

namespace umbra {

class Task;

/// `mode`: SECCOMP_MODE_STRICT or SECCOMP_MODE_FILTER with the address of a sock_fprog. Errors as seccomp(2).
SyscallResult set_seccomp_mode(Task& task, u64 mode, GuestAddr filter);

} // namespace umbra
