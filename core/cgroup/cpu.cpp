// SPDX-License-Identifier: GPL-2.0-or-later
// Time used, and shares. A group's tasks share what their group gets: each counts with its weight within the group times
// the group's own, divided by the weights of all in the group that want to run; and so for each group above. So the run
// queues stay flat, and a task of the root group costs nothing.
#include "core/cgroup/cpu.h"

#include <algorithm>

#include "core/kernel.h"
#include "core/task/run-queue.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"

namespace umbra::cgroup {

namespace {

constexpr u32 kIdleUnits = 3, kUnitsOfDefault = 1024, kDefaultWeight = 100;

/// The group in whose parent's competition the group's tasks take part; null: the root's, where each task is on its own.
Cgroup* competing(Cgroup* group)
{
    while (group && !group->has(Controller::cpu))
        group = group->parent.get();
    return group;
}

u64 units_of(Cgroup const& group)
{
    if (group.cpu.idle) return kIdleUnits;
    return std::max<u64>((u64(group.cpu.weight) * kUnitsOfDefault + kDefaultWeight / 2) / kDefaultWeight, 2);
}

void add(Cgroup& group, u64 weight)
{
    bool const was_idle = group.cpu.runnable_weight == 0;
    group.cpu.runnable_weight += weight;
    Cgroup* above = competing(group.parent.get());
    if (was_idle && above) add(*above, units_of(group));
}

void subtract(Cgroup& group, u64 weight)
{
    group.cpu.runnable_weight -= weight;
    Cgroup* above = competing(group.parent.get());
    if (group.cpu.runnable_weight == 0 && above) subtract(*above, units_of(group));
}

bool has_limit(Cgroup const* group)
{
    for (; group; group = group->parent.get())
        if (group->cpu.bandwidth && group->cpu.bandwidth->is_limit()) return true;
    return false;
}

/// What the scheduler and the way to the guest have to look at.
void update_work(Task& task)
{
    auto& membership = task.membership;
    Cgroup* group = membership.is_live ? membership.group.get() : nullptr;
    membership.work &= ~u32 { work_bandwidth | work_shares };
    if (competing(group)) membership.work |= work_shares;
    if (has_limit(group)) membership.work |= work_bandwidth;
}

/// The group and those above have what the task has used since it was last counted.
void count_time(Task& task)
{
    auto& membership = task.membership;
    u64 const running = task.state == TaskState::running ? Timekeeper::cycles() - task.last_switch_cycles : 0;
    u64 const user = task.user_cycles + (task.in_user ? running : 0);
    u64 const system = task.system_cycles + (task.in_user ? 0 : running);
    for (Cgroup* at = membership.group.get(); at; at = at->parent.get()) {
        at->cpu.user_cycles += user - membership.counted_user;
        at->cpu.system_cycles += system - membership.counted_system;
    }
    membership.counted_user = user, membership.counted_system = system;
}

} // namespace

void became_runnable(Task& task)
{
    auto& membership = task.membership;
    if (membership.runnable_weight || is_urgent(task)) return;
    membership.runnable_weight = Scheduler::own_weight(task);
    if (Cgroup* group = competing(membership.group.get())) add(*group, membership.runnable_weight);
}

void stopped_running(Task& task)
{
    auto& membership = task.membership;
    if (!membership.runnable_weight) return;
    if (Cgroup* group = competing(membership.group.get())) subtract(*group, membership.runnable_weight);
    membership.runnable_weight = 0;
}

u32 scaled_weight(Task const& task, u32 weight)
{
    constexpr u64 kScale = 1024;
    u64 own = weight, share = weight * kScale;
    for (Cgroup* at = competing(task.membership.group.get()); at; at = competing(at->parent.get())) {
        share = share * units_of(*at) / std::max(at->cpu.runnable_weight, own);
        own = units_of(*at);
    }
    return u32(std::max<u64>(share / kScale, 2));
}

void suspend_shares(Cgroup& group)
{
    for (Task* task : tasks_below(group))
        stopped_running(*task);
}

void resume_shares(Cgroup& group)
{
    for (Task* task : tasks_below(group)) {
        bool const was_limited = task->membership.work & work_bandwidth;
        update_work(*task);
        bool const runs = task->state == TaskState::running || task->state == TaskState::runnable;
        if (runs && (task->membership.work & work_shares)) became_runnable(*task);
        if ((task->membership.work & work_bandwidth) && !was_limited) {
            task->membership.charged_cycles = task->user_cycles + task->system_cycles;
            // One that runs guest code does not know of the limit yet.
            if (task->state == TaskState::running) task->vcpu->request_attention();
        }
    }
}

void join_cpu(Task& task)
{
    auto& membership = task.membership;
    update_work(task);
    bool const runs = task.state == TaskState::running || task.state == TaskState::runnable;
    if (runs && (membership.work & work_shares)) became_runnable(task);
    if (!(membership.work & work_bandwidth)) return;
    membership.charged_cycles = task.user_cycles + task.system_cycles;
    if (task.state == TaskState::running) task.vcpu->request_attention();
}

void part_cpu(Task& task)
{
    count_time(task);
    stopped_running(task);
}

void count_times(Cgroup& group)
{
    for (Task* task : tasks_below(group))
        count_time(*task);
}

void reset_cpu(Cgroup& group)
{
    end_bandwidth(group);
    group.cpu.bandwidth = nullptr;
    group.cpu.weight = kDefaultWeight;
    group.cpu.idle = false;
    group.cpu.periods = group.cpu.throttled_periods = 0;
    group.cpu.throttled = 0;
}

} // namespace umbra::cgroup
