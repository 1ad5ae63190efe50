// SPDX-License-Identifier: GPL-2.0-or-later
// Who runs first: sched(7)'s policies as an order. Tasks of SCHED_DEADLINE come before those of SCHED_FIFO and SCHED_RR,
// and these before all the others, which share what is left in fairness.
#pragma once

#include <memory>
#include <set>

#include "core/base/types.h"
#include "core/time/timekeeper.h"

namespace umbra {

class Task;

/// A task's place among all: the lower rank first, and within one the lower order.
struct Place {
    static constexpr u32 kDeadline = 0, kFair = 100;
    u32 rank = kFair; ///< kDeadline; 100 - priority for 1 to 99; kFair
    u64 order = 0; ///< the absolute deadline; the turn; the virtual runtime

    bool is_urgent() const { return rank < kFair; }
    bool outranks(Place const& other) const
    {
        if (rank != other.rank) return rank < other.rank;
        return rank == kDeadline && order < other.order;
    }
    friend auto operator<=>(Place const&, Place const&) = default;
};

/// The rank that the task's policy gives it, or one that a waiter for its locks lends it.
u32 rank_of(Task const& task);
inline bool is_urgent(Task const& task) { return rank_of(task) < Place::kFair; }
/// Where it stands while it runs; a turn counts only in a queue.
Place place_of(Task const& task);

/// The runnable tasks of a vCPU that do not run. A task's place is taken when it is put in, and does not move.
class RunQueue {
public:
    enum class End : u8 { tail, head }; ///< among tasks of the same realtime priority

    bool is_empty() const { return fair_.empty() && urgent_.empty(); }
    u64 size() const { return fair_.size() + urgent_.size(); }
    void insert(Task& task, End end);
    /// True: it was there.
    bool remove(Task& task);
    /// The first of those with a deadline or a realtime priority, or null.
    Task* first_urgent() const { return urgent_.empty() ? nullptr : *urgent_.begin(); }
    /// The first and the last of the others, or null.
    Task* first_fair() const { return fair_.empty() ? nullptr : *fair_.begin(); }
    Task* last_fair() const { return fair_.empty() ? nullptr : *fair_.rbegin(); }
    /// The first that `fits`, of the urgent ones or of the others.
    template <typename Fits> Task* first_urgent_that(Fits fits) const { return first_of(urgent_, fits); }
    template <typename Fits> Task* first_fair_that(Fits fits) const { return first_of(fair_, fits); }

private:
    struct Order {
        bool operator()(Task const* a, Task const* b) const;
    };
    using Tasks = std::set<Task*, Order>;
    template <typename Fits> static Task* first_of(Tasks const& tasks, Fits fits)
    {
        for (Task* task : tasks)
            if (fits(task)) return task;
        return nullptr;
    }

    Tasks urgent_, fair_;
    u64 next_turn_ = u64 { 1 } << 63, first_turn_ = u64 { 1 } << 63;
};

/// A task's share under SCHED_DEADLINE, kept by a constant bandwidth server: in each period it may use its runtime, and
/// what it has to do counts as due at the absolute deadline. Out of budget, it is not runnable until the next period.
class DeadlineServer final : public Timer {
public:
    explicit DeadlineServer(Task& task);

    Nanoseconds absolute() const { return absolute_; } ///< CLOCK_MONOTONIC
    Nanoseconds budget() const { return budget_; }
    bool is_throttled() const { return is_armed(); }
    void use(Nanoseconds time) { budget_ -= time; }
    void give_up() { budget_ = 0; } ///< what is left of this period, as sched_yield(2)
    /// The task becomes runnable: what is left goes on only if that keeps it within its share.
    void begin(Nanoseconds now);
    /// The task has no budget left: it gets that of the next period. False if this has begun already; otherwise true, and
    /// the task is put into a queue when it begins.
    bool throttle(Nanoseconds now);

protected:
    void expired() override;

private:
    void replenish(Nanoseconds now);
    Task& task_;
    Nanoseconds absolute_ = 0, budget_ = 0;
};

/// Of each second, realtime tasks leave a twentieth to the others where these wait (kernel.sched_rt_runtime_us).
class RealtimeLimit {
public:
    static constexpr Nanoseconds kPeriod = 1'000'000'000, kRuntime = 950'000'000;

    void use(Nanoseconds time, Nanoseconds now);
    bool is_reached(Nanoseconds now) const { return now < until_; }
    Nanoseconds until() const { return until_; } ///< the others go first until then
    Nanoseconds left() const { return kRuntime - used_; }

private:
    Nanoseconds begin_ = 0, used_ = 0, until_ = 0;
};

} // namespace umbra
