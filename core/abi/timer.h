// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for clocks and timers: clock numbers, timer flags, itimerspec (clock_gettime(2),
// timerfd_create(2)).
#pragma once

#include "core/abi/file.h"

namespace umbra::abi {

constexpr i32 clock_realtime = 0, clock_monotonic = 1, clock_process_cputime_id = 2,
              clock_thread_cputime_id = 3;
constexpr i32 clock_monotonic_raw = 4, clock_realtime_coarse = 5, clock_monotonic_coarse = 6,
              clock_boottime = 7;
constexpr i32 clock_realtime_alarm = 8, clock_boottime_alarm = 9, clock_tai = 11;

constexpr u32 timer_abstime = 1;
constexpr u32 tfd_timer_abstime = 1, tfd_timer_cancel_on_set = 2;

struct Itimerspec {
    Timespec interval, value;
};
static_assert(sizeof(Itimerspec) == 32);

} // namespace umbra::abi
