// SPDX-License-Identifier: GPL-2.0-or-later
// A process's interval timers and POSIX timers (setitimer(2), timer_create(2)).
#pragma once

#include <map>
#include <memory>

#include "core/abi/signal.h"
#include "core/base/error.h"
#include "core/task/process.h"
#include "core/time/timekeeper.h"

namespace umbra {

struct TimerSetting {
    Nanoseconds value = 0; ///< until the next expiry; 0: disarmed
    Nanoseconds interval = 0;
};

/// One POSIX timer or ITIMER_REAL: expires by sending a signal.
class SignalTimer final : public Timer {
public:
    SignalTimer(Process& process, i32 clock)
        : Timer(process.kernel)
        , clock(clock)
        , process_(process)
    {
    }
    ~SignalTimer() override = default;
    TimerSetting setting() const;
    /// `absolute`: on the timer's clock.
    void set(TimerSetting setting, bool absolute);

    i32 clock;
    i32 id = -1; ///< -1: an itimer (SI_KERNEL), else a POSIX timer (SI_TIMER)
    i32 notify = 0; ///< SIGEV_*
    int signal = abi::sigalrm;
    u64 value = 0; ///< sigev_value
    Pid thread { 0 }; ///< SIGEV_THREAD_ID
    i32 overrun = 0; ///< of the last signal delivered
    i32 pending_overrun = 0;

protected:
    void expired() override;

private:
    Process& process_;
    Nanoseconds interval_ = 0;
};

class PosixTimers {
public:
    std::unique_ptr<SignalTimer> real; ///< ITIMER_REAL
    std::map<i32, std::unique_ptr<SignalTimer>> timers;
    i32 next_id = 0;
    TimerSetting virtual_, profile; ///< ITIMER_VIRTUAL and ITIMER_PROF: CPU nanoseconds left
    Nanoseconds virtual_base = 0, profile_base = 0;
};

/// Checked at each return to user mode: CPU-time timers and RLIMIT_CPU.
void check_cpu_timers(Task& task);
/// CPU nanoseconds until the next such timer of the process, or kNever.
Nanoseconds next_cpu_deadline(Process& process);

} // namespace umbra
