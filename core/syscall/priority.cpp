// SPDX-License-Identifier: GPL-2.0-or-later
// Nice values and I/O priorities: getpriority, setpriority, ioprio_get, ioprio_set.
#include <algorithm>

#include "core/syscall/scheduling.h"
#include "core/syscall/syscall.h"
#include "core/task/permissions.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"

namespace umbra {

i32 nice_floor(Task const& task)
{
    if (task.credentials().has(Capability::sys_nice)) return -20;
    return 20 - i32(std::min<u64>(40, task.limit(Resource::nice)));
}

Result<std::vector<Task*>> priority_targets(Task& task, i32 which, i32 who)
{
    std::vector<Task*> found;
    auto& table = task.kernel().processes();
    switch (which) {
    case kPrioProcess:
        if (Task* t = who ? table.find_task(pid_in(task, who)) : &task) found.push_back(t);
        break;
    case kPrioGroup: {
        ProcessGroup* g = who ? table.find_group(pid_in(task, who)) : task.process().group.get();
        if (g)
            for (Process* p : g->members)
                found.insert(found.end(), p->threads.begin(), p->threads.end());
        break;
    }
    case kPrioUser: {
        auto const& me = task.credentials();
        auto const uid = who ? me.user_namespace->uid_in(u32(who)) : me.uid;
        for (auto const& [id, t] : table.tasks())
            if (t->credentials().uid == uid) found.push_back(t);
        break;
    }
    default:
        return err::inval;
    }
    if (found.empty()) return err::srch;
    return found;
}

SyscallResult sys_getpriority(Task& task, i32 which, i32 who)
{
    auto targets = TRY(priority_targets(task, which, who));
    i32 best = 20;
    for (Task* t : targets)
        best = std::min(best, t->nice);
    return 20 - best; // the system call returns 40..1, the library turns it round
}

SyscallResult sys_setpriority(Task& task, i32 which, i32 who, i32 nice)
{
    auto targets = TRY(priority_targets(task, which, who));
    nice = std::clamp(nice, -20, 19);
    for (Task* t : targets) {
        if (!may_change_scheduling(task, *t)) return err::perm;
        if (nice < t->nice && nice < nice_floor(task)) return err::acces;
        t->nice = nice;
    }
    return 0;
}

namespace {

constexpr u32 kClassShift = 13, kLevelMask = (1u << kClassShift) - 1;
enum : u32 { class_none = 0, class_realtime = 1, class_best_effort = 2, class_idle = 3 };
constexpr u32 kLevels = 8;

} // namespace

Result<void> check_io_priority(Task& task, u32 priority)
{
    u32 level = priority & kLevelMask;
    switch (priority >> kClassShift) {
    case class_realtime:
        if (!task.credentials().has(Capability::sys_admin) && !task.credentials().has(Capability::sys_nice))
            return err::perm;
        [[fallthrough]];
    case class_best_effort:
        return level < kLevels ? Result<void>() : err::inval;
    case class_idle:
        return {};
    case class_none:
        return level == 0 ? Result<void>() : err::inval;
    default:
        return err::inval;
    }
}

namespace {

/// A task that has set nothing counts as best effort in the middle, as Linux compares them.
u32 effective_io_priority(Task const& task)
{
    constexpr u32 kNormal = class_best_effort << kClassShift | 4;
    return task.io_priority >> kClassShift == class_none ? kNormal : task.io_priority;
}

} // namespace

SyscallResult sys_ioprio_set(Task& task, i32 which, i32 who, i32 priority)
{
    TRY(check_io_priority(task, u32(priority)));
    auto const& me = task.credentials();
    for (Task* t : TRY(priority_targets(task, which - 1, who))) {
        u32 uid = t->credentials().uid;
        bool const may = uid == me.euid || uid == me.uid
            || is_capable(me, *t->credentials().user_namespace, Capability::sys_nice);
        if (!may) return err::perm;
        t->io_priority = u32(priority);
    }
    return 0;
}

SyscallResult sys_ioprio_get(Task& task, i32 which, i32 who)
{
    auto targets = TRY(priority_targets(task, which - 1, who));
    if (which - 1 == kPrioProcess) return targets.front()->io_priority;
    auto best = std::min_element(targets.begin(), targets.end(),
        [](Task* a, Task* b) { return effective_io_priority(*a) < effective_io_priority(*b); });
    return effective_io_priority(**best);
}

} // namespace umbra
