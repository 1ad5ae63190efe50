// SPDX-License-Identifier: GPL-2.0-or-later
// Pages of files: looked up, filled, read, written, cut. Sequential growth takes contiguous blocks of frames, so that a
// mapping of the file needs few host mappings.
#include <algorithm>
#include <cstring>

#include "core/mm/address-space.h"
#include "core/mm/memory-object.h"
#include "core/mm/user.h"
#include "core/sync/wait-queue.h"
#include "core/task/task.h"

namespace umbra::mm {

namespace {
constexpr u64 kBlockPages = 16;
constexpr u64 kMostAtOnce = 64; ///< pages that are copied as one
/// After so many pages, or pieces of up to 64 of them, others get a chance: about a millisecond.
constexpr u64 kStridePages = 1024, kStridePieces = 64;
} // namespace

void MemoryObject::unmap_everywhere(u64 first, u64 count, bool even_private)
{
    // A wait inside may change the list: collect the address spaces first, then look the areas up again in each.
    std::vector<Ref<AddressSpace>> spaces;
    for (Vma& vma : mappings) {
        bool known = false;
        for (auto& s : spaces)
            known = known || s.get() == vma.space;
        if (!known && vma.space->ref_count() > 0) spaces.push_back(Ref<AddressSpace>(*vma.space));
    }
    for (auto& space : spaces) {
        bool held = space->lock.is_held_by_current();
        if (!held) space->lock.lock();
        std::vector<Vma*> areas;
        for (auto const& [start, vma] : space->areas())
            if (vma->object.get() == this) areas.push_back(vma.get());
        for (Vma* vma : areas)
            space->forget_object_pages(*vma, first, count, even_private);
        if (!held) space->lock.unlock();
    }
}

PageCache::~PageCache()
{
    for (auto& [index, frame] : pages_)
        memory_.unref(frame);
}

Result<void> PageCache::fill(u64, std::span<u8>) { return {}; }

Frame PageCache::resident_page(u64 index)
{
    auto it = pages_.find(index);
    return it == pages_.end() ? Frame() : it->second;
}

Result<Frame> PageCache::page(u64 index, PageUse use)
{
    if (index << kPageShift >= page_up(size_)) return err::nxio;
    if (auto it = pages_.find(index); it != pages_.end()) {
        if (use == PageUse::write) dirtied(index);
        return it->second;
    }
    u64 block = index & ~(kBlockPages - 1);
    bool sequential = index >= kBlockPages && pages_.count(index - 1) && index == block;
    u64 count = sequential && (block + kBlockPages) << kPageShift <= page_up(size_) ? kBlockPages : 1;
    if (count > 1 && next_resident(block) < block + kBlockPages) count = 1;
    for (u64 i = 0; i < count; ++i) {
        if (auto r = reserve_page(); r.is_error()) {
            release_pages(i);
            if (i == 0) return r.error();
            count = 1;
            TRY(reserve_page());
            break;
        }
    }
    FrameUse const frame_use = has_backing() ? FrameUse::file : FrameUse::shared_memory;
    auto got = memory_.allocate(count > 1 ? 4 : 0, FrameContent::zeroed, frame_use);
    if (got.is_error() && count > 1) {
        release_pages(count - 1);
        count = 1;
        got = memory_.allocate(0, FrameContent::zeroed, frame_use);
    }
    if (got.is_error()) {
        release_pages(count);
        return got.error();
    }
    Frame frame = got.value();
    u64 first = count > 1 ? block : index;
    for (u64 i = 0; i < count; ++i) {
        auto filled = fill(first + i, { memory_.data(frame + i), kPageSize });
        // fill() may have waited: somebody else may have brought the page in meanwhile.
        // Or have cut the file off before it.
        bool there = pages_.count(first + i) != 0 || (first + i) << kPageShift >= page_up(size_);
        if (filled.is_error() || there) {
            memory_.unref(frame + i);
            release_pages(1);
            if (filled.is_error() && first + i == index) {
                for (u64 j = i + 1; j < count; ++j)
                    memory_.unref(frame + j);
                release_pages(count - i - 1);
                return filled.error();
            }
            continue;
        }
        pages_[first + i] = frame + i;
    }
    auto it = pages_.find(index);
    if (it == pages_.end()) {
        // While fill() waited, the file was cut off before it, or somebody needed the frame more (drop_clean()).
        bool const is_beyond = index << kPageShift >= page_up(size_);
        return is_beyond ? Result<Frame>(err::nxio) : page(index, use);
    }
    if (use == PageUse::write) dirtied(index);
    return it->second;
}

u64 PageCache::next_resident(u64 index) const
{
    auto it = pages_.lower_bound(index);
    return it == pages_.end() ? ~u64 { 0 } : it->first;
}

void PageCache::resize(u64 size)
{
    u64 old = size_;
    size_ = size;
    if (size >= old) return;
    punch(size, page_up(old) - size);
}

/// Nobody maps the page, and nothing was written to it.
bool PageCache::is_unused(Frame frame) const
{
    static constexpr u8 kZeros[kPageSize] = {};
    return memory_.ref_count(frame) == 1 && !std::memcmp(memory_.data(frame), kZeros, kPageSize);
}

Result<void> PageCache::populate(u64 offset, u64 length)
{
    u64 first = offset >> kPageShift, last = page_up(offset + length) >> kPageShift;
    if (last - first > memory_.free() + resident_pages()) return err::nospc;
    std::vector<u64> added;
    for (u64 index = first; index < last; ++index) {
        bool const pause = (index - first) % kStridePages == kStridePages - 1;
        if (pause) give_way();
        if (!is_hole(index)) continue;
        auto frame = pause && current().is_dying() ? Result<Frame>(err::intr) : page(index, PageUse::write);
        if (frame.ok()) {
            added.push_back(index);
            continue;
        }
        // Linux takes back what a failed fallocate has added, unless somebody has used it meanwhile.
        for (u64 i : added)
            if (Frame added_frame = resident_page(i); !added_frame.is_null() && is_unused(added_frame))
                punch(i << kPageShift, kPageSize);
        return frame.error() == err::nomem ? err::nospc : frame.error();
    }
    return {};
}

void PageCache::punch(u64 offset, u64 length)
{
    u64 end = offset + length;
    u64 first = page_up(offset) >> kPageShift, last = end >> kPageShift;
    auto zero_part = [&](u64 from, u64 to) {
        Frame frame = from < to ? resident_page(from >> kPageShift) : Frame();
        if (frame.is_null()) return;
        std::memset(memory_.data(frame) + (from & kPageMask), 0, to - from);
        dirtied(from >> kPageShift);
    };
    zero_part(offset, std::min(end, page_up(offset)));
    if (first <= last) zero_part(std::max(page_down(end), offset), end);
    if (first >= last) return;
    unmap_everywhere(first, last - first, true);
    u64 released = 0;
    for (auto it = pages_.lower_bound(first); it != pages_.end() && it->first < last; ++released) {
        memory_.unref(it->second);
        it = pages_.erase(it);
    }
    release_pages(released);
}

/// How many pages from `index` on, whose first has the frame, have frames that follow each other. At least 1.
u64 PageCache::run_at(u64 index, Frame frame, u64 most) const
{
    auto it = pages_.find(index);
    u64 count = 0;
    while (count < most && it != pages_.end() && it->first == index + count && it->second == frame + count)
        ++it, ++count;
    return std::max<u64>(count, 1); // an overlay's page may be the lower file's
}

/// The bytes from `offset` on, at most `count`, that lie together in memory: all of them are moved, or the buffer takes no more.
Result<PageCache::Piece> PageCache::read_piece(IoBuffer& out, u64 offset, u64 count)
{
    u64 const index = offset >> kPageShift, within = offset & kPageMask;
    if (!has_backing() && resident_page(index).is_null()) {
        count = std::min(count, kPageSize - within);
        return Piece { count, TRY(out.put_zeros(count)) };
    }
    Frame const frame = TRY(page(index, PageUse::read));
    u64 const pages = run_at(index, frame, std::min(page_up(within + count) >> kPageShift, kMostAtOnce));
    count = std::min(count, (pages << kPageShift) - within);
    // The copy may wait while pages are cut off the file.
    for (u64 i = 0; i < pages; ++i)
        memory_.ref(frame + i);
    auto copied = out.put(memory_.data(frame) + within, count);
    for (u64 i = 0; i < pages; ++i)
        memory_.unref(frame + i);
    return Piece { count, TRY(std::move(copied)) };
}

Result<u64> PageCache::read(IoBuffer& out, u64 offset)
{
    u64 done = 0;
    for (u64 pieces = 1; out.remaining() && offset < size_; ++pieces) {
        if (pieces % kStridePieces == 0) give_way();
        auto const piece = read_piece(out, offset, std::min(size_ - offset, out.remaining()));
        if (piece.is_error()) {
            if (piece.error() == err::nxio || done) break;
            return piece.error();
        }
        auto const [wanted, moved] = piece.value();
        done += moved;
        offset += moved;
        if (moved < wanted) break;
    }
    return done;
}

Result<u64> PageCache::write(IoBuffer& in, u64 offset)
{
    u64 done = 0;
    for (u64 pieces = 1; in.remaining(); ++pieces) {
        if (pieces % kStridePages == 0) give_way();
        u64 within = offset & kPageMask;
        u64 n = std::min(kPageSize - within, in.remaining());
        u64 old_size = size_;
        size_ = std::max(size_, offset + n);
        auto frame = page(offset >> kPageShift, PageUse::write);
        if (frame.is_error()) {
            size_ = old_size;
            if (done) break;
            return frame.error();
        }
        memory_.ref(frame.value());
        auto copied = in.take(memory_.data(frame.value()) + within, n);
        memory_.unref(frame.value());
        u64 count = copied.ok() ? copied.value() : 0;
        if (count < n) size_ = std::max(old_size, offset + count);
        if (copied.is_error()) {
            if (done) break;
            return copied.error();
        }
        done += count;
        offset += count;
        if (count < n) break;
    }
    return done;
}

} // namespace umbra::mm
