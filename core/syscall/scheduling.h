// SPDX-License-Identifier: GPL-2.0-or-later
// What the calls about scheduling and priorities share. For core/syscall only.
#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/task/task.h"

namespace umbra {

/// The task of a number, 0 for the caller. EINVAL below 0, ESRCH.
Result<Task*> scheduling_target(Task& task, i32 pid);
/// Same owner, or CAP_SYS_NICE.
bool may_change_scheduling(Task const& task, Task const& other);
/// An I/O priority as ioprio_set(2) takes it. EINVAL, EPERM.
Result<void> check_io_priority(Task& task, u32 priority);
/// The lowest nice value that RLIMIT_NICE allows.
i32 nice_floor(Task const& task);
/// The tasks that `which` and `who` of setpriority(2) name; ioprio_set(2) counts from 1. EINVAL, ESRCH.
constexpr i32 kPrioProcess = 0, kPrioGroup = 1, kPrioUser = 2;
Result<std::vector<Task*>> priority_targets(Task& task, i32 which, i32 who);

} // namespace umbra
