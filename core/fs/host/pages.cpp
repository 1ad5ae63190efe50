// SPDX-License-Identifier: GPL-2.0-or-later
// Pages of regular host files.
#include <algorithm>
#include <cstring>

#include "core/fs/host/host-inode.h"
#include "core/kernel.h"

namespace umbra::fs {

HostPages::HostPages(mm::PhysicalMemory& memory, HostRegular& file)
    : BackedPages(memory, file.attributes().size)
    , file_(&file)
{
}

platform::HostHandle HostPages::host_handle() const
{
    return file_ && !shared_for_writing_ ? file_->mappable_handle() : platform::kNoHandle;
}

void HostPages::share_for_writing()
{
    if (shared_for_writing_) return;
    shared_for_writing_ = true;
    unmap_everywhere(0, page_up(size_) >> kPageShift, false);
}

Result<void> HostPages::read_backing(u64 offset, std::span<u8> out)
{
    if (!file_) return err::io;
    Ref<HostRegular> keep(*file_);
    auto file = TRY(keep->handle());
    TRY(file->read(out, offset));
    return {};
}

void HostPages::dirtied(u64 index)
{
    dirty_.insert(index);
    if (file_) file_->host_fs().add_dirty(*file_);
}

/// The pages stay dirty while guests may map them for writing: nothing tells when they change again.
Result<void> HostPages::write_back()
{
    if (!file_) return {};
    Ref<HostRegular> keep(*file_);
    auto file = TRY(keep->handle());
    auto indexes = dirty_; // it may grow during the waits
    for (u64 index : indexes) {
        auto frame = resident_page(index);
        u64 offset = index << kPageShift;
        if (frame.is_null() || offset >= size_) continue;
        memory_.ref(frame); // against a truncation during the wait
        auto written = file->write({ memory_.data(frame), std::min(kPageSize, size_ - offset) }, offset);
        memory_.unref(frame);
        if (written.is_error()) return written.error();
    }
    if (mappings.is_empty()) {
        dirty_.clear();
        keep->host_fs().remove_dirty(*keep);
    }
    keep->mark_stale();
    return {};
}

void HostPages::wrote(u64 offset, std::span<u8 const> bytes)
{
    size_ = std::max(size_, offset + bytes.size());
    u64 end = offset + bytes.size();
    for (u64 index = next_resident(offset >> kPageShift); index << kPageShift < end && index != ~u64 { 0 };
         index = next_resident(index + 1)) {
        u64 from = std::max(offset, index << kPageShift), to = std::min(end, (index + 1) << kPageShift);
        std::memcpy(memory_.data(resident_page(index)) + (from & kPageMask), bytes.data() + (from - offset),
            to - from);
    }
}

void HostPages::host_changed(u64 size)
{
    if (size < size_) {
        resize(size);
        dirty_.erase(dirty_.lower_bound(page_up(size) >> kPageShift), dirty_.end());
    }
    size_ = size;
    std::vector<u64> clean;
    for (auto const& [index, frame] : pages_)
        if (!dirty_.contains(index)) clean.push_back(index);
    for (u64 index : clean) {
        unmap_everywhere(index, 1, false);
        auto it = pages_.find(index);
        if (it == pages_.end()) continue;
        memory_.unref(it->second);
        pages_.erase(it);
    }
}

} // namespace umbra::fs
