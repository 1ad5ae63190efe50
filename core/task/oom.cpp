// SPDX-License-Identifier: GPL-2.0-or-later
// The OOM killer: the process with the most resident pages, corrected by oom_score_adj as in Linux, goes.
#include "core/task/oom.h"

#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/printk/printk.h"
#include "core/task/lifecycle.h"
#include "core/task/process-table.h"
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

} // namespace

bool relieve_memory(Task& task)
{
    Kernel& kernel = task.kernel();
    auto total = i64(kernel.memory().limit());
    Process* victim = nullptr;
    i64 worst = -1;
    bool dying = false;
    for (auto const& [id, process] : kernel.processes().processes()) {
        if (process->group_exiting && process->state != ProcessState::zombie) dying = true;
        i64 score = badness(*process, total);
        if (score > worst) worst = score, victim = process;
    }
    if (dying && !task.is_dying()) {
        // Somebody is on the way out already: give it time to leave its memory.
        auto r = sleep_current(kernel.time().monotonic() + 10'000'000, Interruption::killable);
        (void)r.ok(); // either way the fault is tried again
        return true;
    }
    if (!victim) return false;
    kernel.printk().error("Out of memory: killed process %d (%s), %lld pages resident", victim->id.value,
        victim->leader() ? printable(victim->leader()->name()).c_str() : "?", static_cast<long long>(worst));
    exit_group(*victim, abi::sigkill);
    return &task.process() != victim;
}

} // namespace umbra
