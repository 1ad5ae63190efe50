// SPDX-License-Identifier: GPL-2.0-or-later
// The stacks of fibers: all of one size, aligned to it, a guard page below each, cheap to take and give back.
#pragma once

#include <atomic>
#include <vector>

#include "hostabi/memory.h"

namespace umbra::hostabi {

class StackPool {
public:
    /// `size`: usable bytes of each stack, a power of two and at least a page.
    explicit StackPool(u64 size);
    /// Every stack must have been given back, or nothing may use it any more.
    ~StackPool() = default;

    /// The lowest usable address, or nullptr when the host has no memory. The content is not cleared. From
    /// any thread; never waits.
    void* allocate();
    /// A few stacks are kept with their memory; beyond those the host gets the memory back at once.
    void free(void* stack);

    u64 stack_size() const { return size_; }
    u64 in_use() const { return in_use_; }

private:
    bool add_slab();
    bool install_guard(u8* page);

    u64 const size_;
    /// Held for some loads and stores, or for one mmap in hundreds of calls: no thread sleeps for it.
    std::atomic_flag lock_;
    std::vector<OwnedMapping> slabs_;
    std::vector<void*> warm_; ///< free, with memory
    std::vector<void*> cold_; ///< free, without
    u64 in_use_ = 0;
    bool guard_by_advice_ = true; ///< the host knows MADV_GUARD_INSTALL
};

} // namespace umbra::hostabi
