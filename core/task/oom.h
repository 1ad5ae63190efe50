// SPDX-License-Identifier: GPL-2.0-or-later
// Out of memory: gives caches back, then kills a guest process, never the instance. A control group that is at its
// memory.max does so on its own.
#pragma once

namespace umbra {
class Task;
namespace cgroup {
class Cgroup;
}

/// Tries to make frames free after an allocation has failed: false if the calling task's own process was chosen to die.
/// May wait.
bool relieve_memory(Task& task);
/// The same within a control group: false if nobody else in it can be chosen. May wait.
bool relieve_group(Task& task, cgroup::Cgroup& group);
/// Whether an allocation that failed did so at the limit of the task's control group, and is worth another try now. May wait.
bool relieve_own_group(Task& task);
/// After a call that went beyond its group's limit (cgroup::MemoryAccounts::charge): makes room, if it still has to. Waits.
void settle_with_own_group(Task& task);
} // namespace umbra
