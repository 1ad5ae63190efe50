// SPDX-License-Identifier: GPL-2.0-or-later
// Walking and growing the software page table.
#include "core/mm/page-table.h"

namespace umbra::mm {

PageTable::Leaf* PageTable::find_leaf(u64 page)
{
    if (page >> 9 == cached_index_) return cached_leaf_;
    auto& upper = top_[page >> 27 & 511];
    if (!upper) return nullptr;
    auto& middle = upper->middles[page >> 18 & 511];
    if (!middle) return nullptr;
    Leaf* leaf = middle->leaves[page >> 9 & 511].get();
    if (leaf) cached_index_ = page >> 9, cached_leaf_ = leaf;
    return leaf;
}

Pte* PageTable::find(u64 page)
{
    Leaf* leaf = find_leaf(page);
    return leaf ? &leaf->entries[page & 511] : nullptr;
}

Pte& PageTable::get(u64 page)
{
    if (Leaf* leaf = find_leaf(page)) return leaf->entries[page & 511];
    auto& upper = top_[page >> 27 & 511];
    if (!upper) upper = std::make_unique<Upper>();
    auto& middle = upper->middles[page >> 18 & 511];
    if (!middle) middle = std::make_unique<Middle>();
    auto& leaf = middle->leaves[page >> 9 & 511];
    if (!leaf) leaf = std::make_unique<Leaf>();
    return leaf->entries[page & 511];
}

void PageTable::prune(u64 first, u64 last)
{
    cached_index_ = ~u64 { 0 };
    cached_leaf_ = nullptr;
    constexpr u64 kUpperPages = u64 { 1 } << 27, kMiddlePages = u64 { 1 } << 18, kLeafPages = 512;
    auto const lies_inside
        = [last](u64 page, u64 pages) { return page % pages == 0 && page + pages <= last; };
    for (u64 page = (first + kLeafPages - 1) & ~(kLeafPages - 1); page + kLeafPages <= last;) {
        auto& upper = top_[page >> 27 & 511];
        if (!upper || lies_inside(page, kUpperPages)) {
            upper.reset();
            page = (page / kUpperPages + 1) * kUpperPages;
            continue;
        }
        auto& middle = upper->middles[page >> 18 & 511];
        if (!middle || lies_inside(page, kMiddlePages)) {
            middle.reset();
            page = (page / kMiddlePages + 1) * kMiddlePages;
            continue;
        }
        middle->leaves[page >> 9 & 511].reset();
        page += kLeafPages;
    }
}

} // namespace umbra::mm
