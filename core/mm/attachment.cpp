// SPDX-License-Identifier: GPL-2.0-or-later
// shmdt(2): which areas an attachment at an address has left.
#include "core/mm/address-space.h"

namespace umbra::mm {

Result<void> AddressSpace::detach(u64 address)
{
    SpaceGuard guard(lock);
    // Parts of the attachment may have been unmapped, moved away or protected otherwise: what is left at its own
    // distance from `address` belongs to it.
    auto belongs = [&](Vma const& vma) {
        return vma.attachment && (vma.start - address) >> kPageShift == vma.object_page;
    };
    auto it = areas_.lower_bound(address);
    while (it != areas_.end() && !belongs(*it->second))
        ++it;
    if (it == areas_.end()) return err::inval;
    Ref<MemoryObject> object = *it->second->object;
    u64 const end = address + page_up(object->size());
    while (it != areas_.end() && it->second->start < end) {
        Vma const& vma = *it->second;
        u64 const from = vma.start, to = vma.end;
        if (vma.object.get() == object.get() && belongs(vma)) TRY(unmap_locked(from, to));
        it = areas_.lower_bound(to);
    }
    return {};
}

} // namespace umbra::mm
