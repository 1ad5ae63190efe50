// SPDX-License-Identifier: GPL-2.0-or-later
// The chmod, chown and utime families, truncate.
#include <array>
#include <optional>

#include "core/syscall/path-argument.h"

namespace umbra {

SyscallResult sys_fchmodat2(Task& task, GuestFd directory, UserCString path, u32 mode, u32 flags)
{
    if (flags & ~(abi::at_symlink_nofollow | abi::at_empty_path)) return err::inval;
    TRY(vfs::change_mode(task, TRY(resolve(task, directory, path, flags)), mode));
    return 0;
}

SyscallResult sys_fchmodat(Task& task, GuestFd directory, UserCString path, u32 mode)
{
    return sys_fchmodat2(task, directory, path, mode, 0);
}

SyscallResult sys_chmod(Task& task, UserCString path, u32 mode)
{
    return sys_fchmodat2(task, kWorkingDirectory, path, mode, 0);
}

SyscallResult sys_fchmod(Task& task, GuestFd fd, u32 mode)
{
    auto file = TRY(task.files().get(fd));
    TRY(vfs::change_mode(task, *file->path(), mode));
    return 0;
}

SyscallResult sys_fchownat(Task& task, GuestFd directory, UserCString path, u32 uid, u32 gid, u32 flags)
{
    if (flags & ~(abi::at_symlink_nofollow | abi::at_empty_path)) return err::inval;
    TRY(vfs::change_owner(task, TRY(resolve(task, directory, path, flags)), uid, gid));
    return 0;
}

SyscallResult sys_chown(Task& task, UserCString path, u32 uid, u32 gid)
{
    return sys_fchownat(task, kWorkingDirectory, path, uid, gid, 0);
}

SyscallResult sys_lchown(Task& task, UserCString path, u32 uid, u32 gid)
{
    return sys_fchownat(task, kWorkingDirectory, path, uid, gid, abi::at_symlink_nofollow);
}

SyscallResult sys_fchown(Task& task, GuestFd fd, u32 uid, u32 gid)
{
    auto file = TRY(task.files().get(fd));
    TRY(vfs::change_owner(task, *file->path(), uid, gid));
    return 0;
}

namespace {

using Times = std::optional<std::array<abi::Timespec, 2>>;

SyscallResult set_times(Task& task, GuestFd directory, UserCString path, Times const& times, u32 flags)
{
    abi::Timespec const* both = times ? times->data() : nullptr;
    // Without a path the call means the descriptor itself: futimens(3).
    if (path.is_null() && directory.value != abi::at_fdcwd) {
        if (flags & ~abi::at_empty_path) return err::inval;
        auto file = TRY(task.files().get(directory));
        TRY(vfs::change_times(task, *file->path(), both));
        return 0;
    }
    TRY(vfs::change_times(task, TRY(resolve(task, directory, path, flags)), both));
    return 0;
}

/// The pair of struct timeval that utimes(2) takes; EINVAL for microseconds out of range.
Result<Times> copy_in_timevals(Task& task, UserIn<abi::Timeval> in)
{
    if (in.is_null()) return Times {};
    auto pair = TRY(in.copy_in_array(task, 2));
    for (auto const& t : pair) {
        if (t.usec < 0 || t.usec >= 1'000'000) return err::inval;
    }
    return Times { { { { pair[0].sec, pair[0].usec * 1000 }, { pair[1].sec, pair[1].usec * 1000 } } } };
}

} // namespace

SyscallResult sys_utimensat(
    Task& task, GuestFd directory, UserCString path, UserIn<abi::Timespec> in, u32 flags)
{
    if (flags & ~(abi::at_symlink_nofollow | abi::at_empty_path)) return err::inval;
    Times times;
    if (!in.is_null()) times = { TRY(in.copy_in(task, 0)), TRY(in.copy_in(task, 1)) };
    return set_times(task, directory, path, times, flags);
}

SyscallResult sys_futimesat(Task& task, GuestFd directory, UserCString path, UserIn<abi::Timeval> in)
{
    return set_times(task, directory, path, TRY(copy_in_timevals(task, in)), 0);
}

SyscallResult sys_utimes(Task& task, UserCString path, UserIn<abi::Timeval> in)
{
    return set_times(task, kWorkingDirectory, path, TRY(copy_in_timevals(task, in)), 0);
}

SyscallResult sys_utime(Task& task, UserCString path, UserIn<abi::Utimbuf> in)
{
    Times times;
    if (!in.is_null()) {
        auto seconds = TRY(in.copy_in(task));
        times = { abi::Timespec { seconds.access, 0 }, abi::Timespec { seconds.modification, 0 } };
    }
    return set_times(task, kWorkingDirectory, path, times, 0);
}

SyscallResult sys_truncate(Task& task, UserCString path, i64 size)
{
    if (size < 0) return err::inval;
    TRY(vfs::truncate(task, TRY(resolve(task, kWorkingDirectory, path)), u64(size)));
    return 0;
}

SyscallResult sys_ftruncate(Task& task, GuestFd fd, i64 size)
{
    if (size < 0) return err::inval;
    auto file = TRY(task.files().get(fd));
    TRY(vfs::truncate_file(task, *file, u64(size)));
    return 0;
}

} // namespace umbra
