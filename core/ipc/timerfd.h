// SPDX-License-Identifier: GPL-2.0-or-later
// timerfd_create(2): a timer as a file. A periodic one that nobody reads does not tick: after an expiry it is
// armed again when it is read, and the expiries in between are counted then (Linux does the same).
#pragma once

#include "core/abi/process.h"
#include "core/time/timekeeper.h"
#include "core/vfs/file.h"

namespace umbra::abi {
constexpr u32 tfd_timer_abstime = 1, tfd_timer_cancel_on_set = 2;
}

namespace umbra::ipc {

class TimerFd final : public vfs::File, private Timer {
public:
    TimerFd(vfs::Path path, Kernel& kernel, i32 clock, u32 flags);

    struct Setting {
        Nanoseconds value = 0; ///< until the next expiry; 0: disarmed
        Nanoseconds interval = 0;
    };
    /// timerfd_settime(2); flags: TFD_TIMER_*. Returns what was set before. ECANCELED is read's, not this
    /// call's.
    Setting set(Setting setting, u32 flags);
    Setting setting();
    i32 clock() const { return clock_; }

    Result<u64> read(IoBuffer& buffer, u64 offset) override;
    bool can_splice() const override { return false; }
    u32 readiness() override;
    WaitQueue* wait_queue() override { return &queue_; }
    std::string fdinfo() override;

private:
    void expired() override;
    /// Counts the expiries of a periodic timer since the one that was noticed, and arms it for the next.
    void catch_up();
    Nanoseconds now() const; ///< on the timer's clock
    void arm_for_next();

    i32 clock_;
    u32 set_flags_ = 0;
    Nanoseconds next_ = 0; ///< on the timer's clock; meaningful while armed or expired
    Nanoseconds interval_ = 0;
    u64 ticks_ = 0; ///< expiries since the last read or set
    bool is_expired_ = false; ///< the timer has fired and is not armed again yet
    WaitQueue queue_;
};

/// `clock`: CLOCK_REALTIME, MONOTONIC, BOOTTIME or an _ALARM form. `flags`: O_NONBLOCK.
Ref<TimerFd> make_timerfd(Kernel& kernel, i32 clock, u32 flags);
/// The timerfd that `file` is, or null.
TimerFd* as_timerfd(vfs::File& file);

} // namespace umbra::ipc
