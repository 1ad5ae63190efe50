// SPDX-License-Identifier: GPL-2.0-or-later
// See reservation.h.
#include "core/mm/reservation.h"

#include <algorithm>

namespace umbra::mm {

bool Reservation::can_claim(u64 from, u64 to) const
{
    if (from < first || to > end()) return false;
    for (u64 i = from - first; i < to - first; ++i)
        if (!unclaimed[i] || !mapped[i]) return false;
    return true;
}

Reservation* ReservationTable::find(u64 page)
{
    auto it = blocks_.upper_bound(page);
    return it != blocks_.end() && it->second.first <= page ? &it->second : nullptr;
}

bool ReservationTable::overlaps(u64 first, u64 last) const
{
    auto it = blocks_.upper_bound(first);
    return it != blocks_.end() && it->second.first < last;
}

Reservation& ReservationTable::add(u64 first, u64 count, Frame base)
{
    Reservation& r = blocks_[first + count];
    r.first = first, r.count = count, r.base = base;
    for (u64 i = 0; i < count; ++i)
        r.unclaimed.set(i), r.mapped.set(i);
    return r;
}

namespace {
/// Gives back what is unclaimed of [from, to), frames counted from the block's first.
void give_back(PhysicalMemory& memory, Reservation& r, u64 from, u64 to)
{
    for (u64 i = from; i < to;) {
        u64 run = i;
        while (run < to && r.unclaimed[run])
            r.unclaimed.reset(run++);
        if (run > i) memory.unreserve(r.base + i, run - i);
        i = std::max(run, i + 1);
    }
}
} // namespace

bool ReservationTable::retire(PhysicalMemory& memory, u64 first, u64 last)
{
    bool was_mapped = false;
    for (auto it = blocks_.upper_bound(first); it != blocks_.end() && it->second.first < last;) {
        Reservation& r = it->second;
        u64 from = std::max(first, r.first) - r.first, to = std::min(last, r.end()) - r.first;
        give_back(memory, r, from, to);
        for (u64 i = from; i < to; ++i) {
            was_mapped |= r.mapped[i];
            r.mapped.reset(i);
        }
        it = r.mapped.none() ? blocks_.erase(it) : std::next(it);
    }
    return was_mapped;
}

void ReservationTable::clear(PhysicalMemory& memory)
{
    for (auto& [end, r] : blocks_)
        give_back(memory, r, 0, r.count);
    blocks_.clear();
}

} // namespace umbra::mm
