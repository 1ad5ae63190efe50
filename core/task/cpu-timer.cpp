// SPDX-License-Identifier: GPL-2.0-or-later
// CPU-time clocks and what expires on them.
#include "core/task/cpu-timer.h"

#include <algorithm>

#include "core/abi/process.h"
#include "core/kernel.h"
#include "core/task/lifecycle.h"
#include "core/task/pid-namespace.h"
#include "core/task/posix-timers.h"
#include "core/task/process-table.h"
#include "core/task/scheduler.h"

namespace umbra {

using namespace abi;

namespace {

/// A look at the clocks costs a stop of the guest: not more often than this for what is left of a timer.
constexpr Nanoseconds kShortestCheck = 50'000;

Nanoseconds total(ResourceUsage const& u) { return u.user + u.system; }

Nanoseconds process_time(Process& process, bool with_system)
{
    auto u = process_usage(process);
    return with_system ? total(u) : u.user;
}

void check_itimer(Process& process, CpuInterval& timer, Nanoseconds now, int signal)
{
    if (timer.value == 0 || now - timer.base < timer.value) return;
    timer.base = now;
    timer.value = timer.interval;
    (void)send_signal(process, kernel_signal(signal)).ok(); // a standard signal is never refused
}

void check_list(Process& process)
{
    for (CpuTimer& timer : process.timers->cpu) {
        auto now = timer.cpu_clock().now(process.kernel);
        if (now.ok() && now.value() < timer.cpu_expiry()) continue;
        timer.cancel_cpu();
        if (now.ok()) timer.cpu_expired();
        // What expired may have changed the list: from the start again.
        return check_list(process);
    }
}

/// RLIMIT_CPU: a signal each second beyond the soft limit, the end at the hard one.
void check_limit(Process& process)
{
    auto& limit = process.limits[size_t(Resource::cpu)];
    if (limit.current == kRlimInfinity) return;
    auto seconds = u64(process_time(process, true) / kNanosecondsPerSecond);
    // Linux looks at each tick; here both limits may have passed at once. The warning comes first all the same.
    if (seconds >= limit.current && limit.current < limit.maximum) {
        (void)send_signal(process, kernel_signal(sigxcpu)).ok(); // a standard signal is never refused
        ++limit.current; // as Linux does, visibly
    } else if (seconds >= limit.maximum) {
        exit_group(process, sigkill);
    }
}

/// CPU time until something is due.
Nanoseconds time_left(Process& process)
{
    Nanoseconds left = kNever;
    auto& limit = process.limits[size_t(Resource::cpu)];
    // NOLINTNEXTLINE(misc-redundant-expression): there are two limits
    if (limit.current != kRlimInfinity && limit.current < u64(kNever / kNanosecondsPerSecond))
        left = Nanoseconds(limit.current) * kNanosecondsPerSecond - process_time(process, true);
    if (!process.timers) return left;
    for (CpuInterval const* timer : { &process.timers->virtual_, &process.timers->profile })
        if (timer->value)
            left = std::min(
                left, timer->base + timer->value - process_time(process, timer == &process.timers->profile));
    for (CpuTimer& timer : process.timers->cpu)
        if (auto now = timer.cpu_clock().now(process.kernel); now.ok())
            left = std::min(left, timer.cpu_expiry() - now.value());
    return left;
}

} // namespace

Result<std::optional<CpuClock>> CpuClock::of(Task& task, i32 number)
{
    if (number == clock_process_cputime) return std::optional(CpuClock { task.pid(), Pid(0) });
    if (number == clock_thread_cputime) return std::optional(CpuClock { task.pid(), task.tid() });
    if (number >= 0) return std::optional<CpuClock>();
    // ~pid << 3 | per-thread << 2 | kind; kind 3 names a descriptor (dynamic clocks, which need a device).
    if ((number & 3) == 3) return err::inval;
    Pid const id = pid_in(task, ~(number >> 3));
    auto& table = task.kernel().processes();
    if (number & 4) {
        Task* t = id.value == 0 ? &task : table.find_task(id);
        if (!t || &t->process() != &task.process()) return err::inval;
        return std::optional(CpuClock { t->pid(), t->tid() });
    }
    Process* p = id.value == 0 ? &task.process() : table.find_process(id);
    if (!p) return err::inval;
    return std::optional(CpuClock { p->id, Pid(0) });
}

Result<Nanoseconds> CpuClock::now(Kernel& kernel) const
{
    if (thread.value) {
        Task* t = kernel.processes().find_task(thread);
        if (!t || t->pid() != process) return err::inval;
        return total(task_usage(*t));
    }
    Process* p = kernel.processes().find_process(process);
    if (!p) return err::inval;
    return total(process_usage(*p));
}

void CpuTimer::arm_cpu(Nanoseconds expiry)
{
    cancel_cpu();
    cpu_expiry_ = expiry;
    Process* process = cpu_kernel_.processes().find_process(cpu_clock_.process);
    if (!process || process->state == ProcessState::zombie) return;
    process->timers_or_new().cpu.push_back(*this);
    recheck_cpu_timers(*process);
}

bool has_cpu_timers(Process const& process)
{
    if (process.limit(Resource::cpu) != kRlimInfinity) return true;
    return process.timers
        && (process.timers->virtual_.value || process.timers->profile.value
            || !process.timers->cpu.is_empty());
}

void check_cpu_timers(Task& task)
{
    Process& process = task.process();
    if (process.timers) {
        check_itimer(process, process.timers->virtual_, process_time(process, false), sigvtalrm);
        check_itimer(process, process.timers->profile, process_time(process, true), sigprof);
        check_list(process);
    }
    check_limit(process);
}

Nanoseconds next_cpu_check(Process& process)
{
    Nanoseconds left = time_left(process);
    if (left == kNever) return kNever;
    auto running = std::count_if(process.threads.begin(), process.threads.end(),
        [](Task* t) { return t->state == TaskState::running; });
    // Threads that run at the same time use the time up together.
    left = std::max(left / std::max<Nanoseconds>(1, running), kShortestCheck);
    return Timekeeper::add(process.kernel.time().monotonic(), left);
}

void recheck_cpu_timers(Process& process)
{
    for (Task* t : process.threads)
        if (t->state == TaskState::running) t->vcpu->request_attention();
}

} // namespace umbra
