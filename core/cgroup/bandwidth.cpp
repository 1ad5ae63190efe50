// SPDX-License-Identifier: GPL-2.0-or-later
// cpu.max: using, running out, refilling.
#include <algorithm>

#include "core/cgroup/cpu.h"
#include "core/kernel.h"
#include "core/task/run-queue.h"
#include "core/task/task.h"

namespace umbra::cgroup {

namespace {

/// Other vCPUs may use the same quota at the same time: none goes on for longer without looking.
constexpr Nanoseconds kSlice = 5'000'000;

u64 cycles_of(Task const& task)
{
    u64 const running = task.state == TaskState::running ? Timekeeper::cycles() - task.last_switch_cycles : 0;
    return task.user_cycles + task.system_cycles + running;
}

} // namespace

Bandwidth::Bandwidth(Cgroup& group)
    : Timer(group.hierarchy.kernel())
    , group_(group)
{
}

void Bandwidth::set(Nanoseconds quota, Nanoseconds period, Nanoseconds burst)
{
    Nanoseconds const now = kernel_.time().monotonic();
    quota_ = quota, period_ = period, burst_ = burst;
    left_ = quota, begin_ = now;
    end_throttling(now);
}

/// Gives what the periods since then have brought.
void Bandwidth::refill(Nanoseconds now)
{
    if (!is_limit()) return;
    Nanoseconds const periods = (now - begin_) / period_;
    if (periods <= 0) return;
    begin_ += periods * period_;
    using Wide = __int128;
    left_ = Nanoseconds(std::min(left_ + Wide(periods) * quota_, Wide(quota_) + burst_));
    ++group_.cpu.periods;
}

void Bandwidth::end_throttling(Nanoseconds now)
{
    cancel();
    if (throttled_since_ == kNever) return;
    group_.cpu.throttled += now - throttled_since_;
    throttled_since_ = kNever;
    waiters_.wake_all();
}

void Bandwidth::use(Nanoseconds time, Nanoseconds now)
{
    refill(now);
    left_ -= time;
}

void Bandwidth::wait(Nanoseconds now)
{
    if (throttled_since_ == kNever) {
        throttled_since_ = now;
        ++group_.cpu.throttled_periods;
    }
    if (!is_armed()) arm(begin_ + period_);
    auto waited = waiters_.wait_until([this] { return left() > 0; }, kNever, Interruption::killable);
    (void)waited.ok(); // refilled or dying: the task looks
}

void Bandwidth::expired()
{
    Nanoseconds const now = kernel_.time().monotonic();
    refill(now);
    if (left_ > 0) return end_throttling(now);
    ++group_.cpu.throttled_periods;
    arm(begin_ + period_);
}

std::optional<Nanoseconds> use_bandwidth(Task& task)
{
    auto& membership = task.membership;
    auto& time = task.kernel().time();
    u64 const cycles = cycles_of(task);
    Nanoseconds const now = time.monotonic(), used = time.cycles_to_ns(cycles - membership.charged_cycles);
    membership.charged_cycles = cycles;
    // As in Linux, limits are those of the fair scheduler.
    if (is_urgent(task)) return kSlice + now;
    Nanoseconds least = kSlice;
    RefPtr<Bandwidth> exhausted;
    for (Cgroup* at = membership.group.get(); at; at = at->parent.get()) {
        if (!at->cpu.bandwidth) continue;
        at->cpu.bandwidth->use(used, now);
        if (at->cpu.bandwidth->left() <= 0) exhausted = at->cpu.bandwidth;
        least = std::min(least, at->cpu.bandwidth->left());
    }
    if (!exhausted) return now + least;
    exhausted->wait(now);
    return std::nullopt;
}

void end_bandwidth(Cgroup& group)
{
    if (group.cpu.bandwidth) group.cpu.bandwidth->set(kNever, Bandwidth::kDefaultPeriod, 0);
}

} // namespace umbra::cgroup
