// SPDX-License-Identifier: GPL-2.0-or-later
// Clocks with offsets.
#include "core/time/time-namespace.h"

#include <algorithm>

#include "core/abi/process.h"
#include "core/task/namespaces.h"
#include "core/task/task.h"

namespace umbra {

using namespace abi;

Nanoseconds TimeNamespace::offset_of(i32 clock) const
{
    switch (clock) {
    case clock_monotonic:
    case clock_monotonic_raw:
    case clock_monotonic_coarse:
        return offsets.monotonic;
    case clock_boottime:
    case clock_boottime_alarm:
        return offsets.boottime;
    default:
        return 0;
    }
}

Nanoseconds TimeNamespace::to_kernel(i32 clock, Nanoseconds instant) const
{
    Nanoseconds const offset = offset_of(clock);
    if (offset == 0 || instant == kNever) return instant;
    if (instant <= offset) return 1;
    return Timekeeper::add(instant, -offset);
}

Nanoseconds TimeNamespace::since_boot(Nanoseconds instant) const
{
    return std::max<Nanoseconds>(0, instant + offsets.boottime);
}

u64 TimeNamespace::own_clocks() const
{
    u64 clocks = 0;
    for (i32 clock = 0; clock <= clock_tai; ++clock)
        if (offset_of(clock)) clocks |= 1ull << clock;
    return clocks;
}

TimeNamespace& time_namespace(Task const& task) { return *task.namespaces().time; }

} // namespace umbra
