// SPDX-License-Identifier: GPL-2.0-or-later
// mremap(2): areas that grow, shrink and move.
#include "core/mm/address-space.h"

#include <algorithm>

#include "core/abi/mman.h"
#include "core/kernel.h"

namespace umbra::mm {

using namespace abi;

Result<GuestAddr> AddressSpace::move_pages(
    Vma& vma, u64 old_start, u64 old_length, u64 new_length, u64 new_start, u32 flags)
{
    auto moved = vma.copy();
    moved->start = new_start, moved->end = new_start + new_length;
    moved->object_page = vma.object_page + ((old_start - vma.start) >> kPageShift);
    insert(std::move(moved));
    u64 first = old_start >> kPageShift, target = new_start >> kPageShift;
    u64 count = std::min(old_length, new_length) >> kPageShift;
    hide(first, first + (old_length >> kPageShift));
    std::vector<std::pair<u64, Pte>> entries;
    pages_.for_each(first, first + count, [&](u64 page, Pte& e) {
        entries.push_back({ page, e });
        e.bits = 0;
    });
    for (auto& [page, e] : entries)
        pages_.get(target + (page - first)) = e;
    if (!(flags & mremap_dontunmap)) TRY(unmap_locked(old_start, old_start + old_length));
    // What was cut out of an area and comes back is one with it again: the next call may span both.
    try_merge(new_start + new_length);
    try_merge(new_start);
    return GuestAddr(new_start);
}

Result<GuestAddr> AddressSpace::remap(u64 address, u64 old_length, u64 new_length, u32 flags, u64 new_address)
{
    if (flags & ~(mremap_maymove | mremap_fixed | mremap_dontunmap)) return err::inval;
    if ((flags & (mremap_fixed | mremap_dontunmap)) && !(flags & mremap_maymove)) return err::inval;
    if ((flags & mremap_dontunmap) && page_up(old_length) != page_up(new_length)) return err::inval;
    if (address & kPageMask) return err::inval;
    old_length = page_up(old_length);
    new_length = page_up(new_length);
    if (new_length == 0) return err::inval;
    u64 task_size = kernel_.platform().machine().task_size;
    if (new_length > task_size) return err::nomem;
    SpaceGuard guard(lock);
    Vma* vma = find(address);
    if (!vma) return err::fault;
    if (flags & mremap_fixed) {
        if (new_address & kPageMask || new_address > task_size - new_length) return err::inval;
        if (address < new_address + new_length && new_address < address + old_length) return err::inval;
    }
    TRY(check_unsealed(address, address + std::max(old_length, kPageSize)));
    restore_calls(address, address + old_length);
    bool const stays_if_it_can = !(flags & (mremap_fixed | mremap_dontunmap));
    if (flags & mremap_fixed) TRY(unmap_locked(new_address, new_address + new_length));
    if (old_length && new_length <= old_length) {
        // What is cut off may be of several areas, or of none.
        if (new_length < old_length) TRY(unmap_locked(address + new_length, address + old_length));
        if (stays_if_it_can) return GuestAddr(address);
        old_length = new_length;
    }
    vma = find(address);
    if (old_length == 0 && !vma->shared) return err::inval; // shared: a second view of it
    if (vma->end - address < old_length) return err::fault;
    if (stays_if_it_can) {
        u64 grow = new_length - old_length;
        TRY(check_limits(grow >> kPageShift, vma->prot, vma->shared, false));
        if (old_length && vma->end == address + old_length && is_free(vma->end, vma->end + grow)
            && vma->end + grow <= task_size) {
            vma->end += grow;
            total_pages_ += grow >> kPageShift;
            try_merge(vma->end);
            return GuestAddr(address);
        }
        if (!(flags & mremap_maymove)) return err::nomem;
    }
    if (!(flags & mremap_fixed)) {
        MapRequest place { .address = new_address, .length = new_length };
        new_address = TRY(choose_address(place));
    }
    if (old_length == 0) {
        auto view = vma->copy();
        view->start = new_address, view->end = new_address + new_length;
        view->object_page = vma->object_page + ((address - vma->start) >> kPageShift);
        insert(std::move(view));
        return GuestAddr(new_address);
    }
    return move_pages(*vma, address, old_length, new_length, new_address, flags);
}

} // namespace umbra::mm
