// SPDX-License-Identifier: GPL-2.0-or-later
// Pages that the guest sees for one instruction at a time, because a debugger watches them (core/task/watchpoints.h).
#include <algorithm>

#include "core/mm/address-space.h"

namespace umbra::mm {

bool AddressSpace::is_watched(u64 page) const
{
    return std::find(watched_.begin(), watched_.end(), page) != watched_.end();
}

bool AddressSpace::is_watched(u64 first, u64 last) const
{
    return std::any_of(
        watched_.begin(), watched_.end(), [&](u64 page) { return page >= first && page < last; });
}

void AddressSpace::watch(u64 page)
{
    SpaceGuard guard(lock);
    watched_.push_back(page);
    hide(page, page + 1);
}

void AddressSpace::unwatch(u64 page)
{
    SpaceGuard guard(lock);
    if (auto at = std::find(watched_.begin(), watched_.end(), page); at != watched_.end()) watched_.erase(at);
}

void AddressSpace::cover(u64 page)
{
    SpaceGuard guard(lock);
    if (is_watched(page)) hide(page, page + 1);
}

} // namespace umbra::mm
