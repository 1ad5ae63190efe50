// SPDX-License-Identifier: GPL-2.0-or-later
// The probes that need a throw-away child, because they change the process that makes them for ever.
#pragma once

#include "core/base/types.h"

namespace umbra::hostabi {

struct SeccompSupport {
    i32 error = 0; ///< why no listener can be had
    bool killable = false; ///< SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
    bool synchronous = false; ///< SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
};
SeccompSupport probe_seccomp_listener();

/// 0, or why a child's system calls cannot be emulated by ptrace.
i32 probe_ptrace_emulation();

} // namespace umbra::hostabi
