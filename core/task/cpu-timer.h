// SPDX-License-Identifier: GPL-2.0-or-later
// Instants of CPU time: of a process, or of one thread. They pass while guests run, so they are looked at whenever a task
// of the measured process is about to return to its guest, and a vCPU leaves the guest when the next one is due.
#pragma once

#include <optional>

#include "core/base/error.h"
#include "core/base/list.h"
#include "core/base/types.h"

namespace umbra {

class Kernel;
class Process;
class Task;

/// Whose CPU time a clock measures: a whole process, or one thread of it.
struct CpuClock {
    Pid process {};
    Pid thread {}; ///< 0: all threads
    /// The clock that a number of clock_gettime(2) names, seen from `task`; nothing for a clock of another kind.
    /// EINVAL for a process or thread that does not exist.
    static Result<std::optional<CpuClock>> of(Task& task, i32 number);
    /// EINVAL once the process or thread is gone.
    Result<Nanoseconds> now(Kernel& kernel) const;
};

/// Something that happens at an instant of CPU time. Destroying it disarms it, and so does the end of what it measures.
class CpuTimer : public ListNode {
public:
    CpuTimer(Kernel& kernel, CpuClock clock)
        : cpu_kernel_(kernel)
        , cpu_clock_(clock)
    {
    }
    CpuClock const& cpu_clock() const { return cpu_clock_; }
    Nanoseconds cpu_expiry() const { return cpu_expiry_; }
    /// Does nothing if the process is gone.
    void arm_cpu(Nanoseconds expiry);
    void cancel_cpu() { unlink(); }
    /// Runs under the kernel lock, disarmed; must not wait; may arm again.
    virtual void cpu_expired() = 0;

protected:
    virtual ~CpuTimer() = default;

private:
    Kernel& cpu_kernel_;
    CpuClock cpu_clock_;
    Nanoseconds cpu_expiry_ = 0;
};

/// Expires what is due of the task's process: CPU timers, ITIMER_VIRTUAL and ITIMER_PROF, RLIMIT_CPU.
void check_cpu_timers(Task& task);
/// Whether the process has any of these.
bool has_cpu_timers(Process const& process);
/// When the running task has to be looked at again if it runs on: an instant of CLOCK_MONOTONIC, or kNever.
Nanoseconds next_cpu_check(Process& process);
/// Makes running threads of the process learn of a new timer or limit.
void recheck_cpu_timers(Process& process);

} // namespace umbra
