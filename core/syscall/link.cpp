// SPDX-License-Identifier: GPL-2.0-or-later
// Calls that make, move and remove names: mkdir, mknod, rmdir, unlink, rename, link, symlink.
#include "core/syscall/path-argument.h"

namespace umbra {

SyscallResult sys_mkdirat(Task& task, GuestFd directory, UserCString path, u32 mode)
{
    auto argument = TRY(copy_in_path(task, directory, path));
    TRY(vfs::mkdir(task, argument.at(), mode & ~task.umask()));
    return 0;
}

SyscallResult sys_mkdir(Task& task, UserCString path, u32 mode)
{
    return sys_mkdirat(task, kWorkingDirectory, path, mode);
}

SyscallResult sys_mknodat(Task& task, GuestFd directory, UserCString path, u32 mode, u32 device)
{
    auto argument = TRY(copy_in_path(task, directory, path));
    TRY(vfs::mknod(task, argument.at(), mode & ~task.umask(), device));
    return 0;
}

SyscallResult sys_mknod(Task& task, UserCString path, u32 mode, u32 device)
{
    return sys_mknodat(task, kWorkingDirectory, path, mode, device);
}

SyscallResult sys_unlinkat(Task& task, GuestFd directory, UserCString path, u32 flags)
{
    if (flags & ~abi::at_removedir) return err::inval;
    auto argument = TRY(copy_in_path(task, directory, path));
    TRY(flags & abi::at_removedir ? vfs::rmdir(task, argument.at()) : vfs::unlink(task, argument.at()));
    return 0;
}

SyscallResult sys_unlink(Task& task, UserCString path)
{
    return sys_unlinkat(task, kWorkingDirectory, path, 0);
}

SyscallResult sys_rmdir(Task& task, UserCString path)
{
    return sys_unlinkat(task, kWorkingDirectory, path, abi::at_removedir);
}

SyscallResult sys_renameat2(
    Task& task, GuestFd from_directory, UserCString from, GuestFd to_directory, UserCString to, u32 flags)
{
    auto source = TRY(copy_in_path(task, from_directory, from));
    auto target = TRY(copy_in_path(task, to_directory, to));
    TRY(vfs::rename(task, source.at(), target.at(), flags));
    return 0;
}

SyscallResult sys_renameat(
    Task& task, GuestFd from_directory, UserCString from, GuestFd to_directory, UserCString to)
{
    return sys_renameat2(task, from_directory, from, to_directory, to, 0);
}

SyscallResult sys_rename(Task& task, UserCString from, UserCString to)
{
    return sys_renameat2(task, kWorkingDirectory, from, kWorkingDirectory, to, 0);
}

SyscallResult sys_linkat(
    Task& task, GuestFd from_directory, UserCString from, GuestFd to_directory, UserCString to, u32 flags)
{
    if (flags & ~(abi::at_symlink_follow | abi::at_empty_path)) return err::inval;
    auto source = TRY(copy_in_path(task, from_directory, from));
    auto target = TRY(copy_in_path(task, to_directory, to));
    TRY(vfs::link(
        task, source.at(), target.at(), flags & abi::at_symlink_follow, flags & abi::at_empty_path));
    return 0;
}

SyscallResult sys_link(Task& task, UserCString from, UserCString to)
{
    return sys_linkat(task, kWorkingDirectory, from, kWorkingDirectory, to, 0);
}

SyscallResult sys_symlinkat(Task& task, UserCString target, GuestFd directory, UserCString path)
{
    auto text = TRY(target.copy_in(task));
    auto argument = TRY(copy_in_path(task, directory, path));
    TRY(vfs::symlink(task, text, argument.at()));
    return 0;
}

SyscallResult sys_symlink(Task& task, UserCString target, UserCString path)
{
    return sys_symlinkat(task, target, kWorkingDirectory, path);
}

} // namespace umbra
