// SPDX-License-Identifier: GPL-2.0-or-later
// How another thread wakes a ring's owner: one atomic state, and an eventfd that is written only when the
// owner really sleeps. The engine keeps the eventfd watched edge-triggered, so that nobody ever has to read
// it.
#pragma once

#include <atomic>

#include <sys/syscall.h>

#include "hostabi/fd.h"
#include "hostabi/host-call.h"

namespace umbra::hostabi {

class WakeFlag {
public:
    explicit WakeFlag(OwnedFd event)
        : event_(std::move(event))
    {
    }

    /// Owner, before it sleeps. False: there was a notify() since the last end_sleep(), so do not sleep.
    bool begin_sleep()
    {
        State expected = State::awake;
        return state_.compare_exchange_strong(expected, State::asleep, std::memory_order_acq_rel);
    }
    /// Owner, after the sleep or instead of it. acquire: what the waker wrote before notify() is seen from
    /// here on.
    void end_sleep() { state_.exchange(State::awake, std::memory_order_acq_rel); }

    /// From any thread.
    void notify()
    {
        if (state_.exchange(State::notified, std::memory_order_acq_rel) != State::asleep) return;
        u64 const one = 1;
        // Cannot fail: the counter would have to reach 2^64-1.
        host_call(SYS_write, event_.get(), &one, sizeof one);
    }

    bool is_notified() const { return state_.load(std::memory_order_relaxed) == State::notified; }

    int fd() const { return event_.get(); }

private:
    enum class State : u8 { awake, asleep, notified };
    std::atomic<State> state_ { State::awake };
    OwnedFd event_;
};

} // namespace umbra::hostabi
