// SPDX-License-Identifier: GPL-2.0-or-later
// Reading pages in, 64 KiB at a time.
#include "core/mm/backed-pages.h"

#include <algorithm>
#include <bit>

namespace umbra::mm {

namespace {
constexpr unsigned kBlockOrder = 4;
constexpr u64 kBlockPages = u64 { 1 } << kBlockOrder;
} // namespace

Result<Frame> BackedPages::page(u64 index, PageUse use)
{
    u64 first = index & ~(kBlockPages - 1);
    bool whole_block_missing = next_resident(first) >= first + kBlockPages;
    if (whole_block_missing && index << kPageShift < size_) {
        // Out of contiguous memory is no error: the page alone may still fit.
        auto block = read_block(first);
        if (block.is_error() && block.error() != err::nomem) return block.error();
    }
    return PageCache::page(index, use);
}

Result<void> BackedPages::read_block(u64 first)
{
    u64 offset = first << kPageShift;
    u64 length = std::min(size_ - offset, kBlockPages << kPageShift);
    u64 pages = page_up(length) >> kPageShift;
    // A file of a few pages does not take a block.
    auto order = std::min(kBlockOrder, unsigned(std::bit_width(pages - 1)));
    auto frame = TRY(memory_.allocate(order, FrameContent::zeroed, FrameUse::file));
    auto got = read_backing(offset, { memory_.data(frame), length });
    for (u64 i = 0; i < u64 { 1 } << order; ++i) {
        // While this task read, another may have brought pages in, and guests may have them mapped.
        bool wanted = got.ok() && i < pages && pages_.try_emplace(first + i, frame + i).second;
        if (!wanted) memory_.unref(frame + i);
    }
    return got;
}

u64 BackedPages::drop_clean(u64 most, std::function<bool(u32)> const& is_wanted)
{
    u64 dropped = 0;
    for (auto it = pages_.begin(); it != pages_.end() && dropped < most;) {
        auto const [index, frame] = *it;
        // A reference beside the cache's own is a mapping's, or a copy's in progress.
        if (memory_.ref_count(frame) > 1 || is_changed(index) || !is_wanted(memory_.account(frame))) {
            ++it;
            continue;
        }
        memory_.unref(frame);
        it = pages_.erase(it);
        ++dropped;
    }
    return dropped;
}

Result<void> BackedPages::fill(u64 index, std::span<u8> page)
{
    u64 offset = index << kPageShift;
    if (offset >= size_) return {};
    return read_backing(offset, page.first(std::min<u64>(page.size(), size_ - offset)));
}

} // namespace umbra::mm
