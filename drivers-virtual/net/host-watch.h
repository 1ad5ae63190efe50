// SPDX-License-Identifier: GPL-2.0-or-later
// Waiting for a socket of the host's in the ring. One watch has one poll in flight at most.
#pragma once

#include <cerrno>

#include "core/base/ref.h"
#include "drivers-virtual/host-io.h"

namespace umbra::drivers {

class HostWatch;

/// Who is told. A poll in flight holds it.
class WatchUser : public RefCounted {
public:
    /// `events`: the poll(2) bits that hold. On a vCPU, under the kernel lock; must not wait.
    virtual void ready(HostWatch& watch, u32 events) = 0;
};

class HostWatch final : hostabi::Completion {
public:
    HostWatch(HostIo& io, WatchUser& user)
        : io_(io)
        , user_(user)
    {
    }
    /// Tells the user once, as soon as one of the events holds. If it waits already, that goes on.
    void wait_for(int fd, u32 events)
    {
        if (ring_) return;
        ring_ = &io_.ring();
        user_.ref();
        ring_->poll(fd, events, *this);
    }
    /// What is in flight ends without a word.
    void stop()
    {
        is_stopped_ = true;
        if (ring_) io_.cancel(*ring_, *this);
    }

private:
    void complete(i32 result) override
    {
        ring_ = nullptr;
        if (!is_stopped_ && result != -ECANCELED) user_.ready(*this, result < 0 ? 0 : u32(result));
        user_.unref(); // may delete this
    }

    HostIo& io_;
    WatchUser& user_;
    hostabi::Ring* ring_ = nullptr; ///< the one that has the poll
    bool is_stopped_ = false;
};

} // namespace umbra::drivers
