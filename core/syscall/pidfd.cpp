// SPDX-License-Identifier: GPL-2.0-or-later
// pidfd_open, pidfd_send_signal, pidfd_getfd.
#include "core/ipc/pidfd.h"

#include "core/syscall/syscall.h"
#include "core/task/permissions.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"
#include "core/vfs/pidfd.h"

namespace umbra {

SyscallResult sys_pidfd_open(Task& task, Pid pid, u32 flags)
{
    if (flags & ~(abi::o_nonblock | ipc::pidfd_thread) || pid.value <= 0) return err::inval;
    auto const& table = task.kernel().processes();
    Pid const id = pid_in(task, pid.value);
    Process* process = table.find_process(id);
    Task* thread = table.find_task(id);
    if (!process && !thread) return err::srch;
    bool const of_thread = flags & ipc::pidfd_thread;
    // A thread's number names no process; and of a process that has ended there is no thread.
    if (of_thread ? !thread : !process) return err::inval;
    auto file = of_thread ? ipc::make_thread_pidfd(*thread, flags) : ipc::make_pidfd(*process, flags);
    auto fd = TRY(task.files().add(std::move(file), true, task.limit(Resource::nofile)));
    return fd.value;
}

namespace {

/// What a signal can be sent to: a pidfd's, or that of a /proc/PID directory; EBADF for any other file.
Result<ipc::PidfdTarget> target_to_signal(Task& task, GuestFd fd)
{
    auto file = TRY(task.files().get(fd));
    auto* place
        = file->path() && !file->is_path_only() ? dynamic_cast<vfs::ProcessPlace*>(&file->inode()) : nullptr;
    if (place) return ipc::PidfdTarget { TRY(place->process()), nullptr };
    return ipc::target_of_pidfd(*file);
}

constexpr u32 kToThread = 1, kToThreadGroup = 2, kToProcessGroup = 4; // PIDFD_SIGNAL_*

/// To whom: as asked for, else what the descriptor stands for.
u32 scope_of(ipc::PidfdTarget const& target, u32 flags)
{
    if (flags) return flags;
    return target.thread ? kToThread : kToThreadGroup;
}

/// What the sender says of itself. EPERM: it claims to be the kernel or kill(2) towards another process.
Result<abi::SigInfo> signal_information(
    Task& task, UserIn<abi::SigInfo> argument, i32 signal, ipc::PidfdTarget const& target, u32 scope)
{
    if (argument.is_null()) return user_signal(signal, task);
    auto info = TRY(argument.copy_in(task));
    if (info.signo != signal) return err::inval;
    info.origin = 0; // guests' padding
    bool const forged = info.code >= 0 || info.code == abi::si_tkill;
    bool const to_itself = target.process.get() == &task.process() && scope != kToProcessGroup;
    return forged && !to_itself ? Result<abi::SigInfo>(err::perm) : info;
}

/// The thread that a signal for a thread reaches; the leader where the descriptor stands for a process.
Result<Ref<Task>> thread_of(ipc::PidfdTarget const& target)
{
    if (target.thread) return Ref<Task>(*target.thread);
    Task* leader = target.process->kernel.processes().find_task(target.process->id);
    return leader ? Result<Ref<Task>>(Ref<Task>(*leader)) : err::srch;
}

/// To the members of the group that a process leads, each as by kill(2). ESRCH: it leads none; EPERM: none may be told.
Result<void> signal_group_of(Task const& task, Process const& leader, abi::SigInfo const& info, i32 signal)
{
    ProcessGroup const* group = task.kernel().processes().find_group(leader.id);
    if (!group) return err::srch;
    return signal_each_as(task, members_of(*group), info, signal);
}

} // namespace

SyscallResult sys_pidfd_send_signal(
    Task& task, GuestFd fd, i32 signal, UserIn<abi::SigInfo> info_argument, u32 flags)
{
    if (flags & ~(kToThread | kToThreadGroup | kToProcessGroup) || (flags & (flags - 1))) return err::inval;
    auto target = TRY(target_to_signal(task, fd));
    u32 const scope = scope_of(target, flags);
    auto const info = TRY(signal_information(task, info_argument, signal, target, scope));
    if (signal < 0 || signal > abi::signal_count) return err::inval;
    if (scope == kToProcessGroup) {
        TRY(signal_group_of(task, *target.process, info, signal));
        return 0;
    }
    TRY(check_may_signal(task, *target.process, signal));
    if (signal == 0) return 0;
    if (scope == kToThread)
        TRY(send_signal(*TRY(thread_of(target)), info));
    else
        TRY(send_signal(*target.process, info));
    return 0;
}

SyscallResult sys_pidfd_getfd(Task& task, GuestFd fd, GuestFd target_fd, u32 flags)
{
    if (flags) return err::inval;
    auto const named = TRY(ipc::target_of_pidfd(*TRY(task.files().get(fd))));
    Task* target = named.thread ? named.thread.get() : named.process->any_thread();
    if (!target || !target->has_files()) return err::srch;
    TRY(check_may_inspect(task, *target));
    auto file = TRY(target->files().get(target_fd, true));
    auto added = TRY(task.files().add(std::move(file), true, task.limit(Resource::nofile)));
    return added.value;
}

} // namespace umbra
