// SPDX-License-Identifier: GPL-2.0-or-later
// mount, umount2, pivot_root.
#include <bit>

#include "core/syscall/mount-attributes.h"
#include "core/syscall/path-argument.h"
#include "core/task/process-table.h"
#include "core/task/task-access.h"
#include "core/vfs/file-system-types.h"
#include "core/vfs/mount-table.h"

namespace umbra {

namespace {

// mount(2)
constexpr u32 ms_remount = 32, ms_bind = 4096, ms_move = 8192, ms_rec = 16384, ms_silent = 32768;
constexpr u32 ms_nouser = u32 { 1 } << 31;
constexpr u32 kPropagationFlags = u32(vfs::Propagation::unbindable) | u32(vfs::Propagation::private_)
    | u32(vfs::Propagation::slave) | u32(vfs::Propagation::shared);
constexpr u32 kMagic = 0xc0ed0000, kMagicMask = 0xffff0000;

struct MountArguments {
    std::string source, type, options;
    vfs::Path target;
    u32 flags;
};

/// The data of mount(2) is a page that a text begins: what follows its NUL does not matter.
Result<std::string> copy_in_optional(Task& task, UserCString text)
{
    return text.is_null() ? std::string() : text.copy_in(task, kPageSize, err::inval);
}

Result<vfs::Path> walk_source(Task& task, std::string const& source)
{
    if (source.empty()) return err::inval;
    auto base = TRY(task.path_base(kWorkingDirectory, source));
    return vfs::walk(task, base, source);
}

Result<void> bind_mount(Task& task, MountArguments const& a)
{
    return task.fs().mounts->bind(TRY(walk_source(task, a.source)), a.target, a.flags & ms_rec);
}

Result<void> move_mount(Task& task, MountArguments const& a)
{
    return task.fs().mounts->move(TRY(walk_source(task, a.source)), a.target);
}

/// Access times as a new mount has them: relatime unless said otherwise.
u32 with_default_atime(u32 flags)
{
    return flags & (vfs::kMountNoAtime | vfs::kMountStrictAtime) ? flags : flags | vfs::kMountRelAtime;
}

Result<void> remount(Task& task, MountArguments const& a)
{
    vfs::Mount& mount = *a.target.mount;
    if (!task.fs().mounts->contains(mount) || !(a.target.dentry == mount.root())) return err::inval;
    u32 flags = a.flags & vfs::kMountFlags;
    // Who says nothing about access times keeps what is there.
    bool const keeps_atime = !(flags & vfs::kMountAtimeFlags);
    flags = keeps_atime ? flags | (mount.flags() & vfs::kMountAtimeFlags) : with_default_atime(flags);
    TRY(mount.check_change(flags));
    // With MS_BIND only this mount's own flags change, see mount(2).
    if (a.flags & ms_bind) {
        TRY(mount.check_writers(flags));
    } else {
        if (!rules(task, mount.file_system())) return err::perm;
        TRY(mount.file_system().remount(a.options, flags & vfs::kMountReadOnly));
    }
    mount.set_flags(flags);
    task.fs().mounts->changed();
    return {};
}

Result<void> change_propagation(Task& task, MountArguments const& a)
{
    if (!(a.target.dentry == a.target.mount->root())) return err::inval;
    u32 const kind = a.flags & ~ms_rec;
    if ((kind & ~kPropagationFlags) || !std::has_single_bit(kind)) return err::inval;
    return task.fs().mounts->change_propagation(a.target, vfs::Propagation(kind), a.flags & ms_rec);
}

Result<void> new_mount(Task& task, MountArguments const& a)
{
    auto const* type = task.kernel().file_system_types().find(a.type);
    if (a.type.empty()) return err::inval;
    if (!type) return err::nodev;
    u32 const flags = with_default_atime(a.flags & vfs::kMountFlags);
    auto const& who = task.credentials();
    bool const may
        = type->in_user_namespaces ? who.holds(Capability::sys_admin) : who.has(Capability::sys_admin);
    if (!may) return err::perm;
    auto fs = TRY(type->make({ task.kernel(), a.source, a.options, flags, task.credentials_ref() }));
    // An instance that others show stays as it is for them.
    if (fs->mount_count == 0 && (flags & vfs::kMountReadOnly)) fs->set_read_only(true);
    TRY(task.kernel().mount_table().check_room(1));
    auto mount = make_ref<vfs::Mount>(fs, TRY(fs->mount_root()), flags, a.source.empty() ? "none" : a.source);
    return task.fs().mounts->attach(mount, a.target);
}

} // namespace

SyscallResult sys_mount(
    Task& task, UserCString source, UserCString target, UserCString type, u64 flags_in, UserCString data)
{
    auto flags = u32(flags_in);
    if ((flags & kMagicMask) == kMagic) flags &= ~kMagicMask;
    MountArguments a { TRY(copy_in_optional(task, source)), TRY(copy_in_optional(task, type)),
        TRY(copy_in_optional(task, data)), TRY(resolve(task, kWorkingDirectory, target)),
        flags & ~ms_silent };
    if (a.flags & ms_nouser) return err::inval;
    if (!may_mount(task)) return err::perm;
    if (a.flags & ms_remount)
        TRY(remount(task, a));
    else if (a.flags & ms_bind)
        TRY(bind_mount(task, a));
    else if (a.flags & kPropagationFlags)
        TRY(change_propagation(task, a));
    else if (a.flags & ms_move)
        TRY(move_mount(task, a));
    else
        TRY(new_mount(task, a));
    return 0;
}

namespace {

constexpr u32 mnt_force = 1, mnt_detach = 2, mnt_expire = 4, umount_nofollow = 8;

/// The caller holds one reference.
SyscallResult unmount(Task& task, vfs::Mount& mount, u32 flags)
{
    auto& mounts = *task.fs().mounts;
    bool const is_root = task.fs().root.mount == &mount;
    if (!mounts.contains(mount) || mount.locked_in_place) return err::inval;
    if ((flags & mnt_force) && !rules(task, mount.file_system())) return err::perm;
    if (flags & mnt_expire) {
        if (is_root || (flags & (mnt_force | mnt_detach))) return err::inval;
        if (mount.ref_count() > 2) return err::busy;
        // The first call marks; the second, if nobody came by since, unmounts, see umount(2).
        if (!std::exchange(mount.expiry_mark, true)) return err::again;
    }
    bool const lazy = flags & mnt_detach;
    if (!lazy) TRY(mount.file_system().sync());
    // As on Linux nobody unmounts what he stands on as his root: it becomes read-only instead.
    if (is_root && !lazy) {
        if (!rules(task, mount.file_system())) return err::perm;
        TRY(mount.file_system().remount({}, true));
        return 0;
    }
    TRY(mounts.detach(mount, lazy));
    return 0;
}

} // namespace

SyscallResult sys_umount2(Task& task, UserCString target, u32 flags)
{
    if (flags & ~(mnt_force | mnt_detach | mnt_expire | umount_nofollow)) return err::inval;
    auto argument = TRY(copy_in_path(task, kWorkingDirectory, target));
    RefPtr<vfs::Mount> found;
    {
        auto place = TRY(vfs::walk(task, argument.base, argument.name,
            { .follow_last = !(flags & umount_nofollow), .keep_expiry_marks = bool(flags & mnt_expire) }));
        if (!may_mount(task)) return err::perm;
        if (!(place.dentry == place.mount->root())) return err::inval;
        found = place.mount;
    }
    return unmount(task, *found, flags);
}

SyscallResult sys_pivot_root(Task& task, UserCString new_root_in, UserCString put_old_in)
{
    if (!may_mount(task)) return err::perm;
    auto new_root = TRY(resolve(task, kWorkingDirectory, new_root_in));
    auto put_old = TRY(resolve(task, kWorkingDirectory, put_old_in));
    auto& fs = task.fs();
    vfs::Path old_root = fs.root;
    if (!new_root.inode().is_directory() || !put_old.inode().is_directory()) return err::notdir;
    TRY(fs.mounts->pivot(new_root, put_old, old_root));
    // Everybody who stood in the old root stands in the new one now, see pivot_root(2).
    for (auto const& [id, other] : task.kernel().processes().tasks()) {
        auto const& theirs = TaskAccess(*other).fs();
        if (theirs && theirs->root == old_root) theirs->root = new_root;
        if (theirs && theirs->cwd == old_root) theirs->cwd = new_root;
    }
    return 0;
}

} // namespace umbra
