// SPDX-License-Identifier: GPL-2.0-or-later
// prctl(2). What concerns credentials, memory and the machine is in files of its own.
#include "core/syscall/prctl.h"
#include "core/abi/signal.h"
#include "core/syscall/seccomp.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"

namespace umbra {

using namespace abi;

namespace {

template <typename T> SyscallResult give(Task& task, u64 address, T value)
{
    TRY(UserOut<T> { GuestAddr(address) }.copy_out(task, value));
    return 0;
}

SyscallResult set_name(Task& task, GuestAddr from)
{
    char name[16] = {};
    auto text = copy_string_from_user(task, from, 16, err::nametoolong);
    if (text.is_error() && text.error() == err::fault) return err::fault;
    if (text.is_error()) TRY(copy_from_user(task, name, from, 15));
    task.set_name(text.ok() ? std::string_view(text.value()) : std::string_view(name));
    return 0;
}

SyscallResult get_name(Task& task, GuestAddr to)
{
    char name[16] = {};
    task.name().copy(name, 15);
    TRY(copy_to_user(task, to, name, sizeof name));
    return 0;
}

/// The slack of a task with a realtime policy is nothing, and stays so.
SyscallResult set_timer_slack(Task& task, u64 slack)
{
    if (task.rt_priority > 0) return 0;
    task.timer_slack = i64(slack) > 0 ? Nanoseconds(slack) : task.default_timer_slack;
    return 0;
}

/// Yama's exception for one process. Nobody needs it while kernel.yama.ptrace_scope is 0, as it always is here.
SyscallResult set_ptracer(Task& task, u64 pid)
{
    constexpr u64 any = ~u64 { 0 };
    if (pid == 0 || pid == any) return 0;
    return task.kernel().processes().find_task(pid_in(task, i32(pid))) ? SyscallResult(0)
                                                                       : SyscallResult(err::inval);
}

SyscallResult io_flusher(Task& task, PrctlCall const& call)
{
    if (!task.credentials().has(Capability::sys_resource)) return err::perm;
    if (call.option == Prctl::get_io_flusher)
        return call.has_any() ? SyscallResult(err::inval) : SyscallResult(task.io_flusher);
    if (call.b || call.c || call.d || call.a > 1) return err::inval;
    task.io_flusher = call.a;
    return 0;
}

/// Options that are the process's.
PrctlResult prctl_process(Task& task, PrctlCall const& call)
{
    Process& process = task.process();
    bool const is_flag = call.a <= 1;
    switch (call.option) {
    case Prctl::get_dumpable:
        return SyscallResult(process.dumpable);
    case Prctl::set_dumpable:
        if (!is_flag) return SyscallResult(err::inval);
        process.dumpable = call.a;
        return SyscallResult(0);
    case Prctl::set_child_subreaper:
        process.is_subreaper = call.a;
        return SyscallResult(0);
    case Prctl::get_child_subreaper:
        return give(task, call.a, i32(process.is_subreaper));
    case Prctl::set_thp_disable:
        if (call.b || call.c || call.d) return SyscallResult(err::inval);
        process.huge_pages_disabled = call.a;
        return SyscallResult(0);
    case Prctl::get_thp_disable:
        return call.has_any() ? SyscallResult(err::inval) : SyscallResult(process.huge_pages_disabled);
    default:
        return {};
    }
}

/// Options that are the thread's.
PrctlResult prctl_thread(Task& task, PrctlCall const& call)
{
    switch (call.option) {
    case Prctl::set_pdeathsig:
        if (call.a > u64(signal_count)) return SyscallResult(err::inval);
        task.parent_death_signal = u32(call.a);
        return SyscallResult(0);
    case Prctl::get_pdeathsig:
        return give(task, call.a, i32(task.parent_death_signal));
    case Prctl::set_name:
        return set_name(task, GuestAddr(call.a));
    case Prctl::get_name:
        return get_name(task, GuestAddr(call.a));
    case Prctl::get_timing:
        return SyscallResult(0); // statistical, the only way
    case Prctl::set_timing:
        return call.a == 0 ? SyscallResult(0) : SyscallResult(err::inval);
    case Prctl::set_timerslack:
        return set_timer_slack(task, call.a);
    case Prctl::get_timerslack:
        return SyscallResult(task.timer_slack);
    case Prctl::set_no_new_privs:
        if (call.a != 1 || call.b || call.c || call.d) return SyscallResult(err::inval);
        task.no_new_privileges = true;
        return SyscallResult(0);
    case Prctl::get_no_new_privs:
        return call.has_any() ? SyscallResult(err::inval) : SyscallResult(task.no_new_privileges);
    case Prctl::get_tid_address:
        return give(task, call.a, task.clear_child_tid.value);
    case Prctl::get_seccomp:
        return SyscallResult(task.seccomp_mode);
    case Prctl::set_seccomp:
        return set_seccomp_mode(task, call.a, GuestAddr(call.b));
    case Prctl::set_ptracer:
        return set_ptracer(task, call.a);
    case Prctl::set_io_flusher:
    case Prctl::get_io_flusher:
        return io_flusher(task, call);
    default:
        return {};
    }
}

} // namespace

SyscallResult sys_prctl(Task& task, i32 option, u64 a, u64 b, u64 c, u64 d)
{
    PrctlCall const call { Prctl(option), a, b, c, d };
    for (auto family : { prctl_thread, prctl_process, prctl_credentials, prctl_memory, prctl_machine })
        if (auto result = family(task, call)) return *result;
    return err::inval; // as a kernel that does not know the option
}

} // namespace umbra
