// SPDX-License-Identifier: GPL-2.0-or-later
// Host memory: owned mappings, and the sparse memfds ("banks") that guest memory is made of, each mapped once
// and whole into the kernel (law 5).
#pragma once

#include <span>
#include <utility>

#include "core/base/types.h"
#include "hostabi/fd.h"
#include "hostabi/host-result.h"

namespace umbra::hostabi {

/// Owns a range of the kernel process's address space.
class [[nodiscard]] OwnedMapping {
public:
    OwnedMapping() = default;
    OwnedMapping(OwnedMapping&& o) noexcept
        : data_(std::exchange(o.data_, nullptr))
        , size_(std::exchange(o.size_, 0))
    {
    }
    OwnedMapping& operator=(OwnedMapping&& o) noexcept
    {
        std::swap(data_, o.data_);
        std::swap(size_, o.size_);
        return *this;
    }
    ~OwnedMapping();

    /// Private, zeroed, not reserved. `protection` and `flags` as in mmap(2).
    static HostResult<OwnedMapping> anonymous(u64 size, int protection, int flags = 0);
    static HostResult<OwnedMapping> shared(int fd, u64 offset, u64 size, int protection);
    static HostResult<OwnedMapping> private_copy(int fd, u64 offset, u64 size, int protection);

    u8* data() const { return data_; }
    u64 size() const { return size_; }
    explicit operator bool() const { return data_ != nullptr; }

private:
    static HostResult<OwnedMapping> map(u64 size, int protection, int flags, int fd, u64 offset);

    u8* data_ = nullptr;
    u64 size_ = 0;
};

/// Whole pages of private anonymous memory go back to the host, and read as zero afterwards.
void discard_private(void* start, u64 length);

/// The pages that lie wholly in memory that a file backs and nobody has written to: they go out of this process's memory, and
/// come back from the file when they are read.
void release_file_pages(std::span<u8 const> memory);

enum class SizeSeal : u8 { none, fixed };

/// Sparse memory with a descriptor. Offsets and lengths are whole pages.
class [[nodiscard]] MemoryBank {
public:
    /// SizeSeal::fixed: nobody who has the descriptor can shrink or grow it, so no access below size() can
    /// fault.
    static HostResult<MemoryBank> create(char const* name, u64 size, SizeSeal seal = SizeSeal::fixed);

    u8* data() const { return mapping_.data(); }
    u64 size() const { return mapping_.size(); }
    int fd() const { return fd_.get(); }

    /// Allocates zeroed pages in one batch where there are none. ENOMEM or ENOSPC when the host has none
    /// left.
    HostResult<void> populate(u64 offset, u64 length);
    /// Gives the pages back; they read as zero afterwards, in every mapping.
    void discard(u64 offset, u64 length);
    /// Bytes that the host holds for this bank.
    u64 resident() const;

private:
    MemoryBank(OwnedFd fd, OwnedMapping mapping)
        : fd_(std::move(fd))
        , mapping_(std::move(mapping))
    {
    }

    OwnedFd fd_;
    OwnedMapping mapping_;
};

} // namespace umbra::hostabi
