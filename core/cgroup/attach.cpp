// SPDX-License-Identifier: GPL-2.0-or-later
// Which group a task is in: birth, moves, exit; and what is counted on the way (the pids controller).
#include <algorithm>
#include <map>
#include <vector>

#include "core/cgroup/cpu.h"
#include "core/cgroup/file-system.h"
#include "core/cgroup/namespace.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/task/lifecycle.h"
#include "core/task/process-table.h"
#include "core/task/task.h"
#include "core/vfs/access.h"

namespace umbra::cgroup {

namespace {

/// A task more or less that has not exited.
void count_live(Cgroup& group, i64 change)
{
    group.own_tasks += u64(change);
    for (Cgroup* at = &group; at; at = at->parent.get()) {
        bool const before = at->is_populated();
        at->subtree_tasks += u64(change);
        if (at->is_populated() != before) give_notice(*at, Notice::events);
    }
}

void count_frozen(Task& task, i64 change)
{
    for (Cgroup* at = task.membership.group.get(); at; at = at->parent.get())
        at->frozen_tasks += u64(change);
}

void charge_pids(Cgroup& group, i64 change)
{
    for (Cgroup* at = &group; at; at = at->parent.get()) {
        at->pids.current += u64(change);
        at->pids.peak = std::max(at->pids.peak, at->pids.current);
    }
}

/// pids.events of who forbids it, and of those above that.
void note_refusal(Cgroup& limiter, Cgroup& forker)
{
    ++limiter.pids.local_refusals;
    give_notice(limiter, Notice::pids_events_local);
    if (limiter.hierarchy.local_pids_events) {
        ++forker.pids.refusals;
        give_notice(forker, Notice::pids_events);
        return;
    }
    for (Cgroup* at = &limiter; !at->is_root(); at = at->parent.get()) {
        ++at->pids.refusals;
        give_notice(*at, Notice::pids_events);
    }
}

Result<void> check_pids(Cgroup& group)
{
    for (Cgroup* at = &group; at; at = at->parent.get())
        if (at->has(Controller::pids) && at->pids.current >= at->pids.limit) {
            note_refusal(*at, group);
            return err::again;
        }
    return {};
}

/// The task is counted in `group`, as it is.
void join(Task& task, Cgroup& group)
{
    auto& membership = task.membership;
    membership.group = RefPtr<Cgroup>(&group);
    if (membership.is_live) count_live(group, 1);
    if (membership.is_frozen) count_frozen(task, 1);
    join_cpu(task);
    apply_freeze(task);
    update_frozen(group);
}

/// And no longer.
void part(Task& task)
{
    auto& membership = task.membership;
    Ref<Cgroup> const group(membership.group);
    part_cpu(task);
    if (membership.is_frozen) count_frozen(task, -1);
    if (membership.is_live) count_live(*group, -1);
    update_frozen(*group);
}

void move_task(Task& task, Cgroup& to)
{
    Cgroup& from = *task.membership.group;
    if (&from == &to) return;
    charge_pids(to, 1);
    charge_pids(from, -1);
    part(task);
    join(task, to);
}

Cgroup& common_ancestor(Cgroup& a, Cgroup& b)
{
    Cgroup* at = &a;
    while (!b.is_within(*at))
        at = at->parent.get();
    return *at;
}

/// Whether tasks may be in `to` at all: not beside children with domain controllers.
Result<void> check_destination(Cgroup& to)
{
    if (!to.domain().is_valid_domain()) return err::opnotsupp;
    if (to.is_root() || to.can_be_thread_root() || to.threaded) return {};
    return to.subtree_control ? err::busy : Result<void>();
}

Result<void> check_may_write(Credentials const& who, Cgroup& group)
{
    return vfs::check_permission(who, procs_inode(group), abi::w_ok);
}

Result<void> check_move(Cgroup& from, Cgroup& to, Moved what, Mover const& mover)
{
    // Whoever made the Mover has put Credentials there.
    auto const& who = static_cast<Credentials const&>(*mover.credentials);
    TRY(check_may_write(who, common_ancestor(from, to)));
    if (to.hierarchy.delegates_to_namespaces
        && !(from.is_within(mover.visible_root) && to.is_within(mover.visible_root)))
        return err::noent;
    TRY(check_destination(to));
    if (what == Moved::thread && &from.domain() != &to.domain()) return err::opnotsupp;
    return {};
}

/// Where CLONE_INTO_CGROUP wants the child.
Result<Ref<Cgroup>> chosen_group(Task& parent, GuestFd number)
{
    auto const file = TRY(parent.files().get(number, true));
    Cgroup* group = group_of_directory(file->inode());
    if (!group) return err::badf;
    if (group->dead) return err::noent;
    return Ref<Cgroup>(*group);
}

void enter(Task& task, Cgroup& group)
{
    charge_pids(group, 1);
    task.membership.is_live = true;
    // It has not started: it looks at this when it does, and must not be woken before.
    if (group.freezers > 0) task.membership.work |= work_freeze;
    join(task, group);
}

} // namespace

Result<void> enter_at_birth(Task& parent, Task& child, std::optional<GuestFd> directory)
{
    Ref<Cgroup> group(parent.membership.group);
    if (directory) {
        auto const to = TRY(chosen_group(parent, *directory));
        TRY(check_may_write(parent.credentials(), *to));
        Moved const what = &child.process() == &parent.process() ? Moved::thread : Moved::process;
        TRY(check_move(
            *group, *to, what, { Ref<RefCounted>(parent.credentials_ref()), visible_root(parent) }));
        group = to;
    }
    TRY(check_pids(*group));
    enter(child, *group);
    return {};
}

void enter_root(Task& first) { enter(first, first.kernel().cgroups().root()); }

void leave(Task& task)
{
    auto& membership = task.membership;
    if (!membership.is_live) return;
    part(task);
    membership.is_live = membership.is_frozen = false;
    membership.work = 0;
}

void forget(Task& task)
{
    auto& membership = task.membership;
    if (!membership.group) return;
    leave(task);
    Process& process = task.process();
    if (task.tid() == process.id) {
        forget(process);
        process.last_cgroup = membership.group;
    } else {
        charge_pids(*membership.group, -1);
    }
}

void forget(Process& process)
{
    if (!process.last_cgroup) return;
    charge_pids(*process.last_cgroup, -1);
    process.last_cgroup = nullptr;
}

Cgroup& group_of(Process const& process)
{
    if (Task* leader = process.leader()) return *leader->membership.group;
    return process.last_cgroup ? *process.last_cgroup : process.kernel.cgroups().root();
}

std::vector<Task*> tasks_below(Cgroup const& top)
{
    std::vector<Task*> found;
    for (auto const& [id, task] : top.hierarchy.kernel().processes().tasks())
        if (task->membership.is_live && task->membership.group->is_within(top)) found.push_back(task);
    return found;
}

Result<void> move(Cgroup& to, std::string_view number, Moved what, Mover const& mover)
{
    auto const parsed = fs::parse_integer(number);
    if (parsed.is_error() || parsed.value() < 0 || parsed.value() > INT32_MAX) return err::inval;
    if (to.dead) return err::nodev;
    auto& table = to.hierarchy.kernel().processes();
    Task* task = parsed.value() ? table.find_task(pid_in(current(), i32(parsed.value()))) : &current();
    if (!task || !task->membership.group) return err::srch;
    if (what == Moved::process && task->process().leader()) task = task->process().leader();
    TRY(check_move(*task->membership.group, to, what, mover));
    if (what == Moved::thread) {
        move_task(*task, to);
        return {};
    }
    for (Task* thread : task->process().threads)
        move_task(*thread, to);
    return {};
}

void kill_all(Cgroup& group)
{
    std::map<i32, Ref<Process>> doomed;
    for (Task* task : tasks_below(group))
        doomed.emplace(task->pid().value, Ref<Process>(task->process()));
    for (auto& [id, process] : doomed)
        (void)send_signal(*process, user_signal(abi::sigkill, current())).ok(); // cannot be refused
}

} // namespace umbra::cgroup
