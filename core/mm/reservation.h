// SPDX-License-Identifier: GPL-2.0-or-later
// Homes for pages to come. Where the platform pages in place, the first fault in an untouched block of an address
// space sets frames for all of it aside and maps the block in one piece (platform::InPlacePaging::prepare). Later
// faults in the block then need no mapping: they claim the home frames of their pages and fill them in. In the manner
// of FreeBSD's superpage reservations, with mappings in the place of superpages.
//
// A page is at home as long as nothing hid it: what was unmapped from the stub, or mapped over and then unmapped, comes
// back by ordinary mappings. Guarded by AddressSpace::lock.
#pragma once

#include <bitset>
#include <map>

#include "core/mm/frame.h"

namespace umbra::mm {

struct Reservation {
    u64 first = 0, count = 0; ///< pages
    Frame base;
    std::bitset<u64 { 1 } << kMaxOrder> unclaimed; ///< frames that are still set aside
    std::bitset<u64 { 1 } << kMaxOrder>
        mapped; ///< pages where the stub maps the home, unless something is over it

    u64 end() const { return first + count; }
    Frame home(u64 page) const { return base + (page - first); }
    bool is_mapped(u64 page) const { return mapped[page - first]; }
    /// Whether all of [from, to) lies in the block and can be claimed and filled in.
    bool can_claim(u64 from, u64 to) const;
};

class ReservationTable {
public:
    Reservation* find(u64 page); ///< or null
    bool overlaps(u64 first, u64 last) const;
    /// `base`: 2^n reserved frames, mapped at `first`, where nothing overlaps.
    Reservation& add(u64 first, u64 count, Frame base);
    /// Nothing in [first, last) is at home any more. Returns whether the stub still maps homes there.
    bool retire(PhysicalMemory& memory, u64 first, u64 last);
    void clear(PhysicalMemory& memory);

private:
    std::map<u64, Reservation> blocks_; ///< by their end
};

} // namespace umbra::mm
