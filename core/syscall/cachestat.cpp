// SPDX-License-Identifier: GPL-2.0-or-later
// cachestat(2): how much of a file is in memory.
#include "core/abi/page-cache.h"

#include <algorithm>

#include "core/mm/memory-object.h"
#include "core/syscall/syscall.h"

namespace umbra {

SyscallResult sys_cachestat(Task& task, GuestFd fd, GuestAddr range_in, GuestAddr out, u32 flags)
{
    auto file = TRY(task.files().get(fd));
    auto range = TRY(UserIn<abi::CacheRange> { range_in }.copy_in(task));
    if (flags != 0) return err::inval;
    u64 const first = range.offset >> kPageShift;
    u64 const last = range.length ? (range.offset + range.length - 1) >> kPageShift : ~u64 { 0 };
    abi::CacheStatus status {};
    // Memory is the only store of these pages, or they are written through: none is dirty, none was evicted.
    if (auto const* cache = dynamic_cast<mm::PageCache*>(file->inode().memory_object()))
        for (u64 at = cache->next_resident(first); at <= last && at != ~u64 { 0 };
             at = cache->next_resident(at + 1))
            status.cached++;
    TRY(UserOut<abi::CacheStatus> { out }.copy_out(task, status));
    return 0;
}

} // namespace umbra
