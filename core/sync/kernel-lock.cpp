// SPDX-License-Identifier: GPL-2.0-or-later
// A test-and-set lock with a queue of sleeping vCPUs.
#include "core/sync/kernel-lock.h"

#include <algorithm>

namespace umbra {

namespace {
constexpr int kSpins = 400; // a few microseconds: longer than most syscalls hold the lock
}

void KernelLock::lock_waiters()
{
    while (guard_.test_and_set(std::memory_order_acquire))
        __builtin_ia32_pause();
}

void KernelLock::unlock_waiters() { guard_.clear(std::memory_order_release); }

void KernelLock::acquire(platform::VcpuPort& port)
{
    for (int i = 0; i < kSpins; ++i) {
        if (!held_.load(std::memory_order_relaxed) && !held_.exchange(true, std::memory_order_acquire))
            return;
        __builtin_ia32_pause();
    }
    lock_waiters();
    waiters_.push_back(&port);
    unlock_waiters();
    // seq_cst pairs with release(): either the releaser sees the waiter, or the waiter sees the lock free.
    waiting_.fetch_add(1, std::memory_order_seq_cst);
    while (held_.exchange(true, std::memory_order_seq_cst))
        port.wait_for_wake();
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    lock_waiters();
    if (auto it = std::find(waiters_.begin(), waiters_.end(), &port); it != waiters_.end())
        waiters_.erase(it);
    unlock_waiters();
}

void KernelLock::release()
{
    held_.store(false, std::memory_order_seq_cst);
    if (waiting_.load(std::memory_order_seq_cst) == 0) return;
    platform::VcpuPort* next = nullptr;
    lock_waiters();
    if (!waiters_.empty()) {
        next = waiters_.front();
        waiters_.pop_front();
        waiters_.push_back(next); // it leaves the queue itself once it has the lock
    }
    unlock_waiters();
    if (next) next->wake();
}

} // namespace umbra
