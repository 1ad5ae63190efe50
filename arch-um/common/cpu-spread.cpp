// SPDX-License-Identifier: GPL-2.0-or-later
// See cpu-spread.h.
#include "arch-um/common/cpu-spread.h"

namespace umbra::um {

CpuSpread::CpuSpread(unsigned vcpu_count)
    : count_(vcpu_count)
    , places_(std::make_unique<Place[]>(vcpu_count))
{
}

bool CpuSpread::is_busy_on(Place const& place, Nanoseconds now, unsigned& cpu) const
{
    cpu = place.cpu.load(std::memory_order_relaxed);
    return now - place.seen.load(std::memory_order_relaxed) < kFresh;
}

bool CpuSpread::should_move(unsigned index, unsigned cpu, Nanoseconds now)
{
    Place& own = places_[index];
    own.cpu.store(cpu, std::memory_order_relaxed);
    own.seen.store(now, std::memory_order_relaxed);
    if (now - own.moved < kBetweenMoves) return false;
    for (unsigned other = 0; other < index; ++other) {
        unsigned where;
        if (!is_busy_on(places_[other], now, where) || where != cpu) continue;
        own.moved = now;
        return true;
    }
    return false;
}

bool CpuSpread::is_crowded(unsigned index, Nanoseconds now) const
{
    unsigned where;
    for (unsigned other = 0; other < count_; ++other)
        if (other != index && is_busy_on(places_[other], now, where)) return true;
    return false;
}

cpu_set_t CpuSpread::free_of(cpu_set_t cpus, unsigned index, Nanoseconds now) const
{
    for (unsigned other = 0; other < count_; ++other) {
        unsigned where;
        if (other != index && is_busy_on(places_[other], now, where) && where < CPU_SETSIZE)
            CPU_CLR(where, &cpus);
    }
    return cpus;
}

} // namespace umbra::um
