// SPDX-License-Identifier: GPL-2.0-or-later
// Clocks and sleeping: clock_*, gettimeofday, time, nanosleep. Interval timers are in core/syscall/timers.cpp.
#include "core/time/timekeeper.h"

#include "core/abi/process.h"
#include "core/syscall/clocks.h"
#include "core/syscall/syscall.h"
#include "core/task/lifecycle.h"
#include "core/task/process-table.h"
#include "core/task/scheduler.h"

namespace umbra {

using namespace abi;

namespace {

/// CPU-time clocks of another process or thread: ~pid << 3 | per-thread << 2 | kind.
Result<Nanoseconds> cpu_clock(Task& task, i32 clock)
{
    i32 pid = ~(clock >> 3);
    bool per_thread = clock & 4;
    auto& table = task.kernel().processes();
    if (per_thread) {
        Task* t = pid == 0 ? &task : table.find_task(Pid(pid));
        if (!t || &t->process() != &task.process()) return err::inval;
        auto u = task_usage(*t);
        return u.user + u.system;
    }
    Process* p = pid == 0 ? &task.process() : table.find_process(Pid(pid));
    if (!p) return err::inval;
    auto u = process_usage(*p);
    return u.user + u.system;
}

} // namespace

Result<Nanoseconds> read_clock(Task& task, i32 clock)
{
    auto& time = task.kernel().time();
    auto& platform = task.kernel().platform();
    switch (clock) {
    case clock_realtime:
    case clock_realtime_coarse:
    case clock_realtime_alarm:
    case clock_tai: return time.realtime();
    case clock_monotonic:
    case clock_monotonic_coarse: return time.monotonic();
    case clock_monotonic_raw: return platform.now(platform::HostClock::monotonic_raw);
    case clock_boottime:
    case clock_boottime_alarm: return platform.now(platform::HostClock::boottime);
    case clock_process_cputime: {
        auto u = process_usage(task.process());
        return u.user + u.system;
    }
    case clock_thread_cputime: {
        auto u = task_usage(task);
        return u.user + u.system;
    }
    default:
        if (clock < 0 && (clock & 3) != 3) return cpu_clock(task, clock);
        return err::inval;
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
    return sleep_until(task, Timekeeper::add(task.kernel().time().monotonic(), Timekeeper::from_timespec(t)), remaining);
}

SyscallResult sys_clock_nanosleep(Task& task, i32 clock, u32 flags, UserIn<Timespec> in, UserOut<Timespec> remaining)
{
    if (clock == clock_thread_cputime) return err::inval;
    if (clock == clock_monotonic_raw || clock == clock_realtime_coarse || clock == clock_monotonic_coarse)
        return err::opnotsupp;
    Nanoseconds now = TRY(read_clock(task, clock));
    auto t = TRY(in.copy_in(task));
    if (!Timekeeper::is_valid(t)) return err::inval;
    auto& time = task.kernel().time();
    Nanoseconds wanted = Timekeeper::from_timespec(t);
    if (!(flags & timer_abstime)) return sleep_until(task, Timekeeper::add(time.monotonic(), wanted), remaining);
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
