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
    for (u64 page = (first + 511) & ~u64 { 511 }; page + 512 <= last;) {
        auto& upper = top_[page >> 27 & 511];
        if (!upper) {
            page = ((page >> 27) + 1) << 27;
            continue;
        }
        auto& middle = upper->middles[page >> 18 & 511];
        if (!middle) {
            page = ((page >> 18) + 1) << 18;
            continue;
        }
        middle->leaves[page >> 9 & 511].reset();
        page += 512;
    }
}

} // namespace umbra::mm
