// SPDX-License-Identifier: GPL-2.0-or-later
// The host's clocks in nanoseconds. Read through the host's vDSO: no call waits or enters the host kernel.
#pragma once

#include "core/base/types.h"

struct timespec;

namespace umbra::hostabi {

/// `clock` is a CLOCK_* constant that the host has; another one panics.
Nanoseconds clock_now(int clock);
Nanoseconds clock_resolution(int clock);
/// What the process has used of CPUs, all its threads together; 0: it is gone.
Nanoseconds process_cpu_time(i32 pid);
/// CLOCK_MONOTONIC: the clock of every deadline.
Nanoseconds monotonic_now();

struct timespec to_timespec(Nanoseconds t);
Nanoseconds from_timespec(struct timespec const& t);

} // namespace umbra::hostabi
