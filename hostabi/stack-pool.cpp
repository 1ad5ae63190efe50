// SPDX-License-Identifier: GPL-2.0-or-later
// Stacks are carved from slabs. Aligned to their size with a guard below, they stand two sizes apart; what
// lies between is never touched and costs address space only.
#include "hostabi/stack-pool.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/base/panic.h"
#include "hostabi/host-call.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 // Linux 6.13; Debian 12's headers are older
#endif

namespace umbra::hostabi {

namespace {

constexpr u64 kStacksPerSlab = 32;
constexpr std::size_t kWarmStacks = 16;

class SpinGuard {
public:
    explicit SpinGuard(std::atomic_flag& flag)
        : flag_(flag)
    {
        while (flag_.test_and_set(std::memory_order_acquire))
            __builtin_ia32_pause();
    }
    ~SpinGuard() { flag_.clear(std::memory_order_release); }

private:
    std::atomic_flag& flag_;
};

} // namespace

StackPool::StackPool(u64 size)
    : size_(size)
{
    UMBRA_ASSERT(size >= kPageSize && (size & (size - 1)) == 0);
}

void* StackPool::allocate()
{
    SpinGuard const guard(lock_);
    if (warm_.empty() && cold_.empty() && !add_slab()) return nullptr;
    std::vector<void*>& list = warm_.empty() ? cold_ : warm_;
    void* const stack = list.back();
    list.pop_back();
    in_use_++;
    return stack;
}

void StackPool::free(void* stack)
{
    SpinGuard const guard(lock_);
    UMBRA_ASSERT(in_use_ > 0 && reinterpret_cast<u64>(stack) % size_ == 0);
    in_use_--;
    if (warm_.size() < kWarmStacks) {
        warm_.push_back(stack);
        return;
    }
    host_call(SYS_madvise, stack, size_, MADV_DONTNEED);
    cold_.push_back(stack);
}

bool StackPool::add_slab()
{
    // Room to align the first stack, and for its guard.
    auto slab
        = OwnedMapping::anonymous(kStacksPerSlab * 2 * size_ + 2 * size_, PROT_READ | PROT_WRITE, MAP_STACK);
    if (slab.is_error()) return false;
    u8* const start = slab.value().data();
    // A huge page under a stack would cost 2 MiB for each. Advice: a host without huge pages refuses it.
    host_call(SYS_madvise, start, slab.value().size(), MADV_NOHUGEPAGE);
    u64 const first = (reinterpret_cast<u64>(start) + kPageSize + size_ - 1) & ~(size_ - 1);
    u8* stack = start + (first - reinterpret_cast<u64>(start));
    for (u64 i = 0; i < kStacksPerSlab; i++, stack += 2 * size_) {
        if (!install_guard(stack - kPageSize)) break;
        cold_.push_back(stack);
    }
    slabs_.push_back(slab.release_value());
    return !cold_.empty();
}

/// The advice leaves the mapping in one piece; mprotect costs two entries of the host's vm.max_map_count a
/// stack.
bool StackPool::install_guard(u8* page)
{
    if (guard_by_advice_ && host_call(SYS_madvise, page, kPageSize, MADV_GUARD_INSTALL) == 0) return true;
    guard_by_advice_ = false;
    return host_call(SYS_mprotect, page, kPageSize, PROT_NONE) == 0;
}

} // namespace umbra::hostabi
