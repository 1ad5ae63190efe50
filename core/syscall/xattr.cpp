// SPDX-License-Identifier: GPL-2.0-or-later
// Extended attributes: each call by path, by path without following a last link, and by descriptor
// (xattr(7)).
#include "core/syscall/path-argument.h"

namespace umbra {

namespace {

constexpr u64 kNameMax = 255, kValueMax = 65536, kListMax = 65536;
constexpr u32 kCreate = 1, kReplace = 2;

Result<std::string> copy_in_name(Task& task, UserCString name)
{
    auto text = TRY(name.copy_in(task, kNameMax + 1, err::range));
    return text.empty() ? Result<std::string>(err::range) : text;
}

Result<vfs::Path> by_path(Task& task, UserCString path) { return resolve(task, kWorkingDirectory, path); }
Result<vfs::Path> by_link(Task& task, UserCString path)
{
    return resolve(task, kWorkingDirectory, path, abi::at_symlink_nofollow);
}
Result<vfs::Path> by_fd(Task& task, GuestFd fd) { return *TRY(task.files().get(fd))->path(); }

/// Copies out, or gives the size that would be needed where the caller asks with a size of 0.
SyscallResult give(Task& task, std::string const& bytes, GuestAddr out, u64 size)
{
    if (size == 0) return i64(bytes.size());
    if (bytes.size() > size) return err::range;
    TRY(copy_to_user(task, out, bytes.data(), bytes.size()));
    return i64(bytes.size());
}

SyscallResult set(Task& task, Result<vfs::Path> place, UserCString name, GuestAddr value, u64 size, u32 flags)
{
    if (flags & ~(kCreate | kReplace)) return err::inval;
    auto path = TRY(std::move(place));
    auto key = TRY(copy_in_name(task, name));
    if (size > kValueMax) return err::too_big;
    std::string bytes(size, '\0');
    TRY(copy_from_user(task, bytes.data(), value, size));
    TRY(vfs::set_xattr(task, path, key, bytes, flags));
    return 0;
}

SyscallResult get(Task& task, Result<vfs::Path> place, UserCString name, GuestAddr out, u64 size)
{
    auto path = TRY(std::move(place));
    auto key = TRY(copy_in_name(task, name));
    return give(task, TRY(vfs::get_xattr(task, path.inode(), key)), out, size);
}

SyscallResult list(Task& task, Result<vfs::Path> place, GuestAddr out, u64 size)
{
    auto names = TRY(vfs::list_xattrs(task, TRY(std::move(place)).inode()));
    if (names.size() > kListMax) return err::too_big;
    return give(task, names, out, size);
}

SyscallResult remove(Task& task, Result<vfs::Path> place, UserCString name)
{
    auto path = TRY(std::move(place));
    TRY(vfs::remove_xattr(task, path, TRY(copy_in_name(task, name))));
    return 0;
}

} // namespace

SyscallResult sys_setxattr(
    Task& task, UserCString path, UserCString name, GuestAddr value, u64 size, u32 flags)
{
    return set(task, by_path(task, path), name, value, size, flags);
}
SyscallResult sys_lsetxattr(
    Task& task, UserCString path, UserCString name, GuestAddr value, u64 size, u32 flags)
{
    return set(task, by_link(task, path), name, value, size, flags);
}
SyscallResult sys_fsetxattr(Task& task, GuestFd fd, UserCString name, GuestAddr value, u64 size, u32 flags)
{
    return set(task, by_fd(task, fd), name, value, size, flags);
}

SyscallResult sys_getxattr(Task& task, UserCString path, UserCString name, GuestAddr out, u64 size)
{
    return get(task, by_path(task, path), name, out, size);
}
SyscallResult sys_lgetxattr(Task& task, UserCString path, UserCString name, GuestAddr out, u64 size)
{
    return get(task, by_link(task, path), name, out, size);
}
SyscallResult sys_fgetxattr(Task& task, GuestFd fd, UserCString name, GuestAddr out, u64 size)
{
    return get(task, by_fd(task, fd), name, out, size);
}

SyscallResult sys_listxattr(Task& task, UserCString path, GuestAddr out, u64 size)
{
    return list(task, by_path(task, path), out, size);
}
SyscallResult sys_llistxattr(Task& task, UserCString path, GuestAddr out, u64 size)
{
    return list(task, by_link(task, path), out, size);
}
SyscallResult sys_flistxattr(Task& task, GuestFd fd, GuestAddr out, u64 size)
{
    return list(task, by_fd(task, fd), out, size);
}

SyscallResult sys_removexattr(Task& task, UserCString path, UserCString name)
{
    return remove(task, by_path(task, path), name);
}
SyscallResult sys_lremovexattr(Task& task, UserCString path, UserCString name)
{
    return remove(task, by_link(task, path), name);
}
SyscallResult sys_fremovexattr(Task& task, GuestFd fd, UserCString name)
{
    return remove(task, by_fd(task, fd), name);
}

} // namespace umbra
