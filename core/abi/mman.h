// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for memory: mmap(2), mremap(2), madvise(2), msync(2), mlock(2).
#pragma once

#include "core/base/types.h"

namespace umbra::abi {

constexpr u32 prot_none = 0, prot_read = 1, prot_write = 2, prot_exec = 4, prot_growsdown = 0x01000000;
constexpr u32 prot_growsup = 0x02000000;
constexpr u32 map_shared = 1, map_private = 2, map_shared_validate = 3, map_type = 0xf;
constexpr u32 map_fixed = 0x10, map_anonymous = 0x20, map_32bit = 0x40, map_growsdown = 0x100,
              map_denywrite = 0x800;
constexpr u32 map_executable = 0x1000, map_locked = 0x2000, map_noreserve = 0x4000, map_populate = 0x8000;
constexpr u32 map_nonblock = 0x10000, map_stack = 0x20000, map_hugetlb = 0x40000, map_sync = 0x80000;
constexpr u32 map_fixed_noreplace = 0x100000, map_droppable = 0x08;
constexpr u32 mremap_maymove = 1, mremap_fixed = 2, mremap_dontunmap = 4;
constexpr i32 madv_normal = 0, madv_random = 1, madv_sequential = 2, madv_willneed = 3, madv_dontneed = 4;
constexpr i32 madv_free = 8, madv_remove = 9, madv_dontfork = 10, madv_dofork = 11, madv_mergeable = 12;
constexpr i32 madv_unmergeable = 13, madv_hugepage = 14, madv_nohugepage = 15, madv_dontdump = 16,
              madv_dodump = 17;
constexpr i32 madv_wipeonfork = 18, madv_keeponfork = 19, madv_cold = 20, madv_pageout = 21;
constexpr i32 madv_populate_read = 22, madv_populate_write = 23, madv_dontneed_locked = 24,
              madv_collapse = 25;
constexpr u32 ms_async = 1, ms_invalidate = 2, ms_sync = 4;
constexpr u32 mcl_current = 1, mcl_future = 2, mcl_onfault = 4, mlock_onfault = 1;

} // namespace umbra::abi
