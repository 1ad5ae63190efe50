// SPDX-License-Identifier: GPL-2.0-or-later
// Pid namespaces (pid_namespaces(7)). Every process, thread, group and session has one number of the kernel's, a Pid, which
// is its number in the first namespace and which all of the kernel uses. In another namespace it has one more number there
// and in each on the way up; ProcessTable keeps those. They are translated where a guest gives or sees one.
// References: a process holds the namespace it is in, a namespace its parent; the namespace knows its init without
// holding it. Guarded by the kernel lock.
#pragma once

#include <map>
#include <span>

#include "core/sync/wait-queue.h"
#include "core/task/process.h"
#include "core/task/user-namespace.h"

namespace umbra {

class PidNamespace final : public vfs::Namespace {
public:
    static constexpr u32 kMaxLevel = 32;

    /// The first one.
    explicit PidNamespace(UserNamespace& owner);
    PidNamespace(vfs::NamespaceOrigin origin, Ref<PidNamespace> parent);

    PidNamespace* parent() const { return parent_.get(); } ///< null of the first one
    bool is_first() const { return !parent_; }
    u32 level() const { return level_; }
    /// Whether this is `other` or one of its descendants.
    bool is_within(PidNamespace const& other) const;

    Process* init = nullptr; ///< its process 1, once there is one and until it is reaped
    bool ended = false; ///< init has exited: nobody is born here any more
    u32 reboot_signal = 0; ///< what reboot(2) makes init's parent see
    i32 last_number = 0;
    std::map<i32, i32> numbers; ///< to the kernel's, in all but the first
    WaitQueue number_released;

private:
    RefPtr<PidNamespace> parent_;
    u32 level_ = 0;
};

/// The namespace in which the task's own number is.
PidNamespace& pid_namespace(Task const& task);
/// The number of the kernel's that the task means by `number`; one that nobody has if its namespace has no such. 0 and
/// negative numbers, which mean something else than a process, stay.
Pid pid_in(Task const& task, i32 number);
Pid pid_in(PidNamespace const& space, i32 number);
/// What `reader` sees for a number of the kernel's: 0 if it has none in its namespace.
i32 pid_out(Task const& reader, Pid number);
i32 pid_out(Kernel& kernel, PidNamespace const& reader, Pid number);
/// All that a number is from `reader` down to `own`, which is within it: NSpid of proc_pid_status(5).
std::vector<i32> numbers_below(
    Kernel& kernel, PidNamespace const& reader, PidNamespace const& own, Pid number);
/// Whether it is process 1 of the namespace it is in.
bool is_namespace_init(Process const& process);
/// The end of process 1 of a namespace: everybody else in it is killed and waited for. May wait.
void end_pid_namespace(Task& last);

} // namespace umbra
