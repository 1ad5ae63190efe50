// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for rseq(2), as Linux's include/uapi/linux/rseq.h has it.
#pragma once

#include <cstddef>

#include "core/base/types.h"

namespace umbra::abi {

/// struct rseq: what a thread shares with the kernel, without what later kernels add.
struct RseqArea {
    u32 cpu_id_start, cpu_id;
    u64 critical_section; ///< of an RseqCriticalSection; 0: none
    u32 flags, node_id, concurrency_id;
};
constexpr u64 rseq_feature_size = offsetof(RseqArea, concurrency_id) + sizeof(u32), rseq_original_size = 32;
static_assert(rseq_feature_size == 28 && offsetof(RseqArea, critical_section) == 8);

struct RseqCriticalSection {
    u32 version, flags;
    u64 start, length, abort;
};
static_assert(sizeof(RseqCriticalSection) == 32);

constexpr u32 rseq_flag_unregister = 1;
constexpr u32 rseq_cpu_uninitialized = ~u32 { 0 };

} // namespace umbra::abi
