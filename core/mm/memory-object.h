// SPDX-License-Identifier: GPL-2.0-or-later
// What can be mapped into a guest: a sequence of pages with an owner. tmpfs files, memfds and shared anonymous memory
// keep their bytes here (a PageCache without backing); host files are read in through a PageCache with backing.
#pragma once

#include <map>
#include <span>

#include "core/base/error.h"
#include "core/base/list.h"
#include "core/base/ref.h"
#include "core/base/types.h"
#include "core/mm/frame.h"
#include "core/platform/platform.h"

namespace umbra {
class IoBuffer;
}

namespace umbra::mm {

class Vma;

enum class PageUse : u8 { read, write };

/// Pages that VMAs can map. Index i covers bytes [i*4096, (i+1)*4096) of the object.
class MemoryObject : public RefCounted {
public:
    /// The frame of page `index`, filled; `write` marks it dirty. May wait. The caller gets no reference: it maps the
    /// frame or copies before it waits again, or takes a reference itself. ENOSPC, ENOMEM, EIO.
    /// A page wholly beyond the end of the object is err::nxio (the guest gets SIGBUS, read(2) sees end of file).
    virtual Result<Frame> page(u64 index, PageUse use) = 0;
    /// As page(), but never waits and never allocates: a null frame where the page is not there.
    virtual Frame resident_page(u64 index) = 0;
    /// A host handle that shows the same bytes at the same offsets and may be mapped read-only into guests, so that
    /// instances share the host's page cache; kNoHandle if there is none.
    virtual platform::HostHandle host_handle() const { return platform::kNoHandle; }
    /// Size in bytes, for the SIGBUS rule.
    virtual u64 size() const = 0;
    /// Writes changes to the backing store (msync). May wait.
    virtual Result<void> write_back() { return {}; }

    /// Kept by the address spaces: the VMAs that map this object, so that truncate can unmap.
    List<Vma, TaggedNode<MemoryObject>> mappings;
    /// Takes [first, first+count) away from every guest that maps it (truncate, punch hole). Private copies stay where
    /// `even_private` is false. May wait.
    void unmap_everywhere(u64 first, u64 count, bool even_private);
};

/// A memory object whose pages are frames kept in a map, filled on demand by fill().
class PageCache : public MemoryObject {
public:
    explicit PageCache(PhysicalMemory& memory)
        : memory_(memory)
    {
    }
    ~PageCache() override;

    Result<Frame> page(u64 index, PageUse use) override;
    Frame resident_page(u64 index) override;
    u64 size() const override { return size_; }
    /// Grows or shrinks. Shrinking drops pages, zeroes the tail of the last one and unmaps from guests. May wait.
    void resize(u64 size);
    /// Drops the pages wholly inside and zeroes the parts (fallocate's punch hole). May wait.
    void punch(u64 offset, u64 length);
    /// Fills the holes in a range below size() (fallocate); all of them or none. ENOSPC. May wait.
    Result<void> populate(u64 offset, u64 length);
    u64 resident_pages() const { return pages_.size(); }
    /// The first resident index at or after `index`, or ~0 (for SEEK_DATA and SEEK_HOLE).
    u64 next_resident(u64 index) const;

    /// Reads bytes at `offset` into `out`, up to the end of the object; returns the count (0 at end). May wait.
    Result<u64> read(IoBuffer& out, u64 offset);
    /// Writes at `offset`, growing the object. Short at ENOSPC/ENOMEM after some bytes. May wait.
    Result<u64> write(IoBuffer& in, u64 offset);

protected:
    /// Whether nothing was ever written there, nor kept for it.
    virtual bool is_hole(u64 index) const { return !pages_.contains(index); }
    /// Fills a fresh frame that is zeroed already. Default: nothing (memory is the only store). May wait.
    virtual Result<void> fill(u64 index, std::span<u8> page);
    /// False where memory is the only store: read() gives zeroes for a hole then, without adding a page.
    virtual bool has_backing() const { return true; }
    /// Called before a page is added; a file system can refuse with ENOSPC (size limits). Default: yes.
    virtual Result<void> reserve_page() { return {}; }
    virtual void release_pages(u64 count) { (void)count; }
    /// A page was given out for writing.
    virtual void dirtied(u64 index) { (void)index; }

    struct Piece {
        u64 wanted, moved; ///< bytes
    };
    Result<Piece> read_piece(IoBuffer& out, u64 offset, u64 count);
    u64 run_at(u64 index, Frame frame, u64 most) const;
    bool is_unused(Frame frame) const;

    PhysicalMemory& memory_;
    std::map<u64, Frame> pages_;
    u64 size_ = 0;
};

} // namespace umbra::mm
