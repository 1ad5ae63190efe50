// SPDX-License-Identifier: GPL-2.0-or-later
// mount, umount2, pivot_root. Mounts are private: changes of propagation that would share them are refused.
#include "core/syscall/path-argument.h"
#include "core/task/permissions.h"
#include "core/task/process-table.h"
#include "core/task/task-access.h"
#include "core/vfs/file-system-types.h"

namespace umbra {

namespace {

// mount(2)
constexpr u32 ms_remount = 32, ms_bind = 4096, ms_move = 8192, ms_rec = 16384, ms_silent = 32768;
constexpr u32 ms_unbindable = 1 << 17, ms_private = 1 << 18, ms_slave = 1 << 19, ms_shared = 1 << 20;
constexpr u32 kMagic = 0xc0ed0000, kMagicMask = 0xffff0000;
constexpr u32 kMountFlags = vfs::kMountReadOnly | vfs::kMountNoSuid | vfs::kMountNoDev | vfs::kMountNoExec
    | vfs::kMountNoSymFollow | vfs::kMountNoAtime | vfs::kMountNoDirAtime | vfs::kMountRelAtime
    | vfs::kMountStrictAtime;

constexpr u32 kAtimeFlags
    = vfs::kMountNoAtime | vfs::kMountNoDirAtime | vfs::kMountRelAtime | vfs::kMountStrictAtime;

/// Who rules the mounts of the namespace he is in.
bool may_mount(Task& task)
{
    return is_capable(task.credentials(), *task.fs().mounts->owner(), Capability::sys_admin);
}

struct MountArguments {
    std::string source, type, options;
    vfs::Path target;
    u32 flags;
};

Result<std::string> copy_in_optional(Task& task, UserCString text)
{
    return text.is_null() ? std::string() : text.copy_in(task, kPageSize, err::inval);
}

/// The data of mount(2) is a page that a text begins: what follows its NUL does not matter.
Result<vfs::Path> walk_source(Task& task, std::string const& source)
{
    if (source.empty()) return err::inval;
    auto base = TRY(task.path_base(kWorkingDirectory, source));
    return vfs::walk(task, base, source);
}

Result<void> bind_mount(Task& task, MountArguments const& a)
{
    auto from = TRY(walk_source(task, a.source));
    auto& mounts = *task.fs().mounts;
    auto tree = TRY(mounts.clone_tree(from, a.flags & ms_rec));
    return mounts.attach_tree(tree, a.target);
}

Result<void> move_mount(Task& task, MountArguments const& a)
{
    auto from = TRY(walk_source(task, a.source));
    if (!(from.dentry == from.mount->root())) return err::inval;
    return task.fs().mounts->move(*from.mount, a.target);
}

Result<void> remount(MountArguments const& a)
{
    vfs::Mount& mount = *a.target.mount;
    if (!(a.target.dentry == mount.root())) return err::inval;
    // With MS_BIND only this mount's own flags change, see mount(2).
    if (!(a.flags & ms_bind)) TRY(mount.file_system().reconfigure(a.options));
    u32 flags = a.flags & kMountFlags;
    // Who says nothing about access times keeps what is there.
    if (!(flags & kAtimeFlags)) flags |= mount.flags() & kAtimeFlags;
    mount.set_flags(flags);
    return {};
}

Result<void> change_propagation(MountArguments const& a)
{
    if (!(a.target.dentry == a.target.mount->root())) return err::inval;
    // Every mount is private already, and the slave of nobody is private.
    return a.flags & (ms_shared | ms_unbindable) ? Result<void>(err::inval) : Result<void>();
}

Result<void> new_mount(Task& task, MountArguments const& a)
{
    auto const* type = task.kernel().file_system_types().find(a.type);
    if (a.type.empty()) return err::inval;
    if (!type) return err::nodev;
    u32 flags = a.flags & kMountFlags;
    if (!(flags & (vfs::kMountNoAtime | vfs::kMountStrictAtime))) flags |= vfs::kMountRelAtime;
    auto const& who = task.credentials();
    bool const may
        = type->in_user_namespaces ? who.holds(Capability::sys_admin) : who.has(Capability::sys_admin);
    if (!may) return err::perm;
    auto fs = TRY(type->make({ task.kernel(), a.source, a.options, flags, task.credentials_ref() }));
    auto mount = make_ref<vfs::Mount>(fs, flags, a.source.empty() ? "none" : a.source);
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
    if (!may_mount(task)) return err::perm;
    if (a.flags & ms_remount)
        TRY(remount(a));
    else if (a.flags & ms_bind)
        TRY(bind_mount(task, a));
    else if (a.flags & (ms_shared | ms_private | ms_slave | ms_unbindable))
        TRY(change_propagation(a));
    else if (a.flags & ms_move)
        TRY(move_mount(task, a));
    else
        TRY(new_mount(task, a));
    return 0;
}

SyscallResult sys_umount2(Task& task, UserCString target, u32 flags)
{
    constexpr u32 force = 1, detach = 2, expire = 4, nofollow = 8;
    if (flags & ~(force | detach | expire | nofollow)) return err::inval;
    auto place
        = TRY(resolve(task, kWorkingDirectory, target, flags & nofollow ? abi::at_symlink_nofollow : 0));
    if (!may_mount(task)) return err::perm;
    Ref<vfs::Mount> mount = place.mount;
    if (!(place.dentry == mount->root())) return err::inval;
    if ((flags & expire) && (flags & (force | detach))) return err::inval;
    // The walk's reference goes: detach() counts ours as the caller's only one.
    place = task.fs().root;
    if (!(flags & detach)) TRY(mount->file_system().sync());
    TRY(task.fs().mounts->detach(*mount, flags & detach));
    return 0;
}

SyscallResult sys_pivot_root(Task& task, UserCString new_root_in, UserCString put_old_in)
{
    if (!may_mount(task)) return err::perm;
    auto new_root = TRY(resolve(task, kWorkingDirectory, new_root_in));
    auto put_old = TRY(resolve(task, kWorkingDirectory, put_old_in));
    auto& fs = task.fs();
    vfs::Path old_root = fs.root;
    if (!new_root.inode().is_directory() || !put_old.inode().is_directory()) return err::notdir;
    if (new_root.mount == old_root.mount || put_old.mount == old_root.mount) return err::busy;
    bool are_mounts = new_root.dentry == new_root.mount->root() && old_root.dentry == old_root.mount->root();
    if (!are_mounts || !(fs.mounts->root() == old_root.mount)) return err::inval;
    if (!vfs::is_below(put_old, new_root)) return err::inval;
    TRY(fs.mounts->pivot(*new_root.mount, put_old));
    // Everybody who stood in the old root stands in the new one now, see pivot_root(2).
    for (auto const& [id, other] : task.kernel().processes().tasks()) {
        auto const& theirs = TaskAccess(*other).fs();
        if (theirs && theirs->root == old_root) theirs->root = new_root;
        if (theirs && theirs->cwd == old_root) theirs->cwd = new_root;
    }
    return 0;
}

} // namespace umbra
