// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel lock (law 4): held by a vCPU from trap to resume, dropped to wait. A vCPU that finds it taken spins
// briefly and then sleeps in its own ring, the one place to wait (law 2); the releaser wakes the longest waiter.
#pragma once

#include <atomic>
#include <deque>

#include "core/platform/platform.h"

namespace umbra {

class KernelLock {
public:
    void acquire(platform::VcpuPort& port);
    void release();

private:
    void lock_waiters();
    void unlock_waiters();

    std::atomic<bool> held_ { false };
    std::atomic<u32> waiting_ { 0 };
    std::atomic_flag guard_ = ATOMIC_FLAG_INIT; ///< guards waiters_, held for a few instructions
    std::deque<platform::VcpuPort*> waiters_;
};

} // namespace umbra
