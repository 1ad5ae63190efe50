// SPDX-License-Identifier: GPL-2.0-or-later
// Scheduling: yield, policies, affinity, attributes. Nice values are in priority.cpp.
#include "core/task/futex.h"
#include "core/task/permissions.h"
#include "core/task/pid-namespace.h"
#include "core/task/scheduler.h"

#include <algorithm>

#include "core/abi/process.h"
#include "core/syscall/scheduling.h"
#include "core/syscall/syscall.h"
#include "core/task/process-table.h"

namespace umbra {

using namespace abi;

SyscallResult sys_sched_yield(Task& task)
{
    task.vcpu->yield();
    return 0;
}

namespace {

constexpr u32 kOther = sched_other, kFifo = sched_fifo, kRr = sched_rr, kBatch = sched_batch,
              kIdle = sched_idle, kDeadline = sched_deadline, kResetOnFork = 0x40000000;
constexpr u64 kDeadlineFlags = sched_flag_reclaim | sched_flag_dl_overrun;

bool is_realtime(u32 policy) { return policy == kFifo || policy == kRr; }

/// What a task asks the scheduler for.
struct Wanted {
    u32 policy;
    i32 nice, priority;
    bool reset_on_fork;
    DeadlineReservation deadline {};
};

/// sched(7): 1024 ns <= runtime <= deadline <= period, and the period within the limits of sysctl.
bool is_valid(DeadlineReservation const& d)
{
    constexpr Nanoseconds kLeastRuntime = 1024, kLeastPeriod = 100'000, kMostPeriod = (1ll << 22) * 1000;
    return d.runtime >= kLeastRuntime && d.runtime <= d.deadline && d.deadline <= d.period
        && d.period >= kLeastPeriod && d.period <= kMostPeriod;
}

/// Of all CPUs, 95 % may be reserved (kernel.sched_rt_runtime_us).
bool is_admissible(Task& target, DeadlineReservation const& wanted)
{
    constexpr u64 kWhole = 1 << 20;
    auto share = [](DeadlineReservation const& d) { return u64(d.runtime) * kWhole / u64(d.period); };
    u64 sum = share(wanted);
    Kernel& kernel = target.kernel();
    for (auto const& [id, other] : kernel.processes().tasks())
        if (other != &target && other->policy == kDeadline) sum += share(other->deadline);
    return sum <= kernel.scheduler().vcpu_count() * kWhole * 95 / 100;
}

/// Whether sched(7) lets the caller have it without CAP_SYS_NICE.
bool is_allowed(Task& task, Task& target, Wanted const& w)
{
    if (w.policy == kDeadline) return false; // no limit grants it
    if (is_realtime(w.policy)) {
        u64 limit = target.limit(Resource::rtprio);
        if (w.policy != target.policy && limit == 0) return false;
        if (w.priority > target.rt_priority && u64(w.priority) > limit) return false;
    } else if (w.nice < target.nice && w.nice < nice_floor(target)) {
        return false;
    }
    // Leaving the idle policy is like becoming less nice.
    if (target.policy == kIdle && w.policy != kIdle && w.nice < nice_floor(target)) return false;
    if (target.reset_on_fork && !w.reset_on_fork) return false;
    auto const& me = task.credentials();
    auto const& you = target.credentials();
    return me.euid == you.uid || me.euid == you.euid;
}

Result<void> apply(Task& task, Task& target, Wanted const& w)
{
    bool known = is_realtime(w.policy) || w.policy == kDeadline || w.policy == kOther || w.policy == kBatch
        || w.policy == kIdle;
    if (!known) return err::inval;
    if (is_realtime(w.policy) ? w.priority < 1 || w.priority > 99 : w.priority != 0) return err::inval;
    if (w.policy == kDeadline && !is_valid(w.deadline)) return err::inval;
    if (!task.credentials().has(Capability::sys_nice) && !is_allowed(task, target, w)) return err::perm;
    if (w.policy == kDeadline) {
        // It may run on any CPU, or there is nothing that could be promised.
        u64 const possible = (u64 { 1 } << task.kernel().scheduler().vcpu_count()) - 1;
        if ((target.affinity & possible) != possible) return err::perm;
        if (!is_admissible(target, w.deadline)) return err::busy;
    }
    target.reset_on_fork = w.reset_on_fork;
    task.kernel().scheduler().change(target, [&] {
        if (w.policy == kDeadline) target.deadline = w.deadline;
        target.policy = w.policy;
        target.rt_priority = w.priority;
        if (!is_realtime(w.policy) && w.policy != kDeadline) target.nice = w.nice;
    });
    futex_priority_changed(target);
    return {};
}

} // namespace

Result<Task*> scheduling_target(Task& task, i32 pid)
{
    if (pid < 0) return err::inval;
    if (pid == 0) return &task;
    Task* t = task.kernel().processes().find_task(pid_in(task, pid));
    if (!t) return err::srch;
    return t;
}

bool may_change_scheduling(Task const& task, Task const& other)
{
    auto const& me = task.credentials();
    auto const& you = other.credentials();
    return me.euid == you.uid || me.euid == you.euid
        || is_capable(me, *you.user_namespace, Capability::sys_nice);
}

SyscallResult sys_sched_setaffinity(Task& task, i32 pid, u32 size, GuestAddr mask)
{
    u64 bits = 0;
    TRY(copy_from_user(task, &bits, mask, std::min<u32>(size, sizeof bits)));
    if (pid < 0) return err::srch;
    Task* t = TRY(scheduling_target(task, pid));
    if (!may_change_scheduling(task, *t)) return err::perm;
    u64 possible = (u64 { 1 } << task.kernel().scheduler().vcpu_count()) - 1;
    if (!(bits & possible)) return err::inval;
    t->affinity = bits & possible;
    if (t == &task && !(t->affinity >> task.vcpu->index() & 1)) task.kernel().scheduler().migrate_current();
    return 0;
}

SyscallResult sys_sched_getaffinity(Task& task, i32 pid, u32 size, GuestAddr mask)
{
    if (size < 8 || size % 8) return err::inval;
    if (pid < 0) return err::srch; // of all these calls only those on CPUs look no closer
    Task* t = TRY(scheduling_target(task, pid));
    u64 possible = (u64 { 1 } << task.kernel().scheduler().vcpu_count()) - 1;
    u64 bits = t->affinity & possible;
    TRY(copy_to_user(task, mask, &bits, sizeof bits));
    return sizeof bits;
}

SyscallResult sys_sched_getscheduler(Task& task, i32 pid)
{
    Task* t = TRY(scheduling_target(task, pid));
    return t->policy | (t->reset_on_fork ? kResetOnFork : 0);
}

SyscallResult sys_sched_setscheduler(Task& task, i32 pid, u32 policy, UserIn<SchedParam> in)
{
    if (in.is_null()) return err::inval;
    auto parameters = TRY(in.copy_in(task));
    Task* t = TRY(scheduling_target(task, pid));
    TRY(apply(
        task, *t, { policy & ~kResetOnFork, t->nice, parameters.priority, bool(policy & kResetOnFork) }));
    return 0;
}

SyscallResult sys_sched_setparam(Task& task, i32 pid, UserIn<SchedParam> in)
{
    if (in.is_null()) return err::inval;
    auto parameters = TRY(in.copy_in(task));
    Task* t = TRY(scheduling_target(task, pid));
    TRY(apply(task, *t, { t->policy, t->nice, parameters.priority, t->reset_on_fork }));
    return 0;
}

namespace {

/// The caller's structure, of whatever version. E2BIG tells it ours, as Linux does.
Result<SchedAttr> copy_in_attributes(Task& task, GuestAddr address)
{
    SchedAttr a {};
    u32 size = TRY(UserIn<u32> { address }.copy_in(task));
    if (size == 0) size = sched_attr_size_first;
    bool fits = size >= sched_attr_size_first && size <= kPageSize;
    for (u64 at = sizeof a; fits && at < size; ++at)
        fits = TRY(UserIn<u8> { address + at }.copy_in(task)) == 0;
    if (!fits) {
        TRY(UserOut<u32> { address }.copy_out(task, u32(sizeof a)));
        return err::too_big;
    }
    TRY(copy_from_user(task, &a, address, std::min<u64>(size, sizeof a)));
    a.nice = std::clamp(a.nice, -20, 19);
    return a;
}

} // namespace

namespace {

/// Without a period the deadline is that too. Numbers beyond a signed one's are nobody's: a runtime of -1 is refused.
DeadlineReservation reservation_of(SchedAttr const& a)
{
    auto limited = [](u64 value) { return value > u64(INT64_MAX) ? Nanoseconds(-1) : Nanoseconds(value); };
    Nanoseconds const deadline = limited(a.deadline);
    return { limited(a.runtime), deadline, a.period ? limited(a.period) : deadline,
        a.flags & kDeadlineFlags };
}

} // namespace

SyscallResult sys_sched_setattr(Task& task, i32 pid, GuestAddr address, u32 flags)
{
    if (address.is_null() || pid < 0 || flags) return err::inval;
    auto a = TRY(copy_in_attributes(task, address));
    constexpr u64 kClamps = 0x60,
                  kKnown
        = sched_flag_reset_on_fork | kDeadlineFlags | sched_flag_keep_policy | sched_flag_keep_params;
    Task* t = TRY(scheduling_target(task, pid));
    if (a.flags & kClamps) return err::opnotsupp; // a kernel without utilization clamps
    if (a.flags & ~kKnown) return err::inval;
    Wanted wanted { a.policy, a.nice, i32(a.priority), bool(a.flags & sched_flag_reset_on_fork),
        reservation_of(a) };
    if (a.flags & sched_flag_keep_policy) wanted.policy = t->policy, wanted.reset_on_fork = t->reset_on_fork;
    if (a.flags & sched_flag_keep_params)
        wanted.nice = t->nice, wanted.priority = t->rt_priority, wanted.deadline = t->deadline;
    TRY(apply(task, *t, wanted));
    return 0;
}

SyscallResult sys_sched_getattr(Task& task, i32 pid, GuestAddr address, u32 size, u32 flags)
{
    if (address.is_null() || pid < 0 || size < sched_attr_size_first || size > kPageSize || flags)
        return err::inval;
    Task* t = TRY(scheduling_target(task, pid));
    SchedAttr a {};
    a.size = std::min<u32>(size, sizeof a);
    a.policy = t->policy;
    a.flags = t->reset_on_fork ? sched_flag_reset_on_fork : 0;
    if (t->policy == kDeadline) {
        a.runtime = u64(t->deadline.runtime), a.deadline = u64(t->deadline.deadline);
        a.period = u64(t->deadline.period), a.flags |= t->deadline.flags;
    } else if (is_realtime(t->policy))
        a.priority = u32(t->rt_priority);
    else
        a.nice = t->nice;
    TRY(copy_to_user(task, address, &a, a.size));
    return 0;
}

SyscallResult sys_sched_getparam(Task& task, i32 pid, UserOut<SchedParam> out)
{
    if (out.is_null()) return err::inval;
    TRY(out.copy_out(task, { TRY(scheduling_target(task, pid))->rt_priority }));
    return 0;
}

SyscallResult sys_sched_get_priority_max(Task&, u32 policy)
{
    if (policy == kFifo || policy == kRr) return 99;
    if (policy == kOther || policy == kBatch || policy == kIdle || policy == 6) return 0;
    return err::inval;
}

SyscallResult sys_sched_get_priority_min(Task&, u32 policy)
{
    if (policy == kFifo || policy == kRr) return 1;
    if (policy == kOther || policy == kBatch || policy == kIdle || policy == 6) return 0;
    return err::inval;
}

SyscallResult sys_sched_rr_get_interval(Task& task, i32 pid, UserOut<Timespec> out)
{
    Task* t = TRY(scheduling_target(task, pid));
    bool const sliced = !(t->policy == kFifo || t->policy == kDeadline);
    TRY(out.copy_out(task, { 0, t->policy == kRr ? Scheduler::kRoundRobinSlice : sliced ? 4'000'000 : 0 }));
    return 0;
}

} // namespace umbra
