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
    if (flags & ~abi::o_nonblock || pid.value <= 0) return err::inval;
    Process* process = task.kernel().processes().find_process(pid_in(task, pid.value));
    if (!process)
        return task.kernel().processes().find_task(pid_in(task, pid.value)) ? err::inval : err::srch;
    auto fd = TRY(task.files().add(ipc::make_pidfd(*process, flags), true, task.limit(Resource::nofile)));
    return fd.value;
}

namespace {

Result<Ref<Process>> living_process(Task& task, GuestFd fd)
{
    auto file = TRY(task.files().get(fd));
    auto process = TRY(ipc::process_of_pidfd(*file));
    if (task.kernel().processes().find_process(process->id) != process.get()) return err::srch;
    return process;
}

/// The same of a pidfd or a /proc/PID directory; EBADF for any other file.
Result<Ref<Process>> process_to_signal(Task& task, GuestFd fd)
{
    auto file = TRY(task.files().get(fd));
    auto* place
        = file->path() && !file->is_path_only() ? dynamic_cast<vfs::ProcessPlace*>(&file->inode()) : nullptr;
    return place ? place->process() : living_process(task, fd);
}

constexpr u32 kToThreadGroup = 2, kToProcessGroup = 4; // PIDFD_SIGNAL_*

} // namespace

SyscallResult sys_pidfd_send_signal(
    Task& task, GuestFd fd, i32 signal, UserIn<abi::SigInfo> info_argument, u32 flags)
{
    if (flags & ~(kToThreadGroup | kToProcessGroup) || flags == (kToThreadGroup | kToProcessGroup))
        return err::inval;
    auto process = TRY(process_to_signal(task, fd));
    abi::SigInfo info = user_signal(signal, task);
    if (!info_argument.is_null()) {
        info = TRY(info_argument.copy_in(task));
        if (info.signo != signal) return err::inval;
        info.origin = 0; // guests' padding
        // Nobody may claim to be the kernel or kill(2) towards another process.
        bool forged = info.code >= 0 || info.code == abi::si_tkill;
        if (forged && process.get() != &task.process()) return err::perm;
    }
    if (signal < 0 || signal > abi::signal_count) return err::inval;
    TRY(check_may_signal(task, *process, signal));
    if (signal == 0) return 0;
    if (flags & kToProcessGroup)
        send_signal(*process->group, info);
    else
        TRY(send_signal(*process, info));
    return 0;
}

SyscallResult sys_pidfd_getfd(Task& task, GuestFd fd, GuestFd target_fd, u32 flags)
{
    if (flags) return err::inval;
    auto process = TRY(living_process(task, fd));
    Task* target = process->any_thread();
    if (!target) return err::srch;
    TRY(check_may_inspect(task, *target));
    auto file = TRY(target->files().get(target_fd, true));
    auto added = TRY(task.files().add(std::move(file), true, task.limit(Resource::nofile)));
    return added.value;
}

} // namespace umbra
