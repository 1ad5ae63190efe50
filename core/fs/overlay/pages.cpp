// SPDX-License-Identifier: GPL-2.0-or-later
// The bytes of a regular overlay file: the lower file's until the first change, then page by page our own. A
// write of one byte to a large file copies one page.
#include "core/fs/overlay/overlay-inode.h"

#include <algorithm>
#include <cstring>

namespace umbra::fs {

using mm::Frame;
using mm::PageUse;

namespace {
constexpr u64 kMaxRun = 64; ///< pages
}

OverlayPages::OverlayPages(mm::PhysicalMemory& memory, OverlayRegular& file, vfs::Inode* lower, u64 size)
    : PageCache(memory)
    , file_(&file)
    , lower_inode_(lower)
    , lower_pages_(lower ? page_up(size) >> kPageShift : 0)
    , diverged_(!lower)
{
    size_ = size;
}

Result<Frame> OverlayPages::page(u64 index, PageUse use)
{
    if (!diverged_) {
        auto* object = lower_inode_->memory_object();
        if (use == PageUse::read && object) return object->page(index, use);
        diverge();
    }
    return PageCache::page(index, use);
}

Frame OverlayPages::resident_page(u64 index)
{
    if (diverged_) return PageCache::resident_page(index);
    auto* object = lower_inode_->memory_object();
    return object ? object->resident_page(index) : Frame();
}

platform::HostHandle OverlayPages::host_handle() const
{
    if (diverged_) return platform::kNoHandle;
    auto* object = lower_inode_->memory_object();
    return object ? object->host_handle() : platform::kNoHandle;
}

void OverlayPages::diverge()
{
    if (diverged_) return;
    // First, so that whoever faults while this task waits below gets the overlay's own page.
    diverged_ = true;
    if (file_) file_->keep();
    unmap_everywhere(0, lower_pages_, false);
}

bool OverlayPages::is_lower(u64 index) const { return index < lower_pages_ && !punched_.contains(index); }

Result<void> OverlayPages::fill(u64 index, std::span<u8> page)
{
    if (!is_lower(index)) return {};
    if (auto file = lower_file_) {
        auto buffer = IoBuffer::kernel(page);
        TRY(file->read(buffer, index << kPageShift));
        return {};
    }
    auto* object = lower_inode_->memory_object();
    if (!object) return err::io;
    Frame frame = TRY(object->page(index, PageUse::read));
    std::memcpy(page.data(), memory_.data(frame), page.size());
    return {};
}

/// What the bytes at page `index` come from, and the first page that differs.
OverlayPages::Run OverlayPages::run_at(u64 index) const
{
    u64 own = next_resident(index);
    if (own == index) {
        // Bounded, because the caller may want a few bytes only.
        while (own < index + kMaxRun && next_resident(own + 1) == own + 1)
            ++own;
        return { Source::own, own + 1 };
    }
    if (is_lower(index)) {
        auto hole = punched_.lower_bound(index);
        return { Source::lower, std::min({ own, lower_pages_, hole == punched_.end() ? own : *hole }) };
    }
    return { Source::hole, index < lower_pages_ ? index + 1 : own };
}

Result<u64> OverlayPages::read_bytes(IoBuffer& out, u64 offset)
{
    auto lower_file = lower_file_; // a truncation during a wait drops the member
    if (!diverged_ && lower_file) return lower_file->read(out, offset);
    bool dense = lower_pages_ == 0 && resident_pages() == page_up(size_) >> kPageShift;
    if (!diverged_ || dense) return read(out, offset);
    u64 moved = 0;
    while (out.remaining() && offset < size_) {
        auto [source, end] = run_at(offset >> kPageShift);
        u64 limit = (end < page_up(size_) >> kPageShift ? end << kPageShift : size_) - offset;
        u64 hidden = out.hide_beyond(limit);
        auto got = source == Source::hole           ? out.put_zeros(limit)
            : source == Source::lower && lower_file ? lower_file->read(out, offset)
                                                    : read(out, offset);
        out.reveal(hidden);
        if (got.is_error()) return moved ? Result<u64>(moved) : got;
        moved += got.value();
        offset += got.value();
        if (got.value() < limit) break;
    }
    return moved;
}

/// Makes the page that `offset` cuts in two our own, so that a part of it can be zeroed.
Result<void> OverlayPages::own_partial_page(u64 offset)
{
    u64 index = offset >> kPageShift;
    if ((offset & kPageMask) == 0 || !is_lower(index)) return {};
    TRY(PageCache::page(index, PageUse::write));
    return {};
}

Result<void> OverlayPages::set_size(u64 size)
{
    diverge();
    if (size < size_) {
        TRY(own_partial_page(size));
        lower_pages_ = std::min(lower_pages_, page_up(size) >> kPageShift);
        punched_.erase(punched_.lower_bound(lower_pages_), punched_.end());
        if (lower_pages_ == 0) lower_file_ = nullptr;
    }
    resize(size);
    return {};
}

Result<void> OverlayPages::punch_hole(u64 offset, u64 length)
{
    diverge();
    u64 end = std::min(offset + length, page_up(size_));
    if (offset >= end) return {};
    TRY(own_partial_page(offset));
    TRY(own_partial_page(end));
    for (u64 i = page_up(offset) >> kPageShift; i < std::min(end >> kPageShift, lower_pages_); ++i)
        punched_.insert(i);
    punch(offset, end - offset);
    return {};
}

u64 OverlayPages::next_data(u64 offset) const
{
    u64 index = offset >> kPageShift;
    while (index < lower_pages_ && !is_lower(index) && next_resident(index) != index)
        ++index;
    if (!is_lower(index)) index = next_resident(index);
    if (index >= page_up(size_) >> kPageShift) return size_;
    return std::min(size_, std::max(offset, index << kPageShift));
}

u64 OverlayPages::next_hole(u64 offset) const
{
    u64 index = offset >> kPageShift;
    while (index << kPageShift < size_ && (is_lower(index) || next_resident(index) == index))
        ++index;
    return std::min(size_, std::max(offset, index << kPageShift));
}

u64 OverlayPages::pages_in_use() const
{
    auto own_over_lower = u64(std::distance(pages_.begin(), pages_.lower_bound(lower_pages_)));
    u64 lower = lower_pages_ - punched_.size();
    return resident_pages() - own_over_lower + std::max(own_over_lower, lower);
}

} // namespace umbra::fs
