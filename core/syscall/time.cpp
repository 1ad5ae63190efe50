// SPDX-License-Identifier: GPL-2.0-or-later
// Clocks and sleeping: clock_*, gettimeofday, time, nanosleep. Interval timers are in core/syscall/timers.cpp.
#include "core/time/timekeeper.h"

#include "core/abi/process.h"
#include "core/syscall/clocks.h"
#include "core/syscall/syscall.h"
#include "core/task/cpu-timer.h"
#include "core/task/scheduler.h"
#include "core/time/time-namespace.h"

namespace umbra {

using namespace abi;

Result<Nanoseconds> read_clock(Task& task, i32 clock)
{
    auto& time = task.kernel().time();
    auto& platform = task.kernel().platform();
    Nanoseconds const offset = time_namespace(task).offset_of(clock);
    switch (clock) {
    case clock_realtime:
    case clock_realtime_alarm:
    case clock_tai:
        return time.realtime();
    case clock_realtime_coarse:
        return platform.now(platform::HostClock::realtime_coarse) + time.realtime_offset;
    case clock_monotonic:
        return time.monotonic() + offset;
    case clock_monotonic_coarse:
        return platform.now(platform::HostClock::monotonic_coarse) + offset;
    case clock_monotonic_raw:
        return platform.now(platform::HostClock::monotonic_raw) + offset;
    case clock_boottime:
    case clock_boottime_alarm:
        return platform.now(platform::HostClock::boottime) + offset;
    default:
        auto cpu = TRY(CpuClock::of(task, clock));
        if (!cpu) return err::inval;
        return cpu->now(task.kernel());
    }
}

SyscallResult sys_clock_gettime(Task& task, i32 clock, UserOut<Timespec> out)
{
    TRY(out.copy_out(task, Timekeeper::to_timespec(TRY(read_clock(task, clock)))));
    return 0;
}

SyscallResult sys_clock_getres(Task& task, i32 clock, UserOut<Timespec> out)
{
    TRY(read_clock(task, clock));
    bool coarse = clock == clock_realtime_coarse || clock == clock_monotonic_coarse;
    if (!out.is_null()) TRY(out.copy_out(task, { 0, coarse ? 4'000'000 : 1 }));
    return 0;
}

SyscallResult sys_clock_settime(Task& task, i32 clock, UserIn<Timespec> in)
{
    auto t = TRY(in.copy_in(task));
    if (clock != clock_realtime) return err::inval;
    if (!Timekeeper::is_valid(t)) return err::inval;
    if (!task.credentials().has(Capability::sys_time)) return err::perm;
    // The guest's wall clock is read from the host's without a trap (vDSO): it cannot be set for one instance.
    return err::perm;
}

SyscallResult sys_settimeofday(Task& task, UserIn<Timeval> in, GuestAddr)
{
    if (!in.is_null()) {
        auto t = TRY(in.copy_in(task));
        if (t.usec < 0 || t.usec >= 1'000'000 || t.sec < 0) return err::inval;
    }
    return err::perm;
}

SyscallResult sys_gettimeofday(Task& task, UserOut<Timeval> out, UserOut<Timezone> zone)
{
    auto t = task.kernel().time().realtime_timespec();
    if (!out.is_null()) TRY(out.copy_out(task, { t.sec, t.nsec / 1000 }));
    if (!zone.is_null()) TRY(zone.copy_out(task, {}));
    return 0;
}

SyscallResult sys_time(Task& task, UserOut<i64> out)
{
    i64 t = task.kernel().time().realtime_timespec().sec;
    if (!out.is_null()) TRY(out.copy_out(task, t));
    return t;
}

namespace {

/// Wakes a task at an instant of CPU time.
class CpuAlarm final : public CpuTimer {
public:
    CpuAlarm(Task& task, CpuClock clock)
        : CpuTimer(task.kernel(), clock)
        , task_(task)
    {
    }
    ~CpuAlarm() override = default;
    void cpu_expired() override { wake_task(task_); }

private:
    Task& task_;
};

/// clock_nanosleep(2) on the CPU time of a process, which others have to use up.
SyscallResult sleep_cpu_time(
    Task& task, CpuClock clock, Nanoseconds until, bool absolute, UserOut<Timespec> remaining)
{
    CpuAlarm alarm(task, clock);
    for (;;) {
        Nanoseconds now = TRY(clock.now(task.kernel()));
        if (now >= until) return 0;
        alarm.arm_cpu(until);
        auto slept = sleep_current(kNever, Interruption::allowed);
        if (slept.ok()) continue;
        if (absolute) return err::restart_nohand;
        if (!remaining.is_null())
            TRY(remaining.copy_out(task,
                Timekeeper::to_timespec(std::max<Nanoseconds>(0, until - TRY(clock.now(task.kernel()))))));
        task.restart_block = [=](Task& t) { return sleep_cpu_time(t, clock, until, false, remaining); };
        return err::restart_block;
    }
}

/// Sleeps until `deadline` on CLOCK_MONOTONIC; on a signal leaves what is left in `remaining` and arranges the restart.
SyscallResult sleep_until(Task& task, Nanoseconds deadline, UserOut<Timespec> remaining)
{
    auto& time = task.kernel().time();
    for (;;) {
        if (time.monotonic() >= deadline) return 0;
        auto r = sleep_current(deadline, Interruption::allowed);
        if (r.is_error() && r.error() == err::timedout) return 0;
        if (!r.is_error()) continue;
        if (!remaining.is_null()) {
            Nanoseconds left = std::max<Nanoseconds>(0, deadline - time.monotonic());
            TRY(remaining.copy_out(task, Timekeeper::to_timespec(left)));
        }
        task.restart_block = [deadline, remaining](Task& t) { return sleep_until(t, deadline, remaining); };
        return err::restart_block;
    }
}

} // namespace

SyscallResult sys_nanosleep(Task& task, UserIn<Timespec> in, UserOut<Timespec> remaining)
{
    auto t = TRY(in.copy_in(task));
    if (!Timekeeper::is_valid(t)) return err::inval;
    return sleep_until(
        task, Timekeeper::add(task.kernel().time().monotonic(), Timekeeper::from_timespec(t)), remaining);
}

SyscallResult sys_clock_nanosleep(
    Task& task, i32 clock, u32 flags, UserIn<Timespec> in, UserOut<Timespec> remaining)
{
    if (clock == clock_thread_cputime || clock == clock_monotonic_raw || clock == clock_realtime_coarse
        || clock == clock_monotonic_coarse)
        return err::opnotsupp;
    Nanoseconds now = TRY(read_clock(task, clock));
    auto t = TRY(in.copy_in(task));
    if (!Timekeeper::is_valid(t)) return err::inval;
    auto& time = task.kernel().time();
    Nanoseconds wanted = Timekeeper::from_timespec(t);
    if (auto cpu = TRY(CpuClock::of(task, clock))) {
        // A thread cannot wait for its own time to pass.
        if (cpu->thread == task.tid()) return err::inval;
        bool absolute = flags & timer_abstime;
        return sleep_cpu_time(
            task, *cpu, absolute ? wanted : Timekeeper::add(now, wanted), absolute, remaining);
    }
    if (!(flags & timer_abstime))
        return sleep_until(task, Timekeeper::add(time.monotonic(), wanted), remaining);
    Nanoseconds left = wanted == kNever ? kNever : wanted - now;
    if (left <= 0) return 0;
    Nanoseconds deadline = Timekeeper::add(time.monotonic(), left);
    for (;;) {
        auto r = sleep_current(deadline, Interruption::allowed);
        if (r.ok()) continue;
        if (r.error() == err::timedout) return 0;
        return err::restart_nohand; // an absolute sleep starts again with the same arguments
    }
}

} // namespace umbra
