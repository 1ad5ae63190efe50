// SPDX-License-Identifier: GPL-2.0-or-later
// The cpu controller: what a group's tasks have used, how much they may use in each period (cpu.max), and how large their
// group's part is where tasks compete (cpu.weight).
#pragma once

#include "core/cgroup/cgroup.h"
#include "core/time/timekeeper.h"

namespace umbra::cgroup {

/// cpu.max of a group: tasks may use `quota` in each `period`. Who finds nothing left sleeps on his way to the guest; only
/// then is there a timer, for the next refill. What was used too much is taken off periods to come.
class Bandwidth final : public RefCounted, public Timer {
public:
    static constexpr Nanoseconds kDefaultPeriod = 100'000'000, kLeast = 1'000'000,
                                 kMostPeriod = 1'000'000'000;

    explicit Bandwidth(Cgroup& group);
    Nanoseconds quota() const { return quota_; } ///< kNever: no limit
    Nanoseconds period() const { return period_; }
    Nanoseconds burst() const { return burst_; }
    /// What is saved in quiet periods, up to `burst`, may be used on top.
    void set(Nanoseconds quota, Nanoseconds period, Nanoseconds burst);
    bool is_limit() const { return quota_ != kNever; }

    void use(Nanoseconds time, Nanoseconds now);
    Nanoseconds left() const { return is_limit() ? left_ : kNever; }
    /// Waits for a refill; ends early if the task dies or the limit does.
    void wait(Nanoseconds now);

protected:
    void expired() override;

private:
    void refill(Nanoseconds now);
    void end_throttling(Nanoseconds now);

    Cgroup& group_; ///< holds this; ends the limit before it goes
    Nanoseconds quota_ = kNever, period_ = kDefaultPeriod, burst_ = 0;
    Nanoseconds left_ = 0, begin_ = 0;
    Nanoseconds throttled_since_ = kNever;
    WaitQueue waiters_;
};

/// The task counts in its group from now on, as to time used, limits and shares.
void join_cpu(Task& task);
void part_cpu(Task& task);
/// What the task has used since it was last asked is taken off the limits above it; it waits where nothing is left.
/// Returns when it is to be asked again at the latest, kNever: never; nothing: it has waited. May wait.
std::optional<Nanoseconds> use_bandwidth(Task& task);

/// A task of a group with a share wants to run, or no longer does.
void became_runnable(Task& task);
void stopped_running(Task& task);
/// Its weight against all others, of the weight that it has within its group.
u32 scaled_weight(Task const& task, u32 weight);
/// Around changes of what shares depend on: tasks below are taken out of the sums, and put in again.
void suspend_shares(Cgroup& group);
void resume_shares(Cgroup& group);

void end_bandwidth(Cgroup& group);
void count_times(Cgroup& group); ///< cpu.stat is up to date
void reset_cpu(Cgroup& group);

} // namespace umbra::cgroup
