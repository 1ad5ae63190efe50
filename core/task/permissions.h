// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a task may do something: capabilities in a user namespace (user_namespaces(7)); signals to another (kill(2))
// and inspection of another (ptrace(2), "access mode checking").
#pragma once

#include "core/task/task.h"

namespace umbra {

/// Whether `who` has the capability in `space`: in its own namespace by its effective set, in one below it also as the
/// user who made that one or one on the way to it (Linux: ns_capable()).
bool is_capable(Credentials const& who, UserNamespace const& space, Capability capability);

/// EPERM unless the real or effective uid of `sender` is the real or saved one of the target, or it has
/// CAP_KILL, or the signal is SIGCONT within a session. Signal 0 is checked like any other.
Result<void> check_may_signal(Task const& sender, Process const& target, int signal);
/// PTRACE_MODE_ATTACH_REALCREDS: EPERM unless in the same process, or all ids are equal and the target is
/// dumpable, or with CAP_SYS_PTRACE.
Result<void> check_may_inspect(Task const& task, Task const& target);

} // namespace umbra
