// SPDX-License-Identifier: GPL-2.0-or-later
// The host's clocks, read through libc because libc knows the way to the vDSO.
#include "hostabi/clock.h"

#include <ctime>

#include "core/base/panic.h"

namespace umbra::hostabi {

struct timespec to_timespec(Nanoseconds t)
{
    return { .tv_sec = t / kNanosecondsPerSecond, .tv_nsec = t % kNanosecondsPerSecond };
}

Nanoseconds from_timespec(struct timespec const& t) { return t.tv_sec * kNanosecondsPerSecond + t.tv_nsec; }

Nanoseconds clock_now(int clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) != 0) [[unlikely]]
        panic("hostabi: the host has no clock %d", clock);
    return from_timespec(t);
}

Nanoseconds clock_resolution(int clock)
{
    struct timespec t;
    if (clock_getres(clock, &t) != 0) panic("hostabi: the host has no clock %d", clock);
    return from_timespec(t);
}

Nanoseconds process_cpu_time(i32 pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0) return 0;
    return from_timespec(t);
}

Nanoseconds monotonic_now() { return clock_now(CLOCK_MONOTONIC); }

} // namespace umbra::hostabi
