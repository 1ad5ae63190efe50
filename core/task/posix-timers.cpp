// SPDX-License-Identifier: GPL-2.0-or-later
// How timers expire: signals, periods, overruns.
#include "core/task/posix-timers.h"

#include <algorithm>

#include "core/abi/process.h"
#include "core/kernel.h"
#include "core/task/process-table.h"
#include "core/task/task.h"

namespace umbra {

using namespace abi;

SignalTimer::SignalTimer(Process& process, i32 clock_id, std::optional<CpuClock> cpu)
    : Timer(process.kernel)
    , CpuTimer(process.kernel, cpu.value_or(CpuClock {}))
    , clock(clock_id)
    , process_(process)
    , cpu_(cpu)
{
}

Nanoseconds SignalTimer::now() const
{
    if (!cpu_) return process_.kernel.time().monotonic();
    auto measured = cpu_->now(process_.kernel);
    return measured.ok() ? measured.value() : 0; // of a process that is gone: no time passes any more
}

void SignalTimer::start()
{
    if (notify == sigev_none) return; // nobody is told: setting() reckons
    if (cpu_)
        arm_cpu(expiry_);
    else
        arm(expiry_);
}

void SignalTimer::stop()
{
    cancel();
    cancel_cpu();
}

i64 SignalTimer::forward()
{
    Nanoseconds late = std::max<Nanoseconds>(0, now() - expiry_);
    i64 skipped = late / interval_;
    expiry_ += (skipped + 1) * interval_;
    return skipped;
}

TimerSetting SignalTimer::setting() const
{
    if (!active_) return { 0, interval_ };
    Nanoseconds left = expiry_ - now();
    if (left > 0) return { left, interval_ };
    // Expired, and nobody was told yet: the next period, or the last moment of one that fires once.
    if (interval_ > 0 && (waits_for_delivery_ || notify == sigev_none))
        return { interval_ - -left % interval_, interval_ };
    return { notify == sigev_none ? 0 : 1, interval_ };
}

void SignalTimer::set(TimerSetting s, bool absolute)
{
    stop();
    ++generation_;
    waits_for_delivery_ = false;
    active_ = s.value != 0;
    interval_ = active_ ? s.interval : 0;
    if (!active_) return;
    Nanoseconds base_now = now();
    if (!absolute) {
        expiry_ = Timekeeper::add(base_now, s.value);
    } else {
        auto& time = process_.kernel.time();
        Nanoseconds clock_now = cpu_ || clock == clock_monotonic ? base_now
            : clock == clock_boottime || clock == clock_boottime_alarm
            ? process_.kernel.platform().now(platform::HostClock::boottime)
            : time.realtime();
        expiry_ = s.value == kNever
            ? kNever
            : std::max<Nanoseconds>(0, Timekeeper::add(base_now, s.value - clock_now));
    }
    start();
}

bool SignalTimer::is_under_way() const
{
    auto mine = [this](SigInfo const& i) {
        return i.origin == SigInfo::kTimer && i.timer.timer_id == id && i.timer.private_ == generation_;
    };
    if (process_.shared_pending.contains(mine)) return true;
    return std::any_of(
        process_.threads.begin(), process_.threads.end(), [&](Task* t) { return t->pending.contains(mine); });
}

void SignalTimer::send()
{
    SigInfo info;
    info.signo = signal;
    if (id < 0) {
        info.code = si_kernel;
    } else {
        info.code = si_timer;
        info.origin = SigInfo::kTimer;
        info.timer.timer_id = id;
        info.timer.value = value;
        info.timer.private_ = generation_;
    }
    if (notify != sigev_thread_id) {
        (void)send_signal(process_, info).ok(); // only signals that programs queue can be refused
        return;
    }
    Task* t = process_.kernel.processes().find_task(thread);
    if (t && &t->process() == &process_) (void)send_signal(*t, info).ok(); // likewise
}

void SignalTimer::expire()
{
    if (interval_ == 0) active_ = false;
    send();
    if (interval_ == 0) return;
    if (id >= 0 && is_under_way()) {
        waits_for_delivery_ = true;
        return;
    }
    // An itimer's signals merge; a signal that is ignored is never delivered.
    forward();
    start();
}

bool SignalTimer::deliver(SigInfo& info)
{
    if (info.timer.private_ != generation_) return false;
    overrun = 0;
    if (waits_for_delivery_) {
        waits_for_delivery_ = false;
        overrun = i32(std::min<i64>(INT32_MAX, forward()));
        start();
    }
    info.timer.overrun = overrun;
    return true;
}

void SignalTimer::resume_if_lost()
{
    if (!waits_for_delivery_ || is_under_way()) return;
    waits_for_delivery_ = false;
    forward();
    start();
}

bool PosixTimers::deliver(SigInfo& info)
{
    auto it = timers.find(info.timer.timer_id);
    return it != timers.end() && it->second->deliver(info);
}

} // namespace umbra
