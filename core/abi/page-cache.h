// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for cachestat(2).
#pragma once

#include "core/base/types.h"

namespace umbra::abi {

/// struct cachestat_range: bytes; a length of 0 goes to the end of the file.
struct CacheRange {
    u64 offset, length;
};
static_assert(sizeof(CacheRange) == 16);

/// struct cachestat: pages.
struct CacheStatus {
    u64 cached, dirty, writeback, evicted, recently_evicted;
};
static_assert(sizeof(CacheStatus) == 40);

} // namespace umbra::abi
