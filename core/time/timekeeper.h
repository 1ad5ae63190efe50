// SPDX-License-Identifier: GPL-2.0-or-later
// Clocks and timers. Tickless (law 2): a vCPU with an armed timer sleeps until its deadline, one without sleeps until
// something happens. Timers live in the queue of the vCPU that armed them; all is guarded by the kernel lock.
#pragma once

#include <set>
#include <utility>

#include "core/abi/file.h"
#include "core/base/types.h"
#include "core/platform/platform.h"

namespace umbra {

class Kernel;
class TimerQueue;

/// Something that happens at an instant of CLOCK_MONOTONIC. Destroying it disarms it.
class Timer {
public:
    explicit Timer(Kernel& kernel)
        : kernel_(kernel)
    {
    }
    Timer(Timer const&) = delete;
    /// (Re)arms. A deadline in the past expires at the vCPU's next look at its queue.
    void arm(Nanoseconds deadline);
    void cancel();
    bool is_armed() const { return queue_ != nullptr; }
    Nanoseconds deadline() const { return deadline_; }

protected:
    virtual ~Timer() { cancel(); }
    /// Runs under the kernel lock, disarmed, on a vCPU; must not wait; may arm again.
    virtual void expired() = 0;

    Kernel& kernel_;

private:
    friend class TimerQueue;
    TimerQueue* queue_ = nullptr;
    Nanoseconds deadline_ = 0;
};

/// The timers of one vCPU.
class TimerQueue {
public:
    Nanoseconds next() const { return timers_.empty() ? kNever : timers_.begin()->first; }
    /// Expires all that is due at `now`.
    void run(Nanoseconds now);

private:
    friend class Timer;
    std::set<std::pair<Nanoseconds, Timer*>> timers_;
};

class Timekeeper {
public:
    explicit Timekeeper(platform::Platform& platform);
    Nanoseconds monotonic() const { return platform_.now(platform::HostClock::monotonic); }
    Nanoseconds boottime() const { return platform_.now(platform::HostClock::boottime) - boot_; }
    Nanoseconds realtime() const { return platform_.now(platform::HostClock::realtime) + realtime_offset; }
    abi::Timespec realtime_timespec() const { return to_timespec(realtime()); }
    /// CLOCK_MONOTONIC is the host's (the vDSO reads it without a trap); uptime counts from the instance's boot.
    Nanoseconds uptime() const { return boottime(); }
    Nanoseconds boot_realtime() const { return boot_realtime_; }
    /// CPU cycles (TSC) to nanoseconds, by the rate seen since boot.
    Nanoseconds cycles_to_ns(u64 cycles) const;
    static u64 cycles() { return __builtin_ia32_rdtsc(); }

    static constexpr abi::Timespec to_timespec(Nanoseconds ns)
    {
        i64 sec = ns / kNanosecondsPerSecond, rest = ns % kNanosecondsPerSecond;
        if (rest < 0) --sec, rest += kNanosecondsPerSecond;
        return { sec, rest };
    }
    /// Saturates at kNever.
    static constexpr Nanoseconds from_timespec(abi::Timespec t)
    {
        if (t.sec >= kNever / kNanosecondsPerSecond) return kNever;
        return t.sec * kNanosecondsPerSecond + t.nsec;
    }
    static constexpr bool is_valid(abi::Timespec t)
    {
        return t.sec >= 0 && t.nsec >= 0 && t.nsec < kNanosecondsPerSecond;
    }
    /// Saturates at kNever; b may be negative.
    static constexpr Nanoseconds add(Nanoseconds a, Nanoseconds b)
    {
        return b > 0 && a > kNever - b ? kNever : a + b;
    }

    Nanoseconds realtime_offset = 0; ///< clock_settime(2) moves the guest's, not the host's

private:
    platform::Platform& platform_;
    Nanoseconds boot_, boot_realtime_, boot_monotonic_;
    u64 boot_cycles_;
};

} // namespace umbra
