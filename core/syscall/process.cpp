// SPDX-License-Identifier: GPL-2.0-or-later
// Processes: fork, clone, exec, exit, wait, and who is who.
#include "core/abi/process.h"

#include <algorithm>

#include "core/mm/address-space.h"
#include "core/syscall/syscall.h"
#include "core/task/cpu-timer.h"
#include "core/task/lifecycle.h"
#include "core/task/permissions.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"
#include "core/task/scheduler.h"
#include "core/time/timekeeper.h"
#include "core/vfs/operations.h"
#include "core/vfs/pidfd.h"

namespace umbra {

using namespace abi;

SyscallResult sys_fork(Task& task) { return TRY(clone_task(task, { .exit_signal = sigchld })).value; }

SyscallResult sys_vfork(Task& task)
{
    return TRY(clone_task(task, { .flags = clone_vfork | clone_vm, .exit_signal = sigchld })).value;
}

SyscallResult sys_clone(Task& task, u64 flags, u64 stack, GuestAddr parent_tid, GuestAddr child_tid, u64 tls)
{
    CloneRequest request;
    request.flags = flags & 0xffffff00;
    request.exit_signal = u32(flags & csignal);
    request.stack = stack;
    request.tls = tls;
    request.parent_tid = request.pidfd = parent_tid;
    request.child_tid = child_tid;
    if ((flags & clone_pidfd) && (flags & clone_parent_settid)) return err::inval;
    return TRY(clone_task(task, request)).value;
}

SyscallResult sys_clone3(Task& task, GuestAddr address, u64 size)
{
    constexpr u64 kFirstSize = 64;
    if (size > kPageSize) return err::too_big;
    if (size < kFirstSize) return err::inval;
    CloneArgs a {};
    TRY(copy_from_user(task, &a, address, std::min<u64>(size, sizeof a)));
    for (u64 at = sizeof a; at < size; ++at)
        if (TRY((UserIn<u8> { address + at }.copy_in(task)))) return err::too_big;
    // CLONE_NEWTIME is where clone(2) has the signal.
    if (a.flags & ((csignal & ~clone_newtime) | clone_detached)) return err::inval;
    if (a.exit_signal > u64(signal_count)) return err::inval;
    if ((a.flags & (clone_thread | clone_parent)) && a.exit_signal) return err::inval;
    if ((a.stack == 0) != (a.stack_size == 0)) return err::inval;
    if (a.set_tid_size > PidNamespace::kMaxLevel || !a.set_tid != !a.set_tid_size) return err::inval;
    if ((a.flags & clone_into_cgroup) && (a.cgroup > INT32_MAX || size < sizeof a)) return err::inval;
    CloneRequest request;
    if (a.flags & clone_into_cgroup) request.cgroup = GuestFd(i32(a.cgroup));
    if (a.set_tid)
        request.set_tid = TRY(UserIn<i32> { GuestAddr(a.set_tid) }.copy_in_array(task, a.set_tid_size));
    request.flags = a.flags;
    request.exit_signal = u32(a.exit_signal);
    request.stack = a.stack + a.stack_size;
    request.tls = a.tls;
    request.parent_tid = GuestAddr(a.parent_tid), request.child_tid = GuestAddr(a.child_tid);
    request.pidfd = GuestAddr(a.pidfd);
    return TRY(clone_task(task, request)).value;
}

namespace {

Result<std::vector<std::string>> copy_string_array(Task& task, GuestAddr array)
{
    std::vector<std::string> strings;
    if (array.is_null()) return strings; // Linux allows a null argv or envp
    u64 total = 0;
    for (u64 i = 0;; ++i) {
        u64 pointer = TRY((UserIn<u64> { array }.copy_in(task, i)));
        if (!pointer) return strings;
        strings.push_back(TRY(copy_string_from_user(task, GuestAddr(pointer), 128 << 10, err::too_big)));
        total += strings.back().size() + 9;
        if (total > 6 << 20) return err::too_big;
    }
}

SyscallResult exec_common(Task& task, ExecRequest request, GuestAddr argv, GuestAddr envp)
{
    request.arguments = TRY(copy_string_array(task, argv));
    request.environment = TRY(copy_string_array(task, envp));
    TRY(exec_task(task, std::move(request)));
    task.result_in_registers = true;
    return 0;
}

} // namespace

SyscallResult sys_execve(Task& task, UserCString path, GuestAddr argv, GuestAddr envp)
{
    auto name = TRY(path.copy_in(task));
    auto base = TRY(task.path_base(GuestFd(at_fdcwd), name));
    return exec_common(task, { .base = base, .name = name }, argv, envp);
}

SyscallResult sys_execveat(
    Task& task, GuestFd dir, UserCString path, GuestAddr argv, GuestAddr envp, u32 flags)
{
    if (flags & ~(at_empty_path | at_symlink_nofollow)) return err::inval;
    auto name = TRY(path.copy_in(task));
    if (name.empty() && !(flags & at_empty_path)) return err::noent;
    auto base = TRY(task.path_base(dir, name));
    ExecRequest request { .base = base,
        .name = name,
        .follow_last = !(flags & at_symlink_nofollow),
        .allow_empty = bool(flags & at_empty_path) };
    if (name.empty()) request.name = "/dev/fd/" + std::to_string(dir.value);
    if (name.empty()) request.file = TRY(task.files().get(dir, true));
    if (!name.empty() && name[0] != '/' && dir.value != at_fdcwd)
        request.script_name = "/dev/fd/" + std::to_string(dir.value) + "/" + name;
    return exec_common(task, std::move(request), argv, envp);
}

SyscallResult sys_unshare(Task& task, u64 flags)
{
    TRY(unshare_task(task, flags));
    return 0;
}

SyscallResult sys_exit(Task& task, i32 code)
{
    // The status of the last thread to leave is the process's, unless exit_group or a signal has set one.
    task.exit_status = u32(code & 0xff) << 8;
    if (!task.process().group_exiting) task.process().exit_code = task.exit_status;
    exit_current_task();
}

SyscallResult sys_exit_group(Task& task, i32 code)
{
    exit_group(task.process(), u32(code & 0xff) << 8);
    return 0;
}

namespace {

Rusage to_rusage(ResourceUsage const& u)
{
    auto tv = [](Nanoseconds ns) {
        return Timeval { ns / kNanosecondsPerSecond, ns % kNanosecondsPerSecond / 1000 };
    };
    Rusage r {};
    r.utime = tv(u.user), r.stime = tv(u.system);
    r.maxrss = i64(u.max_rss_pages * 4);
    r.minflt = i64(u.minor_faults), r.majflt = i64(u.major_faults);
    r.nvcsw = i64(u.voluntary_switches), r.nivcsw = i64(u.involuntary_switches);
    r.inblock = i64(u.blocks_in), r.oublock = i64(u.blocks_out);
    return r;
}

} // namespace

ResourceUsage task_usage(Task& task)
{
    ResourceUsage u = task.usage;
    auto& time = task.kernel().time();
    u64 running = task.state == TaskState::running ? Timekeeper::cycles() - task.last_switch_cycles : 0;
    u.user = time.cycles_to_ns(task.user_cycles + (task.in_user ? running : 0));
    u.system = time.cycles_to_ns(task.system_cycles + (task.in_user ? 0 : running));
    return u;
}

ResourceUsage process_usage(Process& process)
{
    ResourceUsage u = process.own_usage;
    for (Task* t : process.threads) {
        u.add(task_usage(*t));
        if (t->has_mm()) u.max_rss_pages = std::max(u.max_rss_pages, t->mm().peak_resident_pages());
    }
    return u;
}

SyscallResult sys_wait4(Task& task, i32 pid, UserOut<i32> status, u32 options, UserOut<Rusage> usage)
{
    constexpr u32 kKnown = wnohang | wuntraced | wcontinued | 0xe0000000;
    if (options & ~kKnown) return err::inval;
    if (pid == INT32_MIN) return err::srch;
    WaitRequest request;
    request.options = options | wexited;
    if (pid > 0)
        request.which = WaitRequest::Which::pid, request.id = pid_in(task, pid);
    else if (pid < -1)
        request.which = WaitRequest::Which::group, request.id = pid_in(task, -pid);
    else if (pid == 0)
        request.which = WaitRequest::Which::group;
    auto outcome = TRY(wait_for_child(task, request));
    if (outcome.pid.value == 0) return 0;
    if (!usage.is_null()) TRY(usage.copy_out(task, to_rusage(outcome.usage)));
    if (!status.is_null()) TRY(status.copy_out(task, i32(outcome.status)));
    return outcome.pid.value;
}

SyscallResult sys_waitid(
    Task& task, i32 which, i32 id, UserOut<SigInfo> info, u32 options, UserOut<Rusage> usage)
{
    constexpr u32 kKnown = wnohang | wnowait | wexited | wstopped | wcontinued | 0xe0000000;
    if ((options & ~kKnown) || !(options & (wexited | wstopped | wcontinued))) return err::inval;
    WaitRequest request;
    request.options = options;
    switch (which) {
    case p_all:
        break;
    case p_pid:
        if (id <= 0) return err::inval;
        request.which = WaitRequest::Which::pid, request.id = pid_in(task, id);
        break;
    case p_pgid:
        if (id < 0) return err::inval;
        request.which = WaitRequest::Which::group, request.id = pid_in(task, id);
        break;
    case p_pidfd: {
        if (id < 0) return err::inval;
        auto file = TRY(task.files().get(GuestFd(id)));
        request.which = WaitRequest::Which::pid, request.id = TRY(vfs::pidfd_process(*file));
        if (file->is_nonblocking()) request.options |= wnohang;
        break;
    }
    default:
        return err::inval;
    }
    auto outcome = TRY(wait_for_child(task, request));
    if (outcome.pid.value == 0 && which == p_pidfd && !(options & wnohang)) return err::again;
    SigInfo out;
    if (outcome.pid.value) {
        out.signo = sigchld;
        out.code = outcome.code;
        out.child.pid = outcome.pid.value;
        out.child.uid = task.credentials().user_namespace->uid_out(outcome.uid);
        out.child.status = outcome.code == cld_exited                    ? i32(outcome.status >> 8 & 0xff)
            : outcome.code == cld_stopped || outcome.code == cld_trapped ? i32(outcome.status >> 8)
            : outcome.code == cld_continued                              ? sigcont
                                                                         : i32(outcome.status & 0x7f);
        if (!usage.is_null()) TRY(usage.copy_out(task, to_rusage(outcome.usage)));
    }
    // Linux writes these members alone; the rest of the caller's buffer stays.
    if (!info.is_null())
        TRY(copy_to_user(task, info.address, &out, 12)),
            TRY(copy_to_user(task, info.address + 16, &out.child, 12));
    return 0;
}

SyscallResult sys_getpid(Task& task) { return pid_out(task, task.pid()); }
SyscallResult sys_gettid(Task& task) { return pid_out(task, task.tid()); }
SyscallResult sys_getppid(Task& task)
{
    // 0 too for a parent outside the pid namespace.
    Process const* parent = task.process().parent;
    return parent ? pid_out(task, parent->id) : 0;
}

SyscallResult sys_set_tid_address(Task& task, GuestAddr address)
{
    task.clear_child_tid = address;
    return pid_out(task, task.tid());
}

SyscallResult sys_getrusage(Task& task, i32 who, UserOut<Rusage> out)
{
    constexpr i32 kSelf = 0, kChildren = -1, kThread = 1;
    ResourceUsage u;
    if (who == kSelf)
        u = process_usage(task.process());
    else if (who == kChildren)
        u = task.process().children_usage;
    else if (who == kThread)
        u = task_usage(task);
    else
        return err::inval;
    TRY(out.copy_out(task, to_rusage(u)));
    return 0;
}

SyscallResult sys_times(Task& task, UserOut<Tms> out)
{
    constexpr Nanoseconds kTick = 10'000'000;
    auto own = process_usage(task.process());
    auto const& children = task.process().children_usage;
    if (!out.is_null())
        TRY(out.copy_out(
            task, { own.user / kTick, own.system / kTick, children.user / kTick, children.system / kTick }));
    return task.kernel().time().boottime() / kTick;
}

namespace {

Result<Process*> limit_target(Task& task, i32 pid)
{
    if (pid == 0) return &task.process();
    Task* other = task.kernel().processes().find_task(pid_in(task, pid));
    if (!other) return err::srch;
    auto const& me = task.credentials();
    auto const& you = other->credentials();
    bool same = me.uid == you.euid && me.uid == you.suid && me.uid == you.uid && me.gid == you.egid
        && me.gid == you.sgid && me.gid == you.gid;
    bool const may = same || &other->process() == &task.process()
        || is_capable(me, *you.user_namespace, Capability::sys_resource);
    if (!may) return err::perm;
    return &other->process();
}

} // namespace

SyscallResult sys_prlimit64(
    Task& task, i32 pid, u32 resource, UserIn<RlimitPair> new_limit, UserOut<RlimitPair> old_limit)
{
    if (resource >= u32(Resource::count)) return err::inval;
    RlimitPair wanted {};
    if (!new_limit.is_null()) wanted = TRY(new_limit.copy_in(task));
    Process* process = TRY(limit_target(task, pid));
    Rlimit& limit = process->limits[resource];
    RlimitPair old { limit.current, limit.maximum };
    if (!new_limit.is_null()) {
        if (wanted.current > wanted.maximum) return err::inval;
        if (wanted.maximum > limit.maximum && !task.credentials().has(Capability::sys_resource))
            return err::perm;
        if (Resource(resource) == Resource::nofile && wanted.maximum > 1 << 20) return err::perm;
        limit = { wanted.current, wanted.maximum };
        if (Resource(resource) == Resource::cpu) recheck_cpu_timers(*process);
        if (Task* t = process->any_thread(); t && t->has_mm()) {
            auto& mm = t->mm();
            if (Resource(resource) == Resource::as) mm.limit_address_space = wanted.current;
            if (Resource(resource) == Resource::data) mm.limit_data = wanted.current;
            if (Resource(resource) == Resource::stack) mm.limit_stack = wanted.current;
            if (Resource(resource) == Resource::memlock) mm.limit_memlock = wanted.current;
        }
    }
    if (!old_limit.is_null()) TRY(old_limit.copy_out(task, old));
    return 0;
}

SyscallResult sys_getrlimit(Task& task, u32 resource, UserOut<RlimitPair> out)
{
    return sys_prlimit64(task, 0, resource, {}, out);
}

SyscallResult sys_setrlimit(Task& task, u32 resource, UserIn<RlimitPair> in)
{
    TRY(in.copy_in(task));
    return sys_prlimit64(task, 0, resource, in, {});
}

} // namespace umbra
