// SPDX-License-Identifier: GPL-2.0-or-later
// Timers and the conversion of cycles.
#include "core/time/timekeeper.h"

#include "core/kernel.h"
#include "core/task/scheduler.h"

namespace umbra {

void Timer::arm(Nanoseconds deadline)
{
    cancel();
    deadline_ = deadline;
    queue_ = &kernel_.scheduler().active().timers();
    queue_->timers_.insert({ deadline, this });
}

void Timer::cancel()
{
    if (!queue_) return;
    queue_->timers_.erase({ deadline_, this });
    queue_ = nullptr;
}

void TimerQueue::run(Nanoseconds now)
{
    while (!timers_.empty() && timers_.begin()->first <= now) {
        Timer* timer = timers_.begin()->second;
        timers_.erase(timers_.begin());
        timer->queue_ = nullptr;
        timer->expired();
    }
}

Timekeeper::Timekeeper(platform::Platform& platform)
    : platform_(platform)
    , boot_(platform.now(platform::HostClock::boottime))
    , boot_realtime_(platform.now(platform::HostClock::realtime))
    , boot_monotonic_(platform.now(platform::HostClock::monotonic))
    , boot_cycles_(cycles())
{
}

Nanoseconds Timekeeper::cycles_to_ns(u64 count) const
{
    u64 elapsed_cycles = cycles() - boot_cycles_;
    auto elapsed = u64(monotonic() - boot_monotonic_);
    if (elapsed_cycles == 0) return 0;
    return Nanoseconds(static_cast<unsigned __int128>(count) * elapsed / elapsed_cycles);
}

} // namespace umbra
