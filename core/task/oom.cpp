// SPDX-License-Identifier: GPL-2.0-or-later
// The OOM killer: the process with the most resident pages, corrected by oom_score_adj as in Linux, goes.
#include "core/task/oom.h"

#include <algorithm>

#include "core/cgroup/memory.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/mm/backed-pages.h"
#include "core/printk/printk.h"
#include "core/task/lifecycle.h"
#include "core/task/process-table.h"
#include "core/task/ptrace.h"
#include "core/time/timekeeper.h"

namespace umbra {

namespace {

i64 badness(Process const& process, i64 total)
{
    Task* leader = process.any_thread();
    if (&process == process.kernel.processes().init() || process.state == ProcessState::zombie
        || process.group_exiting || !leader || !leader->has_mm() || process.oom_score_adj == -1000)
        return -1;
    return i64(leader->mm().resident_pages()) + process.oom_score_adj * total / 1000;
}

struct Choice {
    Process* victim = nullptr;
    i64 score = -1;
    bool somebody_dies = false; ///< already
};

/// Among all, or those of a group.
/// Whether its end may take as long as somebody else likes: a tracer, or the reader of a core.
bool may_linger(Process const& process)
{
    return process.core_dump
        || std::any_of(process.threads.begin(), process.threads.end(), [](Task* t) { return t->tracee; });
}

Choice choose_victim(Kernel& kernel, cgroup::Cgroup const* group)
{
    u64 const limit = kernel.memory().limit();
    auto const total = i64(group ? std::min(group->memory.limit, limit) : limit);
    Choice choice;
    for (auto const& [id, process] : kernel.processes().processes()) {
        if (group && !cgroup::counts_for(*process, *group)) continue;
        if (process->group_exiting) {
            if (process->state != ProcessState::zombie && !may_linger(*process)) choice.somebody_dies = true;
            continue;
        }
        i64 const score = badness(*process, total);
        if (score > choice.score) choice.score = score, choice.victim = process;
    }
    return choice;
}

/// Somebody is on the way out: gives him time to leave his memory.
void let_others_end(Task& task)
{
    auto r = sleep_current(task.kernel().time().monotonic() + 10'000'000, Interruption::killable);
    (void)r.ok(); // either way the allocation is tried again
}

void kill(Choice const& choice, char const* what)
{
    Process& victim = *choice.victim;
    victim.kernel.printk().error("%s: killed process %d (%s), %lld pages resident", what, victim.id.value,
        victim.leader() ? printable(victim.leader()->name()).c_str() : "?",
        static_cast<long long>(choice.score));
    exit_group(victim, abi::sigkill);
}

/// All that memory.oom.group says are one with the victim.
void kill_group(cgroup::Cgroup& group)
{
    note(group, cgroup::MemoryEvent::oom_group_kill);
    for (Task* task : cgroup::tasks_below(group)) {
        Process& process = task->process();
        bool const is_spared
            = process.oom_score_adj == -1000 || &process == process.kernel.processes().init();
        if (is_spared || process.group_exiting) continue;
        note(*task->membership.group, cgroup::MemoryEvent::oom_kill);
        exit_group(process, abi::sigkill);
    }
}

} // namespace

bool relieve_group(Task& task, cgroup::Cgroup& group)
{
    auto const choice = choose_victim(task.kernel(), &group);
    if (choice.somebody_dies && !task.is_dying()) {
        let_others_end(task);
        return true;
    }
    if (!choice.victim) return false;
    cgroup::Cgroup* whole = cgroup::killed_with(*choice.victim, group);
    note(cgroup::group_of(*choice.victim), cgroup::MemoryEvent::oom_kill);
    kill(choice, "Memory cgroup out of memory");
    if (whole) kill_group(*whole);
    return !task.is_dying();
}

void settle_with_own_group(Task& task)
{
    auto const& memory = task.membership.exhausted->memory;
    if (memory.current > memory.limit)
        (void)relieve_own_group(task); // if there is nothing to be had, the next fault says so
    else
        task.membership.exhausted = nullptr;
}

bool relieve_own_group(Task& task)
{
    if (!task.membership.exhausted) return false;
    auto const group = cgroup::take_exhausted(task);
    if (!group || reclaim_mapped(*group) > 0) return true;
    note(*group, cgroup::MemoryEvent::oom);
    return relieve_group(task, *group);
}

bool relieve_memory(Task& task)
{
    if (task.membership.exhausted) return relieve_own_group(task);
    for (auto& cache : task.kernel().memory().backed_caches)
        if (cache.drop_clean(~u64 { 0 }, [](u32) { return true; }) > 0) return true;
    auto const choice = choose_victim(task.kernel(), nullptr);
    if (choice.somebody_dies && !task.is_dying()) {
        let_others_end(task);
        return true;
    }
    if (!choice.victim) return false;
    kill(choice, "Out of memory");
    return !task.is_dying();
}

} // namespace umbra
