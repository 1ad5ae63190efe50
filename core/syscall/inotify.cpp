// SPDX-License-Identifier: GPL-2.0-or-later
// inotify_init, inotify_init1, inotify_add_watch, inotify_rm_watch.
#include "core/ipc/inotify.h"

#include "core/syscall/syscall.h"
#include "core/vfs/operations.h"

namespace umbra {

SyscallResult sys_inotify_init1(Task& task, u32 flags)
{
    if (flags & ~(abi::o_cloexec | abi::o_nonblock)) return err::inval;
    auto fd = TRY(task.files().add(
        ipc::make_inotify(task.kernel(), flags), flags & abi::o_cloexec, task.limit(Resource::nofile)));
    return fd.value;
}

SyscallResult sys_inotify_init(Task& task) { return sys_inotify_init1(task, 0); }

SyscallResult sys_inotify_add_watch(Task& task, GuestFd fd, UserCString path, u32 mask)
{
    constexpr u32 flags = abi::in_onlydir | abi::in_dont_follow | abi::in_excl_unlink | abi::in_mask_create
        | abi::in_mask_add | abi::in_oneshot;
    constexpr u32 from_kernel = abi::in_unmount | abi::in_q_overflow | abi::in_ignored | abi::in_isdir;
    if (!(mask & (abi::in_all_events | flags | from_kernel))) return err::inval;
    if (mask & abi::in_mask_add && mask & abi::in_mask_create) return err::inval;
    auto file = TRY(task.files().get(fd));
    auto* inotify = ipc::as_inotify(*file);
    if (!inotify) return err::inval;
    auto name = TRY(path.copy_in(task));
    auto base = TRY(task.path_base(GuestFd(abi::at_fdcwd), name));
    auto found = TRY(vfs::walk(task, base, name,
        { .follow_last = !(mask & abi::in_dont_follow), .want_directory = bool(mask & abi::in_onlydir) }));
    TRY(vfs::check_permission(task.credentials(), found.inode(), abi::r_ok));
    return TRY(inotify->add_watch(found.inode(), mask));
}

SyscallResult sys_inotify_rm_watch(Task& task, GuestFd fd, i32 watch)
{
    auto file = TRY(task.files().get(fd));
    auto* inotify = ipc::as_inotify(*file);
    if (!inotify) return err::inval;
    TRY(inotify->remove_watch(watch));
    return 0;
}

} // namespace umbra
