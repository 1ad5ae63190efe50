// SPDX-License-Identifier: GPL-2.0-or-later
// Places, queues, and the limits of urgent tasks.
#include "core/task/run-queue.h"

#include <algorithm>

#include "core/abi/process.h"
#include "core/kernel.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"

namespace umbra {

u32 rank_of(Task const& task)
{
    if (task.policy == abi::sched_deadline) return Place::kDeadline;
    return Place::kFair - u32(std::max(task.rt_priority, task.lent_priority));
}

Place place_of(Task const& task)
{
    u32 const rank = rank_of(task);
    if (rank == Place::kDeadline) return { rank, u64(task.deadline_server->absolute()) };
    return { rank, rank == Place::kFair ? task.virtual_runtime : 0 };
}

bool RunQueue::Order::operator()(Task const* a, Task const* b) const
{
    if (a->place != b->place) return a->place < b->place;
    return a < b;
}

void RunQueue::insert(Task& task, End end)
{
    task.place = place_of(task);
    if (task.place.rank != Place::kDeadline && task.place.is_urgent())
        task.place.order = end == End::head ? --first_turn_ : next_turn_++;
    (task.place.is_urgent() ? urgent_ : fair_).insert(&task);
}

bool RunQueue::remove(Task& task) { return (task.place.is_urgent() ? urgent_ : fair_).erase(&task) > 0; }

DeadlineServer::DeadlineServer(Task& task)
    : Timer(task.kernel())
    , task_(task)
{
}

void DeadlineServer::replenish(Nanoseconds now)
{
    absolute_ = now + task_.deadline.deadline;
    budget_ = task_.deadline.runtime;
}

void DeadlineServer::begin(Nanoseconds now)
{
    auto const& share = task_.deadline;
    using Wide = __int128;
    bool const fits = now < absolute_ && budget_ > 0
        && Wide(budget_) * share.deadline <= Wide(absolute_ - now) * share.runtime;
    if (!fits) replenish(now);
}

bool DeadlineServer::throttle(Nanoseconds now)
{
    auto const& share = task_.deadline;
    // What it took too much of is taken off the periods to come.
    Nanoseconds const periods = -budget_ / share.runtime + 1;
    budget_ += periods * share.runtime;
    absolute_ += periods * share.period;
    Nanoseconds const begin = absolute_ - share.deadline;
    if (begin > now) {
        arm(begin);
        return true;
    }
    if (absolute_ <= now) replenish(now);
    return false;
}

void DeadlineServer::expired() { kernel_.scheduler().place(task_); }

void RealtimeLimit::use(Nanoseconds time, Nanoseconds now)
{
    if (now >= begin_ + kPeriod) begin_ = now - time, used_ = 0;
    used_ += time;
    if (used_ >= kRuntime) until_ = begin_ + kPeriod;
}

} // namespace umbra
