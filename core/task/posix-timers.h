// SPDX-License-Identifier: GPL-2.0-or-later
// A process's interval timers and POSIX timers (setitimer(2), timer_create(2)).
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "core/abi/signal.h"
#include "core/base/error.h"
#include "core/task/cpu-timer.h"
#include "core/task/process.h"
#include "core/time/timekeeper.h"

namespace umbra {

struct TimerSetting {
    Nanoseconds value = 0; ///< until the next expiry; 0: disarmed
    Nanoseconds interval = 0;
};

/// One POSIX timer or ITIMER_REAL: expires by sending a signal, at an instant of CLOCK_MONOTONIC or of CPU time.
/// A POSIX timer has one signal under way at most. A periodic one is armed again when that is delivered; the periods
/// that passed in between are its overruns, so a process that does not listen costs nothing.
class SignalTimer final : public Timer, public CpuTimer {
public:
    /// `cpu`: the CPU-time clock that it runs on, if it does.
    SignalTimer(Process& process, i32 clock, std::optional<CpuClock> cpu = {});
    ~SignalTimer() override = default;
    TimerSetting setting() const;
    /// `absolute`: on the timer's clock. A signal that is under way is dropped.
    void set(TimerSetting setting, bool absolute);
    /// Its signal is about to be delivered: fills in the overruns and goes on. False for one of an older setting.
    bool deliver(abi::SigInfo& info);
    /// Signals were discarded: a periodic timer whose signal was among them goes on.
    void resume_if_lost();

    i32 clock;
    i32 id = -1; ///< -1: an itimer (SI_KERNEL), else a POSIX timer (SI_TIMER)
    i32 notify = 0; ///< SIGEV_*
    int signal = abi::sigalrm;
    u64 value = 0; ///< sigev_value
    Pid thread { 0 }; ///< SIGEV_THREAD_ID
    i32 overrun = 0; ///< of the last signal delivered

protected:
    void expired() override { expire(); }
    void cpu_expired() override { expire(); }

private:
    void expire();
    void send();
    bool is_under_way() const;
    void start();
    void stop();
    Nanoseconds now() const; ///< on the base that expiry_ counts on
    /// Moves the expiry past now; returns how many periods were skipped beyond the one that is over.
    i64 forward();

    Process& process_;
    std::optional<CpuClock> cpu_;
    bool active_ = false; ///< set and, if it fires once only, not expired
    bool waits_for_delivery_ = false;
    i32 generation_ = 0; ///< counts settings: tells signals of older ones
    Nanoseconds expiry_ = 0, interval_ = 0;
};

/// ITIMER_VIRTUAL or ITIMER_PROF.
struct CpuInterval {
    Nanoseconds value = 0; ///< CPU time from `base` to the expiry; 0: disarmed
    Nanoseconds interval = 0;
    Nanoseconds base = 0;
};

class PosixTimers {
public:
    std::unique_ptr<SignalTimer> real; ///< ITIMER_REAL
    std::map<i32, std::unique_ptr<SignalTimer>> timers;
    i32 next_id = 0;
    CpuInterval virtual_, profile;
    List<CpuTimer> cpu; ///< whatever waits for CPU time of this process, its own or others'

    /// A timer's signal is about to be delivered. False if it is to be dropped: the timer is gone or was set anew.
    bool deliver(abi::SigInfo& info);
};

} // namespace umbra
