// SPDX-License-Identifier: GPL-2.0-or-later
// Mappings and banks.
#include "hostabi/memory.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "core/base/panic.h"
#include "hostabi/host-call.h"

namespace umbra::hostabi {

OwnedMapping::~OwnedMapping()
{
    if (data_) host_call(SYS_munmap, data_, size_);
}

HostResult<OwnedMapping> OwnedMapping::map(u64 size, int protection, int flags, int fd, u64 offset)
{
    OwnedMapping mapping;
    i64 const address = TRY(host_value(host_call(SYS_mmap, nullptr, size, protection, flags, fd, offset)));
    mapping.data_ = reinterpret_cast<u8*>(address); // mmap's result is an address
    mapping.size_ = size;
    return mapping;
}

HostResult<OwnedMapping> OwnedMapping::anonymous(u64 size, int protection, int flags)
{
    return map(size, protection, flags | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

HostResult<OwnedMapping> OwnedMapping::shared(int fd, u64 offset, u64 size, int protection)
{
    return map(size, protection, MAP_SHARED | MAP_NORESERVE, fd, offset);
}

HostResult<OwnedMapping> OwnedMapping::private_copy(int fd, u64 offset, u64 size, int protection)
{
    return map(size, protection, MAP_PRIVATE | MAP_NORESERVE, fd, offset);
}

void discard_private(void* start, u64 length)
{
    // Refused only where the pages are locked: then they stay, but read as promised.
    if (host_call(SYS_madvise, start, length, MADV_DONTNEED) < 0) std::memset(start, 0, length);
}

void release_file_pages(std::span<u8 const> memory)
{
    u64 const start = page_up(reinterpret_cast<u64>(memory.data())); // an address, to be rounded
    u64 const end = page_down(reinterpret_cast<u64>(memory.data()) + memory.size());
    if (start < end) host_call(SYS_madvise, start, end - start, MADV_DONTNEED); // refused: they stay
}

HostResult<MemoryBank> MemoryBank::create(char const* name, u64 size, SizeSeal seal)
{
    UMBRA_ASSERT(size != 0 && page_down(size) == size);
    OwnedFd fd = TRY(OwnedFd::memfd(name));
    TRY(host_status(host_call(SYS_ftruncate, fd.get(), size)));
    if (seal == SizeSeal::fixed)
        TRY(host_status(host_call(SYS_fcntl, fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)));
    OwnedMapping mapping = TRY(OwnedMapping::shared(fd.get(), 0, size, PROT_READ | PROT_WRITE));
    // A stub that is forked off must neither see guest memory nor pay for its page tables. Advice: may be
    // refused.
    host_call(SYS_madvise, mapping.data(), size, MADV_DONTFORK);
    return MemoryBank(std::move(fd), std::move(mapping));
}

HostResult<void> MemoryBank::populate(u64 offset, u64 length)
{
    UMBRA_ASSERT(offset + length <= size());
    i64 result;
    do
        result = host_call(SYS_fallocate, fd(), 0, offset, length);
    while (result == -EINTR); // a pending signal; what it had allocated is undone
    return host_status(result);
}

void MemoryBank::discard(u64 offset, u64 length)
{
    UMBRA_ASSERT(offset + length <= size());
    i64 const result
        = host_call(SYS_fallocate, fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
    // A memfd can always punch holes unless it was sealed against writing, or the range is not whole pages.
    if (is_host_error(result)) panic("hostabi: punching a hole: error %lld", static_cast<long long>(-result));
}

u64 MemoryBank::resident() const
{
    struct stat status;
    if (host_call(SYS_fstat, fd(), &status) < 0) return 0;
    return static_cast<u64>(status.st_blocks) * 512;
}

} // namespace umbra::hostabi
