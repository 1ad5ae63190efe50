// SPDX-License-Identifier: GPL-2.0-or-later
// A lock that a task may hold across a wait. The kernel lock is dropped by everything that waits, a copy to
// guest memory that faults among it; an object whose state must not be seen half-changed across such a copy
// has one of these. Uncontended, which is nearly always, it is one flag.
#pragma once

#include <utility>

#include "core/sync/wait-queue.h"

namespace umbra {

class Mutex {
public:
    Mutex() = default;
    Mutex(Mutex const&) = delete;

    /// May wait for the holder; signals do not end the wait, so a holder must itself wait for nothing but
    /// memory.
    void lock()
    {
        if (held_) [[unlikely]]
            lock_slowly();
        held_ = true;
    }
    void unlock()
    {
        UMBRA_ASSERT(held_);
        held_ = false;
        if (queue_.has_waiters()) [[unlikely]]
            queue_.wake_one();
    }
    bool is_locked() const { return held_; }

private:
    void lock_slowly()
    {
        // MUST: a refused wait without a deadline ends only when its condition holds.
        MUST(queue_.wait_until([this] { return !held_; }, kNever, Interruption::refused));
    }

    bool held_ = false;
    WaitQueue queue_;
};

class MutexLock {
public:
    explicit MutexLock(Mutex& mutex)
        : mutex_(mutex)
    {
        mutex_.lock();
    }
    ~MutexLock() { mutex_.unlock(); }
    MutexLock(MutexLock const&) = delete;

private:
    Mutex& mutex_;
};

/// Holds a mutex for as long as it lives; may be moved, or hold nothing.
class MutexHold {
public:
    MutexHold() = default;
    explicit MutexHold(Mutex& mutex)
        : mutex_(&mutex)
    {
        mutex.lock();
    }
    MutexHold(MutexHold&& o) noexcept
        : mutex_(std::exchange(o.mutex_, nullptr))
    {
    }
    MutexHold& operator=(MutexHold o) noexcept
    {
        std::swap(mutex_, o.mutex_);
        return *this;
    }
    ~MutexHold()
    {
        if (mutex_) mutex_->unlock();
    }

private:
    Mutex* mutex_ = nullptr;
};

} // namespace umbra
