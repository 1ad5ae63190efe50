// SPDX-License-Identifier: GPL-2.0-or-later
// Signals: dispositions, masks, sending, waiting. signalfd is core/ipc's.
#include "core/abi/signal.h"

#include "core/syscall/syscall.h"
#include "core/syscall/wait-options.h"
#include "core/task/lifecycle.h"
#include "core/task/permissions.h"
#include "core/task/pid-namespace.h"
#include "core/task/posix-timers.h"
#include "core/task/process-table.h"
#include "core/task/scheduler.h"
#include "core/time/timekeeper.h"

namespace umbra {

using namespace abi;

namespace {

constexpr u64 kUnblockable = sigbit(sigkill) | sigbit(sigstop);
constexpr u64 kSetSize = 8;

bool is_signal(int signal) { return signal >= 1 && signal <= signal_count; }

/// The process of a number; a thread's number names its process too. Null for none.
Process* process_of(ProcessTable const& table, Pid id)
{
    if (Process* process = table.find_process(id)) return process;
    Task* thread = table.find_task(id);
    return thread ? &thread->process() : nullptr;
}

} // namespace

SyscallResult sys_kill(Task& task, i32 pid, i32 signal)
{
    if (signal != 0 && !is_signal(signal)) return err::inval;
    auto& table = task.kernel().processes();
    SigInfo info = user_signal(signal, task);
    if (pid > 0) {
        Process* target = process_of(table, pid_in(task, pid));
        if (!target) return err::srch;
        TRY(signal_as(task, *target, info, signal));
        return 0;
    }
    if (pid == INT32_MIN) return err::srch;
    std::vector<Ref<Process>> targets;
    if (pid == -1) {
        for (auto const& [id, p] : table.processes())
            if (pid_out(task, Pid(id)) > 1 && p != &task.process()) targets.push_back(Ref<Process>(*p));
    } else {
        ProcessGroup* group = pid == 0 ? task.process().group.get() : table.find_group(pid_in(task, -pid));
        if (!group) return err::srch;
        targets = members_of(*group);
    }
    if (targets.empty()) return err::srch;
    auto sent = signal_each_as(task, targets, info, signal);
    if (sent.is_error() && pid != -1) return sent.error();
    return 0;
}

SyscallResult sys_tgkill(Task& task, i32 tgid, i32 tid, i32 signal)
{
    if (tgid <= 0 || tid <= 0 || (signal != 0 && !is_signal(signal))) return err::inval;
    Task* target = task.kernel().processes().find_task(pid_in(task, tid));
    if (!target || target->pid() != pid_in(task, tgid)) return err::srch;
    TRY(check_may_signal(task, target->process(), signal));
    if (!signal) return 0;
    SigInfo info = user_signal(signal, task);
    info.code = si_tkill;
    TRY(send_signal(*target, info));
    return 0;
}

SyscallResult sys_tkill(Task& task, i32 tid, i32 signal)
{
    if (tid <= 0) return err::inval;
    Task* target = task.kernel().processes().find_task(pid_in(task, tid));
    if (!target) return is_signal(signal) || signal == 0 ? err::srch : err::inval;
    return sys_tgkill(task, pid_out(task, target->pid()), tid, signal);
}

namespace {

Result<SigInfo> copy_in_info(Task& task, UserIn<SigInfo> in, i32 signal)
{
    SigInfo info = TRY(in.copy_in(task));
    info.signo = signal;
    info.origin = 0; // guests' padding
    if (info.code < 0 && !pid_namespace(task).is_first()) info.kill.pid = pid_in(task, info.kill.pid).value;
    auto const& users = *task.credentials().user_namespace;
    if (info.code < 0 && !users.is_first()) info.kill.uid = users.uid_in(info.kill.uid).value_or(kNoId);
    return info;
}

} // namespace

SyscallResult sys_rt_sigqueueinfo(Task& task, i32 pid, i32 signal, UserIn<SigInfo> in)
{
    SigInfo info = TRY(copy_in_info(task, in, signal));
    // Nobody may pose as the kernel or as kill(2) towards others.
    if ((info.code >= 0 || info.code == si_tkill) && pid_in(task, pid) != task.tid()) return err::perm;
    Process* target = process_of(task.kernel().processes(), pid_in(task, pid));
    if (signal != 0 && !is_signal(signal)) return err::inval;
    if (!target) return err::srch;
    TRY(signal_as(task, *target, info, signal));
    return 0;
}

SyscallResult sys_rt_tgsigqueueinfo(Task& task, i32 tgid, i32 tid, i32 signal, UserIn<SigInfo> in)
{
    if (tgid <= 0 || tid <= 0) return err::inval;
    SigInfo info = TRY(copy_in_info(task, in, signal));
    if ((info.code >= 0 || info.code == si_tkill) && pid_in(task, tgid) != task.pid()) return err::perm;
    if (signal != 0 && !is_signal(signal)) return err::inval;
    Task* target = task.kernel().processes().find_task(pid_in(task, tid));
    if (!target || target->pid() != pid_in(task, tgid)) return err::srch;
    TRY(check_may_signal(task, target->process(), signal));
    if (signal) TRY(send_signal(*target, info));
    return 0;
}

namespace {

/// Timers whose signals have just been discarded go on.
void resume_lost_timers(Process& process)
{
    if (!process.timers) return;
    for (auto& [id, timer] : process.timers->timers)
        timer->resume_if_lost();
}

} // namespace

SyscallResult sys_rt_sigaction(
    Task& task, i32 signal, UserIn<KernelSigaction> in, UserOut<KernelSigaction> out, u64 size)
{
    if (size != kSetSize || !is_signal(signal)) return err::inval;
    KernelSigaction wanted {};
    if (!in.is_null()) wanted = TRY(in.copy_in(task));
    if (!in.is_null() && (signal == sigkill || signal == sigstop)) return err::inval;
    auto& action = task.process().handlers->actions[size_t(signal - 1)];
    KernelSigaction old = action;
    if (!in.is_null()) {
        wanted.mask &= ~kUnblockable;
        action = wanted;
        // POSIX: what becomes ignored is discarded if pending.
        if (is_signal_ignored(task, signal)) {
            task.process().shared_pending.remove(sigbit(signal));
            for (Task* t : task.process().threads)
                t->pending.remove(sigbit(signal));
            resume_lost_timers(task.process());
        }
    }
    if (!out.is_null()) TRY(out.copy_out(task, old));
    return 0;
}

SyscallResult sys_rt_sigprocmask(Task& task, i32 how, UserIn<u64> in, UserOut<u64> out, u64 size)
{
    if (size != kSetSize) return err::inval;
    u64 old = task.blocked;
    if (!in.is_null()) {
        u64 set = TRY(in.copy_in(task)) & ~kUnblockable;
        switch (how) {
        case sig_block:
            task.blocked |= set;
            break;
        case sig_unblock:
            task.blocked &= ~set;
            break;
        case sig_setmask:
            task.blocked = set;
            break;
        default:
            return err::inval;
        }
    }
    if (!out.is_null()) TRY(out.copy_out(task, old));
    return 0;
}

SyscallResult sys_rt_sigpending(Task& task, UserOut<u64> out, u64 size)
{
    if (size > kSetSize) return err::inval;
    u64 set = (task.pending.set() | task.process().shared_pending.set()) & task.blocked;
    TRY(copy_to_user(task, out.address, &set, size));
    return 0;
}

SyscallResult sys_rt_sigsuspend(Task& task, UserIn<u64> mask, u64 size)
{
    if (size != kSetSize) return err::inval;
    u64 wanted = TRY(mask.copy_in(task)) & ~kUnblockable;
    task.saved_mask = task.blocked;
    task.restore_mask = true;
    task.blocked = wanted;
    for (;;) {
        auto r = sleep_current(kNever, Interruption::allowed);
        if (r.is_error()) return err::restart_nohand;
    }
}

SyscallResult sys_pause(Task&)
{
    for (;;) {
        auto r = sleep_current(kNever, Interruption::allowed);
        if (r.is_error()) return err::restart_nohand;
    }
}

SyscallResult sys_rt_sigtimedwait(
    Task& task, UserIn<u64> in, UserOut<SigInfo> out, UserIn<Timespec> timeout, u64 size)
{
    if (size != kSetSize) return err::inval;
    u64 wanted = TRY(in.copy_in(task)) & ~kUnblockable;
    Nanoseconds deadline = kNever;
    if (!timeout.is_null()) deadline = deadline_after(task, TRY(to_nanoseconds(TRY(timeout.copy_in(task)))));
    SigInfo info;
    Process& process = task.process();
    auto take = [&] { return task.take_signal(wanted, info); };
    if (!take()) {
        // Waited-for signals count as not blocked meanwhile, so that they find this thread.
        u64 blocked = task.blocked;
        task.blocked &= ~wanted;
        task.waited_signals = wanted;
        auto r = process.signal_waiters.wait_until(take, deadline);
        task.blocked = blocked;
        task.waited_signals = 0;
        if (r.is_error() && !take()) {
            if (r.error() == err::timedout) return err::again;
            return err::intr;
        }
    }
    if (!out.is_null()) TRY(out.copy_out(task, info));
    return info.signo;
}

SyscallResult sys_sigaltstack(Task& task, UserIn<StackT> in, UserOut<StackT> out)
{
    auto* regs = task.guest().registers(*task.vcpu);
    if (!regs) return err::srch;
    StackT old = task.alt_stack;
    bool on = !(old.flags & ss_disable) && regs->rsp > old.sp && regs->rsp - old.sp <= old.size;
    StackT shown = old;
    if (old.flags & ss_disable)
        shown = { 0, ss_disable, 0, 0 };
    else if (on && !(u32(old.flags) & ss_autodisarm))
        shown.flags |= ss_onstack;
    if (!in.is_null()) {
        StackT wanted = TRY(in.copy_in(task));
        if (on && !(u32(old.flags) & ss_autodisarm)) return err::perm;
        u32 mode = u32(wanted.flags) & ~ss_autodisarm;
        if (mode != 0 && mode != u32(ss_disable) && mode != u32(ss_onstack)) return err::inval;
        if (mode == u32(ss_disable))
            wanted = { 0, ss_disable, 0, 0 };
        else if (wanted.size < minsigstksz)
            return err::nomem;
        wanted.flags &= ~ss_onstack;
        task.alt_stack = wanted;
    }
    if (!out.is_null()) TRY(out.copy_out(task, shown));
    return 0;
}

SyscallResult sys_rt_sigreturn(Task& task)
{
    task.result_in_registers = true;
    task.restart_block = nullptr;
    if (task.kernel().signal_frames().restore(task).is_error()) {
        SigInfo info = kernel_signal(sigsegv);
        auto& action = task.process().handlers->actions[sigsegv - 1];
        if (task.blocked & sigbit(sigsegv) || action.handler == sig_ign) {
            action.handler = sig_dfl;
            task.blocked &= ~sigbit(sigsegv);
        }
        task.pending.add(info);
    }
    return 0;
}

SyscallResult sys_restart_syscall(Task& task)
{
    if (!task.restart_block) return err::intr;
    auto block = std::move(task.restart_block);
    task.restart_block = nullptr;
    return block(task);
}

} // namespace umbra
