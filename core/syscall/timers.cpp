// SPDX-License-Identifier: GPL-2.0-or-later
// Interval timers: setitimer, alarm, timer_create and friends. How they expire is in core/task/posix-timers.cpp.
#include "core/task/pid-namespace.h"
#include "core/task/posix-timers.h"

#include <algorithm>

#include "core/abi/process.h"
#include "core/syscall/clocks.h"
#include "core/syscall/syscall.h"
#include "core/task/lifecycle.h"
#include "core/task/process-table.h"
#include "core/task/scheduler.h"
#include "core/time/time-namespace.h"

namespace umbra {

using namespace abi;

namespace {

constexpr i32 kReal = 0, kVirtual = 1, kProfile = 2;

Nanoseconds from_timeval(Timeval t) { return t.sec * kNanosecondsPerSecond + t.usec * 1000; }
Timeval to_timeval(Nanoseconds ns)
{
    // Rounded up: an armed timer never reads as zero.
    Nanoseconds us = (ns + 999) / 1000;
    return { us / 1'000'000, us % 1'000'000 };
}

Nanoseconds cpu_time(Process& process, bool with_system)
{
    auto u = process_usage(process);
    return with_system ? u.user + u.system : u.user;
}

/// As it stands now: value is what is left.
TimerSetting cpu_setting(CpuInterval const& s, Nanoseconds now)
{
    if (s.value == 0) return { 0, s.interval };
    return { std::max<Nanoseconds>(1, s.base + s.value - now), s.interval };
}

TimerSetting read_itimer(Process& process, i32 which)
{
    auto& t = process.timers_or_new();
    if (which == kReal) return t.real ? t.real->setting() : TimerSetting {};
    if (which == kVirtual) return cpu_setting(t.virtual_, cpu_time(process, false));
    return cpu_setting(t.profile, cpu_time(process, true));
}

void write_itimer(Process& process, i32 which, TimerSetting s)
{
    auto& t = process.timers_or_new();
    if (which == kReal) {
        if (!t.real) t.real = std::make_unique<SignalTimer>(process, clock_monotonic);
        if (s.value == 0) s.interval = 0;
        t.real->set(s, false);
    } else {
        auto& timer = which == kVirtual ? t.virtual_ : t.profile;
        timer = { s.value, s.interval, cpu_time(process, which == kProfile) };
        recheck_cpu_timers(process);
    }
}

} // namespace

SyscallResult sys_getitimer(Task& task, i32 which, UserOut<Itimerval> out)
{
    if (which < kReal || which > kProfile) return err::inval;
    auto s = read_itimer(task.process(), which);
    TRY(out.copy_out(task, { to_timeval(s.interval), to_timeval(s.value) }));
    return 0;
}

SyscallResult sys_setitimer(Task& task, i32 which, UserIn<Itimerval> in, UserOut<Itimerval> out)
{
    if (which < kReal || which > kProfile) return err::inval;
    Itimerval wanted {};
    if (!in.is_null()) wanted = TRY(in.copy_in(task));
    auto valid = [](Timeval t) {
        return t.sec >= 0 && t.usec >= 0 && t.usec < 1'000'000 && t.sec < kNever / kNanosecondsPerSecond;
    };
    if (!valid(wanted.value) || !valid(wanted.interval)) return err::inval;
    auto old = read_itimer(task.process(), which);
    write_itimer(task.process(), which, { from_timeval(wanted.value), from_timeval(wanted.interval) });
    if (!out.is_null()) TRY(out.copy_out(task, { to_timeval(old.interval), to_timeval(old.value) }));
    return 0;
}

SyscallResult sys_alarm(Task& task, u32 seconds)
{
    auto old = read_itimer(task.process(), kReal);
    write_itimer(task.process(), kReal, { Nanoseconds(seconds) * kNanosecondsPerSecond, 0 });
    i64 left = (old.value + kNanosecondsPerSecond / 2) / kNanosecondsPerSecond;
    return old.value && left == 0 ? 1 : left;
}

SyscallResult sys_timer_create(Task& task, i32 clock, UserIn<SigEvent> in, UserOut<i32> out)
{
    TRY(read_clock(task, clock));
    auto cpu = TRY(CpuClock::of(task, clock));
    if (clock == clock_monotonic_raw || clock == clock_realtime_coarse || clock == clock_monotonic_coarse)
        return err::opnotsupp;
    auto& timers = task.process().timers_or_new();
    // Each has a place in the queue of signals from its start, so that its signal is never refused.
    u64 const places = timers.timers.size() + task.process().shared_pending.count() + task.pending.count();
    if (places >= task.limit(Resource::sigpending)) return err::again;
    auto timer = std::make_unique<SignalTimer>(task.process(), clock, cpu);
    timer->id = timers.next_id;
    timer->value = u64(timer->id);
    if (!in.is_null()) {
        auto e = TRY(in.copy_in(task));
        timer->notify = e.notify, timer->signal = e.signo, timer->value = e.value;
        switch (e.notify) {
        case sigev_none:
            break;
        case sigev_thread_id: {
            Task* t = task.kernel().processes().find_task(pid_in(task, e.thread));
            if (!t || &t->process() != &task.process()) return err::inval;
            timer->thread = t->tid();
            [[fallthrough]];
        }
        case sigev_signal:
        case sigev_thread:
            if (e.signo <= 0 || e.signo > signal_count) return err::inval;
            break;
        default:
            return err::inval;
        }
    }
    TRY(out.copy_out(task, timer->id));
    ++timers.next_id;
    i32 id = timer->id;
    timers.timers[id] = std::move(timer);
    return 0;
}

namespace {

Result<SignalTimer*> find_timer(Task& task, i32 id)
{
    auto& process = task.process();
    if (!process.timers) return err::inval;
    auto it = process.timers->timers.find(id);
    if (it == process.timers->timers.end()) return err::inval;
    return it->second.get();
}

Itimerspec to_itimerspec(TimerSetting s)
{
    return { Timekeeper::to_timespec(s.interval), Timekeeper::to_timespec(s.value) };
}

} // namespace

SyscallResult sys_timer_settime(Task& task, i32 id, u32 flags, UserIn<Itimerspec> in, UserOut<Itimerspec> out)
{
    if (in.is_null()) return err::inval;
    auto wanted = TRY(in.copy_in(task));
    if (!Timekeeper::is_valid(wanted.value) || !Timekeeper::is_valid(wanted.interval)) return err::inval;
    auto* timer = TRY(find_timer(task, id));
    auto old = timer->setting();
    Nanoseconds value = Timekeeper::from_timespec(wanted.value);
    if (value && (flags & timer_abstime)) value = time_namespace(task).to_kernel(timer->clock, value);
    timer->set({ value, Timekeeper::from_timespec(wanted.interval) }, flags & timer_abstime);
    if (!out.is_null()) TRY(out.copy_out(task, to_itimerspec(old)));
    return 0;
}

SyscallResult sys_timer_gettime(Task& task, i32 id, UserOut<Itimerspec> out)
{
    auto* timer = TRY(find_timer(task, id));
    TRY(out.copy_out(task, to_itimerspec(timer->setting())));
    return 0;
}

SyscallResult sys_timer_getoverrun(Task& task, i32 id) { return TRY(find_timer(task, id))->overrun; }

SyscallResult sys_timer_delete(Task& task, i32 id)
{
    TRY(find_timer(task, id));
    task.process().timers->timers.erase(id);
    return 0;
}

} // namespace umbra
