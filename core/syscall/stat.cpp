// SPDX-License-Identifier: GPL-2.0-or-later
// stat, fstat, lstat, newfstatat, statx, access and its kin, readlink, statfs.
#include <algorithm>

#include "core/syscall/path-argument.h"

namespace umbra {

namespace {

abi::Stat to_stat(UserNamespace const& reader, vfs::Inode const& inode)
{
    auto const& a = inode.attributes();
    abi::Stat s {};
    s.dev = inode.file_system().device();
    s.ino = inode.number();
    s.nlink = a.nlink;
    s.mode = a.mode, s.uid = reader.uid_out(a.uid), s.gid = reader.gid_out(a.gid);
    s.rdev = a.rdev;
    s.size = i64(a.size), s.blksize = a.block_size, s.blocks = i64(a.blocks);
    s.atime = a.atime, s.mtime = a.mtime, s.ctime = a.ctime;
    return s;
}

SyscallResult stat_inode(Task& task, vfs::Inode& inode, UserOut<abi::Stat> out)
{
    TRY(inode.refresh());
    TRY(out.copy_out(task, to_stat(*task.credentials().user_namespace, inode)));
    return 0;
}

} // namespace

SyscallResult sys_newfstatat(
    Task& task, GuestFd directory, UserCString path, UserOut<abi::Stat> out, u32 flags)
{
    constexpr u32 known = abi::at_symlink_nofollow | abi::at_no_automount | abi::at_empty_path;
    if (flags & ~known) return err::inval;
    return stat_inode(task, TRY(resolve(task, directory, path, flags)).inode(), out);
}

SyscallResult sys_stat(Task& task, UserCString path, UserOut<abi::Stat> out)
{
    return stat_inode(task, TRY(resolve(task, kWorkingDirectory, path)).inode(), out);
}

SyscallResult sys_lstat(Task& task, UserCString path, UserOut<abi::Stat> out)
{
    return stat_inode(
        task, TRY(resolve(task, kWorkingDirectory, path, abi::at_symlink_nofollow)).inode(), out);
}

SyscallResult sys_fstat(Task& task, GuestFd fd, UserOut<abi::Stat> out)
{
    return stat_inode(task, TRY(task.files().get(fd, true))->inode(), out);
}

namespace {

constexpr u32 kStatxBasic = 0x7ff, kStatxBtime = 0x800, kStatxMountId = 0x1000, kStatxUniqueMountId = 0x4000,
              kStatxReserved = 0x80000000;
constexpr u64 kStatxAttrMountRoot = 0x2000;

abi::StatxTimestamp to_statx(abi::Timespec const& t) { return { t.sec, u32(t.nsec), 0 }; }

abi::Statx to_statx(UserNamespace const& reader, vfs::Path const& path, u32 wanted)
{
    vfs::Inode const& inode = path.inode();
    auto const& a = inode.attributes();
    u64 device = inode.file_system().device();
    abi::Statx s {};
    bool const unique = wanted & kStatxUniqueMountId;
    s.mask = kStatxBasic | kStatxBtime | (unique ? kStatxUniqueMountId : kStatxMountId);
    s.blksize = a.block_size;
    s.attributes_mask = kStatxAttrMountRoot;
    if (path.dentry == path.mount->root()) s.attributes = kStatxAttrMountRoot;
    constexpr u32 shown_flags = abi::fs_immutable | abi::fs_append | abi::fs_nodump; // the same bits in statx
    s.attributes_mask |= inode.flags_kept() & shown_flags;
    s.attributes |= a.flags & shown_flags;
    s.nlink = a.nlink, s.mode = u16(a.mode);
    s.uid = reader.uid_out(a.uid), s.gid = reader.gid_out(a.gid);
    s.ino = inode.number(), s.size = a.size, s.blocks = a.blocks;
    s.atime = to_statx(a.atime), s.btime = to_statx(a.btime);
    s.ctime = to_statx(a.ctime), s.mtime = to_statx(a.mtime);
    s.rdev_major = abi::dev_major(a.rdev), s.rdev_minor = abi::dev_minor(a.rdev);
    s.dev_major = abi::dev_major(device), s.dev_minor = abi::dev_minor(device);
    s.mnt_id = unique ? path.mount->unique_id() : path.mount->id();
    return s;
}

} // namespace

SyscallResult sys_statx(
    Task& task, GuestFd directory, UserCString path, u32 flags, u32 mask, UserOut<abi::Statx> out)
{
    constexpr u32 known
        = abi::at_symlink_nofollow | abi::at_no_automount | abi::at_empty_path | abi::at_statx_sync_type;
    if ((mask & kStatxReserved) || (flags & ~known)) return err::inval;
    if ((flags & abi::at_statx_sync_type) == abi::at_statx_sync_type) return err::inval;
    auto place = TRY(resolve(task, directory, path, flags));
    TRY(place.inode().refresh());
    TRY(out.copy_out(task, to_statx(*task.credentials().user_namespace, place, mask)));
    return 0;
}

namespace {

/// access(2) asks for the real user: its ids, and its capabilities only if it is root.
Ref<Credentials> real_credentials(Credentials const& now)
{
    constexpr u32 no_setuid_fixup = 4;
    auto real = now.clone();
    real->fsuid = now.uid;
    real->fsgid = now.gid;
    bool const is_root = now.uid == now.user_namespace->uid_in(0);
    if (!(now.securebits & no_setuid_fixup)) real->effective = is_root ? now.permitted : 0;
    return real;
}

} // namespace

SyscallResult sys_faccessat2(Task& task, GuestFd directory, UserCString path, u32 mode, u32 flags)
{
    if (mode & ~7u) return err::inval;
    if (flags & ~(abi::at_eaccess | abi::at_symlink_nofollow | abi::at_empty_path)) return err::inval;
    auto check = [&]() -> SyscallResult {
        auto place = TRY(resolve(task, directory, path, flags));
        if (mode != abi::f_ok) TRY(vfs::check_access(task, place, mode));
        return 0;
    };
    if (flags & abi::at_eaccess) return check();
    auto effective = task.credentials_ref();
    task.set_credentials(real_credentials(*effective));
    auto result = check();
    task.set_credentials(effective);
    return result;
}

SyscallResult sys_faccessat(Task& task, GuestFd directory, UserCString path, u32 mode)
{
    return sys_faccessat2(task, directory, path, mode, 0);
}

SyscallResult sys_access(Task& task, UserCString path, u32 mode)
{
    return sys_faccessat2(task, kWorkingDirectory, path, mode, 0);
}

SyscallResult sys_readlinkat(Task& task, GuestFd directory, UserCString path, UserOut<char> out, i32 size)
{
    if (size <= 0) return err::inval;
    // An empty path reads the link that an O_PATH | O_NOFOLLOW descriptor stands for, see readlink(2).
    auto argument = TRY(copy_in_path(task, directory, path));
    auto place
        = TRY(vfs::walk(task, argument.base, argument.name, { .follow_last = false, .allow_empty = true }));
    if (!place.inode().is_symlink()) return argument.name.empty() ? err::noent : err::inval;
    auto target = TRY(place.inode().read_link());
    vfs::update_access_time(place, 0);
    u64 count = std::min(target.size(), u64(size));
    TRY(out.copy_out_array(task, { target.data(), count }));
    return i64(count);
}

SyscallResult sys_readlink(Task& task, UserCString path, UserOut<char> out, i32 size)
{
    return sys_readlinkat(task, kWorkingDirectory, path, out, size);
}

namespace {

SyscallResult statfs_of(Task& task, vfs::Path const& place, UserOut<abi::Statfs> out)
{
    constexpr i64 valid = 0x20, relatime = 0x1000, nosymfollow = 0x2000;
    auto& fs = place.inode().file_system();
    auto s = TRY(fs.statfs());
    u32 flags = place.mount->flags();
    // The low ones have the same values as mount(2)'s.
    s.flags = valid
        | (flags
            & (vfs::kMountReadOnly | vfs::kMountNoSuid | vfs::kMountNoDev | vfs::kMountNoExec
                | vfs::kMountNoAtime | vfs::kMountNoDirAtime));
    if (place.mount->is_read_only()) s.flags |= vfs::kMountReadOnly;
    if (flags & vfs::kMountNoSymFollow) s.flags |= nosymfollow;
    if (!(flags & (vfs::kMountNoAtime | vfs::kMountStrictAtime))) s.flags |= relatime;
    s.fsid[0] = i32(u32(fs.device()));
    s.fsid[1] = i32(u32(fs.device() >> 32));
    TRY(out.copy_out(task, s));
    return 0;
}

} // namespace

SyscallResult sys_statfs(Task& task, UserCString path, UserOut<abi::Statfs> out)
{
    return statfs_of(task, TRY(resolve(task, kWorkingDirectory, path)), out);
}

SyscallResult sys_fstatfs(Task& task, GuestFd fd, UserOut<abi::Statfs> out)
{
    auto file = TRY(task.files().get(fd, true));
    return statfs_of(task, *file->path(), out);
}

} // namespace umbra
