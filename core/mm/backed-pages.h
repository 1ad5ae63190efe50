// SPDX-License-Identifier: GPL-2.0-or-later
// A page cache over something that can be read at offsets: files of the host, members of an archive. Reads in
// by blocks, because what is needed next is mostly nearby and one read costs as much as copying a block.
#pragma once

#include "core/mm/memory-object.h"

namespace umbra::mm {

class BackedPages : public PageCache {
public:
    BackedPages(PhysicalMemory& memory, u64 size)
        : PageCache(memory)
    {
        size_ = size;
    }
    Result<Frame> page(u64 index, PageUse use) override;

protected:
    /// Reads bytes below size(); what it leaves out stays zero. May wait.
    virtual Result<void> read_backing(u64 offset, std::span<u8> out) = 0;
    Result<void> fill(u64 index, std::span<u8> page) override;

private:
    Result<void> read_block(u64 first);
};

} // namespace umbra::mm
