// SPDX-License-Identifier: GPL-2.0-or-later
// mseal(2): areas that stay as they are until exec or exit.
#include <iterator>

#include "core/abi/mman.h"
#include "core/mm/address-space.h"

namespace umbra::mm {

Result<void> AddressSpace::seal(u64 address, u64 length)
{
    u64 const end = address + page_up(length);
    if ((address & kPageMask) || (length && !page_up(length)) || end < address) return err::inval;
    if (end == address) return {};
    SpaceGuard guard(lock);
    for (u64 at = address; at < end;) {
        Vma const* vma = find(at);
        if (!vma) return err::nomem;
        at = vma->end;
    }
    TRY(split_ends(address, end, [](Vma const& vma) { return !vma.sealed; }));
    for (auto it = areas_.lower_bound(address); it != areas_.end() && it->second->start < end; ++it)
        it->second->sealed = true;
    return {};
}

Result<void> AddressSpace::check_unsealed(u64 start, u64 end) const
{
    auto it = areas_.upper_bound(start);
    if (it != areas_.begin() && std::prev(it)->second->end > start) --it;
    for (; it != areas_.end() && it->first < end; ++it)
        if (it->second->sealed) return err::perm;
    return {};
}

bool is_sealed_against(Vma const& vma, i32 advice)
{
    using namespace abi;
    bool const discards = advice == madv_free || advice == madv_dontneed || advice == madv_dontneed_locked
        || advice == madv_remove || advice == madv_dontfork || advice == madv_wipeonfork;
    // What could be written anyway may be discarded too.
    return discards && vma.sealed && !vma.object && !vma.shared && !(vma.prot & prot_write);
}

} // namespace umbra::mm
