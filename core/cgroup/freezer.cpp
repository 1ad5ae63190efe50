// SPDX-License-Identifier: GPL-2.0-or-later
// The freezer: tasks of a frozen group leave their guests as for a signal, and stand still in the kernel until the group
// is thawed, SIGKILL comes or their tracer calls. Stops by signals, a tracer's stops and the wait of vfork(2) are standing
// still as well.
#include "core/cgroup/cgroup.h"
#include "core/task/lifecycle.h"
#include "core/task/task.h"

namespace umbra::cgroup {

void update_frozen(Cgroup& group)
{
    for (Cgroup* at = &group; at; at = at->parent.get()) {
        bool const now = at->freezers > 0 && at->frozen_tasks == at->subtree_tasks;
        if (now == at->frozen) continue;
        at->frozen = now;
        give_notice(*at, Notice::events);
    }
}

namespace {

void set_frozen(Task& task, bool frozen)
{
    auto& membership = task.membership;
    if (membership.is_frozen == frozen || !membership.is_live) return;
    membership.is_frozen = frozen;
    for (Cgroup* at = membership.group.get(); at; at = at->parent.get())
        at->frozen_tasks += frozen ? 1 : ~u64 { 0 };
    update_frozen(*membership.group);
}

} // namespace

void apply_freeze(Task& task)
{
    auto& membership = task.membership;
    bool const freeze = membership.is_live && membership.group->freezers > 0;
    if (freeze == bool(membership.work & work_freeze)) return;
    membership.work ^= work_freeze;
    notice_pending(task);
}

void set_freeze(Cgroup& group, bool freeze)
{
    if (group.freeze == freeze) return;
    group.freeze = freeze;
    for_each_below(group, [&](Cgroup& below) { below.freezers += freeze ? 1 : ~u32 { 0 }; });
    for (Task* task : tasks_below(group))
        apply_freeze(*task);
    for_each_below(group, [](Cgroup& below) { update_frozen(below); });
}

void freeze_here(Task& task)
{
    set_frozen(task, true);
    auto over = [&] { return !(task.membership.work & work_freeze) || task.must_stop() || task.is_dying(); };
    while (!over()) {
        auto slept = sleep_current(kNever, Interruption::allowed);
        (void)slept.ok(); // whoever woke it: the loop looks
    }
    set_frozen(task, false);
}

StandingStill::StandingStill(Task& task)
    : task_(task)
    , was_frozen_(task.membership.is_frozen)
{
    set_frozen(task, true);
}

StandingStill::~StandingStill()
{
    if (!was_frozen_) set_frozen(task_, false);
}

} // namespace umbra::cgroup
