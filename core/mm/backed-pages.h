// SPDX-License-Identifier: GPL-2.0-or-later
// A page cache over something that can be read at offsets: files of the host, members of an archive. Reads in
// by blocks, because what is needed next is mostly nearby and one read costs as much as copying a block.
#pragma once

#include <functional>

#include "core/mm/memory-object.h"

namespace umbra::mm {

class BackedPages : public PageCache, public TaggedNode<PhysicalMemory> {
public:
    BackedPages(PhysicalMemory& memory, u64 size)
        : PageCache(memory)
    {
        size_ = size;
        memory.backed_caches.push_back(*this);
    }
    Result<Frame> page(u64 index, PageUse use) override;
    /// Drops at most `most` pages that nobody maps or reads now and that are as in the backing; returns how many it
    /// dropped. Only those charged to what `is_wanted(account)` accepts. Never waits.
    u64 drop_clean(u64 most, std::function<bool(u32)> const& is_wanted);

protected:
    /// Reads bytes below size(); what it leaves out stays zero. May wait.
    virtual Result<void> read_backing(u64 offset, std::span<u8> out) = 0;
    /// Whether the page holds what the backing does not have.
    virtual bool is_changed(u64 index) const
    {
        (void)index;
        return false;
    }
    Result<void> fill(u64 index, std::span<u8> page) override;

private:
    Result<void> read_block(u64 first);
};

} // namespace umbra::mm
