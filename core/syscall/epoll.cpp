// SPDX-License-Identifier: GPL-2.0-or-later
// epoll_create, epoll_create1, epoll_ctl, epoll_wait, epoll_pwait, epoll_pwait2.
#include "core/ipc/epoll.h"

#include "core/syscall/syscall.h"
#include "core/syscall/wait-options.h"

namespace umbra {

SyscallResult sys_epoll_create1(Task& task, u32 flags)
{
    if (flags & ~abi::o_cloexec) return err::inval;
    auto fd = TRY(task.files().add(
        ipc::make_epoll(task.kernel()), flags & abi::o_cloexec, task.limit(Resource::nofile)));
    return fd.value;
}

SyscallResult sys_epoll_create(Task& task, i32 size)
{
    if (size <= 0) return err::inval;
    return sys_epoll_create1(task, 0);
}

SyscallResult sys_epoll_ctl(
    Task& task, GuestFd epoll_fd, i32 operation, GuestFd fd, UserIn<abi::EpollEvent> argument)
{
    abi::EpollEvent event {};
    if (operation != abi::epoll_ctl_del) event = TRY(argument.copy_in(task));
    auto epoll_file = TRY(task.files().get(epoll_fd));
    auto file = TRY(task.files().get(fd));
    if (!file->wait_queue()) return err::perm;
    auto* set = ipc::as_epoll(*epoll_file);
    if (!set) return err::inval;
    // Nothing here suspends, so nothing has to be kept awake.
    event.events &= ~abi::epollwakeup;
    switch (operation) {
    case abi::epoll_ctl_add:
        TRY(set->add(*file, fd, event));
        return 0;
    case abi::epoll_ctl_mod:
        TRY(set->modify(*file, fd, event));
        return 0;
    case abi::epoll_ctl_del:
        TRY(set->remove(*file, fd));
        return 0;
    }
    return err::inval;
}

namespace {

SyscallResult wait_for_events(
    Task& task, GuestFd fd, UserOut<abi::EpollEvent> events, i32 limit, Nanoseconds deadline)
{
    if (limit <= 0 || u32(limit) > u32(INT32_MAX) / sizeof(abi::EpollEvent)) return err::inval;
    auto file = TRY(task.files().get(fd));
    auto* set = ipc::as_epoll(*file);
    if (!set) return err::inval;
    return set->wait(task, events, u64(limit), deadline);
}

SyscallResult wait_with_mask(Task& task, GuestFd fd, UserOut<abi::EpollEvent> events, i32 limit,
    Nanoseconds deadline, UserIn<u64> mask, u64 mask_size)
{
    auto temporary_mask = TRY(TemporaryMask::apply(task, mask, mask_size));
    auto result = wait_for_events(task, fd, events, limit, deadline);
    temporary_mask.finish(result.is_error() && result.error() == err::intr);
    return result;
}

} // namespace

SyscallResult sys_epoll_wait(
    Task& task, GuestFd fd, UserOut<abi::EpollEvent> events, i32 limit, i32 milliseconds)
{
    return wait_for_events(task, fd, events, limit, deadline_after_milliseconds(task, milliseconds));
}

SyscallResult sys_epoll_pwait(Task& task, GuestFd fd, UserOut<abi::EpollEvent> events, i32 limit,
    i32 milliseconds, UserIn<u64> mask, u64 mask_size)
{
    Nanoseconds deadline = deadline_after_milliseconds(task, milliseconds);
    return wait_with_mask(task, fd, events, limit, deadline, mask, mask_size);
}

SyscallResult sys_epoll_pwait2(Task& task, GuestFd fd, UserOut<abi::EpollEvent> events, i32 limit,
    UserIn<abi::Timespec> timeout, UserIn<u64> mask, u64 mask_size)
{
    Nanoseconds deadline = kNever;
    if (!timeout.is_null()) deadline = deadline_after(task, TRY(to_nanoseconds(TRY(timeout.copy_in(task)))));
    return wait_with_mask(task, fd, events, limit, deadline, mask, mask_size);
}

} // namespace umbra
