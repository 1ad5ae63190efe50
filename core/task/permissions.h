// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a task may do something: capabilities in a user namespace (user_namespaces(7)); signals to another (kill(2))
// and inspection of another (ptrace(2), "access mode checking").
#pragma once

#include <vector>

#include "core/task/task.h"

namespace umbra {

/// Whether `who` has the capability in `space`: in its own namespace by its effective set, in one below it also as the
/// user who made that one or one on the way to it (Linux: ns_capable()).
bool is_capable(Credentials const& who, UserNamespace const& space, Capability capability);

/// EPERM unless the real or effective uid of `sender` is the real or saved one of the target, or it has
/// CAP_KILL, or the signal is SIGCONT within a session. Signal 0 is checked like any other.
Result<void> check_may_signal(Task const& sender, Process const& target, int signal);
/// kill(2) to one process: EPERM as above; EAGAIN. Signal 0 only asks.
Result<void> signal_as(Task const& sender, Process& target, abi::SigInfo const& info, int signal,
    Audience audience = Audience::one);
/// To several, each by itself: good if one was reached, else the last one's error; ESRCH if there is none.
Result<void> signal_each_as(
    Task const& sender, std::vector<Ref<Process>> const& targets, abi::SigInfo const& info, int signal);
/// The members of a group. A signal may end one, so that they are held.
std::vector<Ref<Process>> members_of(ProcessGroup const& group);
/// PTRACE_MODE_ATTACH_REALCREDS: EPERM unless in the same process, or all ids are equal and the target is
/// dumpable, or with CAP_SYS_PTRACE.
Result<void> check_may_inspect(Task const& task, Task const& target);

} // namespace umbra
