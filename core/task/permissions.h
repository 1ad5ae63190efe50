// SPDX-License-Identifier: GPL-2.0-or-later
// Whether one task may do something to another: signals (kill(2)) and inspection (ptrace(2), "access mode
// checking").
#pragma once

#include "core/task/task.h"

namespace umbra {

/// EPERM unless the real or effective uid of `sender` is the real or saved one of the target, or it has
/// CAP_KILL, or the signal is SIGCONT within a session. Signal 0 is checked like any other.
Result<void> check_may_signal(Task const& sender, Process const& target, int signal);
/// PTRACE_MODE_ATTACH_REALCREDS: EPERM unless in the same process, or all ids are equal and the target is
/// dumpable, or with CAP_SYS_PTRACE.
Result<void> check_may_inspect(Task const& task, Task const& target);

} // namespace umbra
