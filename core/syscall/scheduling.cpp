// SPDX-License-Identifier: GPL-2.0-or-later
// Scheduling: yield, priorities, policies, affinity; prctl and the small calls about a task itself.
#include "core/task/scheduler.h"

#include <algorithm>

#include "core/abi/process.h"
#include "core/syscall/syscall.h"
#include "core/syscall/wait-options.h"
#include "core/task/process-table.h"

namespace umbra {

using namespace abi;

SyscallResult sys_sched_yield(Task& task)
{
    task.vcpu->yield();
    return 0;
}

namespace {

constexpr u32 kOther = 0, kFifo = 1, kRr = 2, kBatch = 3, kIdle = 5, kResetOnFork = 0x40000000;

Result<Task*> target_of(Task& task, i32 pid)
{
    if (pid < 0) return err::inval;
    if (pid == 0) return &task;
    Task* t = task.kernel().processes().find_task(Pid(pid));
    if (!t) return err::srch;
    return t;
}

bool may_change(Task& task, Task& other)
{
    auto const& me = task.credentials();
    auto const& you = other.credentials();
    return me.has(Capability::sys_nice) || me.euid == you.uid || me.euid == you.euid;
}

/// The lowest nice value that RLIMIT_NICE allows.
i32 nice_floor(Task& task)
{
    if (task.credentials().has(Capability::sys_nice)) return -20;
    return 20 - i32(std::min<u64>(40, task.limit(Resource::nice)));
}

} // namespace

SyscallResult sys_sched_setaffinity(Task& task, i32 pid, u32 size, GuestAddr mask)
{
    Task* t = TRY(target_of(task, pid));
    if (!may_change(task, *t)) return err::perm;
    u64 bits = 0;
    TRY(copy_from_user(task, &bits, mask, std::min<u32>(size, sizeof bits)));
    u64 possible = (u64 { 1 } << task.kernel().scheduler().vcpu_count()) - 1;
    if (!(bits & possible)) return err::inval;
    t->affinity = bits & possible;
    if (t == &task && !(t->affinity >> task.vcpu->index() & 1)) task.kernel().scheduler().migrate_current();
    return 0;
}

SyscallResult sys_sched_getaffinity(Task& task, i32 pid, u32 size, GuestAddr mask)
{
    Task* t = TRY(target_of(task, pid));
    if (size < 8 || size % 8) return err::inval;
    u64 possible = (u64 { 1 } << task.kernel().scheduler().vcpu_count()) - 1;
    u64 bits = t->affinity & possible;
    TRY(copy_to_user(task, mask, &bits, sizeof bits));
    return sizeof bits;
}

SyscallResult sys_sched_getscheduler(Task& task, i32 pid) { return TRY(target_of(task, pid))->policy; }

SyscallResult sys_sched_setscheduler(Task& task, i32 pid, u32 policy, UserIn<SchedParam> in)
{
    if (in.is_null()) return err::inval;
    auto parameters = TRY(in.copy_in(task));
    Task* t = TRY(target_of(task, pid));
    u32 kind = policy & ~kResetOnFork;
    bool realtime = kind == kFifo || kind == kRr;
    if (!realtime && kind != kOther && kind != kBatch && kind != kIdle) return err::inval;
    if (realtime ? parameters.priority < 1 || parameters.priority > 99 : parameters.priority != 0) return err::inval;
    if (!may_change(task, *t)) return err::perm;
    if (realtime && !task.credentials().has(Capability::sys_nice)
        && u64(parameters.priority) > task.limit(Resource::rtprio))
        return err::perm;
    t->policy = kind;
    t->rt_priority = parameters.priority;
    return 0;
}

SyscallResult sys_sched_setparam(Task& task, i32 pid, UserIn<SchedParam> in)
{
    Task* t = TRY(target_of(task, pid));
    return sys_sched_setscheduler(task, pid, t->policy, in);
}

SyscallResult sys_sched_getparam(Task& task, i32 pid, UserOut<SchedParam> out)
{
    if (out.is_null()) return err::inval;
    TRY(out.copy_out(task, { TRY(target_of(task, pid))->rt_priority }));
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
    Task* t = TRY(target_of(task, pid));
    TRY(out.copy_out(task, { 0, t->policy == kRr ? 100'000'000 : 4'000'000 }));
    return 0;
}

namespace {

constexpr i32 kPrioProcess = 0, kPrioGroup = 1, kPrioUser = 2;

Result<std::vector<Task*>> priority_targets(Task& task, i32 which, i32 who)
{
    std::vector<Task*> found;
    auto& table = task.kernel().processes();
    switch (which) {
    case kPrioProcess:
        if (Task* t = who ? table.find_task(Pid(who)) : &task) found.push_back(t);
        break;
    case kPrioGroup: {
        ProcessGroup* g = who ? table.find_group(Pid(who)) : task.process().group.get();
        if (g)
            for (Process* p : g->members)
                found.insert(found.end(), p->threads.begin(), p->threads.end());
        break;
    }
    case kPrioUser: {
        u32 uid = who ? u32(who) : task.credentials().uid;
        for (auto const& [id, t] : table.tasks())
            if (t->credentials().uid == uid) found.push_back(t);
        break;
    }
    default: return err::inval;
    }
    if (found.empty()) return err::srch;
    return found;
}

} // namespace

SyscallResult sys_getpriority(Task& task, i32 which, i32 who)
{
    auto targets = TRY(priority_targets(task, which, who));
    i32 best = 20;
    for (Task* t : targets)
        best = std::min(best, t->nice);
    return 20 - best; // the system call returns 40..1, the library turns it round
}

SyscallResult sys_setpriority(Task& task, i32 which, i32 who, i32 nice)
{
    auto targets = TRY(priority_targets(task, which, who));
    nice = std::clamp(nice, -20, 19);
    for (Task* t : targets) {
        if (!may_change(task, *t)) return err::perm;
        if (nice < t->nice && nice < nice_floor(task)) return err::acces;
        t->nice = nice;
    }
    return 0;
}

namespace {

/// prctl(2)'s options.
enum : i32 {
    set_pdeathsig = 1, get_pdeathsig = 2, get_dumpable = 3, set_dumpable = 4, get_keepcaps = 7, set_keepcaps = 8,
    set_name = 15, get_name = 16, capbset_read = 23, capbset_drop = 24, get_securebits = 27, set_securebits = 28,
    set_timerslack = 29, get_timerslack = 30, set_child_subreaper = 36, get_child_subreaper = 37,
    set_no_new_privs = 38, get_no_new_privs = 39, get_tid_address = 40, set_thp_disable = 41, get_thp_disable = 42,
    cap_ambient = 47, set_vma = 0x53564d41,
};

/// PR_CAP_AMBIENT.
SyscallResult ambient_capabilities(Task& task, u64 a, u64 b, u64 c, u64 d)
{
    enum : u64 { is_set = 1, raise = 2, lower = 3, clear_all = 4 };
    auto cred = task.credentials().clone();
    if (a == clear_all && !b && !c && !d) {
        cred->ambient = 0;
    } else {
        if (b > 40 || c || d) return err::inval;
        u64 bit = u64 { 1 } << b;
        if (a == is_set) return bool(cred->ambient & bit);
        if (a == raise && !((cred->permitted & cred->inheritable) & bit)) return err::perm;
        if (a != raise && a != lower) return err::inval;
        cred->ambient = a == raise ? cred->ambient | bit : cred->ambient & ~bit;
    }
    task.set_credentials(std::move(cred));
    return 0;
}

/// Options that read or change credentials.
SyscallResult credential_option(Task& task, i32 option, u64 a, u64 b, u64 c, u64 d)
{
    constexpr u32 kKeepCaps = 1 << 4;
    switch (option) {
    case get_keepcaps: return bool(task.credentials().securebits & kKeepCaps);
    case set_keepcaps: {
        if (a > 1) return err::inval;
        auto cred = task.credentials().clone();
        cred->securebits = (cred->securebits & ~kKeepCaps) | (a ? kKeepCaps : 0);
        task.set_credentials(std::move(cred));
        return 0;
    }
    case capbset_read:
        if (a > 40) return err::inval;
        return task.credentials().bounding >> a & 1;
    case capbset_drop: {
        if (!task.credentials().has(Capability::setpcap)) return err::perm;
        if (a > 40) return err::inval;
        auto cred = task.credentials().clone();
        cred->bounding &= ~(u64 { 1 } << a);
        task.set_credentials(std::move(cred));
        return 0;
    }
    case get_securebits: return task.credentials().securebits;
    case set_securebits: {
        if (!task.credentials().has(Capability::setpcap)) return err::perm;
        if (a > 0xff) return err::perm;
        auto cred = task.credentials().clone();
        cred->securebits = u32(a);
        task.set_credentials(std::move(cred));
        return 0;
    }
    case cap_ambient: return ambient_capabilities(task, a, b, c, d);
    default: return err::inval; // as a kernel that does not know the option
    }
}

} // namespace

SyscallResult sys_prctl(Task& task, i32 option, u64 a, u64 b, u64 c, u64 d)
{
    Process& process = task.process();
    switch (option) {
    case set_pdeathsig:
        if (a > u64(signal_count)) return err::inval;
        task.parent_death_signal = u32(a);
        return 0;
    case get_pdeathsig: TRY((UserOut<i32> { GuestAddr(a) }.copy_out(task, i32(task.parent_death_signal)))); return 0;
    case get_dumpable: return process.dumpable;
    case set_dumpable:
        if (a > 1) return err::inval;
        process.dumpable = a;
        return 0;
    case set_name: {
        char name[16] = {};
        auto text = copy_string_from_user(task, GuestAddr(a), 16, err::nametoolong);
        if (text.is_error() && text.error() == err::fault) return err::fault;
        if (text.is_error()) TRY(copy_from_user(task, name, GuestAddr(a), 15));
        task.set_name(text.ok() ? std::string_view(text.value()) : std::string_view(name));
        return 0;
    }
    case get_name: {
        char name[16] = {};
        task.name().copy(name, 15);
        TRY(copy_to_user(task, GuestAddr(a), name, sizeof name));
        return 0;
    }
    case set_timerslack: task.timer_slack = a ? Nanoseconds(a) : 50'000; return 0;
    case get_timerslack: return task.timer_slack;
    case set_child_subreaper: process.is_subreaper = a; return 0;
    case get_child_subreaper: TRY((UserOut<i32> { GuestAddr(a) }.copy_out(task, process.is_subreaper))); return 0;
    case set_no_new_privs:
        if (a != 1 || b || c || d) return err::inval;
        task.no_new_privileges = true;
        return 0;
    case get_no_new_privs:
        if (a || b || c || d) return err::inval;
        return task.no_new_privileges;
    case get_tid_address: TRY((UserOut<u64> { GuestAddr(a) }.copy_out(task, task.clear_child_tid.value))); return 0;
    default: return credential_option(task, option, a, b, c, d);
    }
}

} // namespace umbra
