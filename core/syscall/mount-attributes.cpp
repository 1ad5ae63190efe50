// SPDX-License-Identifier: GPL-2.0-or-later
// mount_setattr.
#include "core/syscall/mount-attributes.h"

#include <bit>

#include "core/abi/mount.h"
#include "core/syscall/path-argument.h"
#include "core/syscall/versioned.h"
#include "core/task/permissions.h"

namespace umbra {

namespace {

struct Row {
    u64 attribute;
    u32 flag;
};
constexpr Row kRows[] = {
    { abi::mount_attr_rdonly, vfs::kMountReadOnly },
    { abi::mount_attr_nosuid, vfs::kMountNoSuid },
    { abi::mount_attr_nodev, vfs::kMountNoDev },
    { abi::mount_attr_noexec, vfs::kMountNoExec },
    { abi::mount_attr_nodiratime, vfs::kMountNoDirAtime },
    { abi::mount_attr_nosymfollow, vfs::kMountNoSymFollow },
};
constexpr u64 kPlain = abi::mount_attr_rdonly | abi::mount_attr_nosuid | abi::mount_attr_nodev
    | abi::mount_attr_noexec | abi::mount_attr_nodiratime | abi::mount_attr_nosymfollow;
constexpr u32 kAtimeKinds = vfs::kMountNoAtime | vfs::kMountRelAtime | vfs::kMountStrictAtime;

u32 plain_flags(u64 attributes)
{
    u32 flags = 0;
    for (Row const& row : kRows)
        if (attributes & row.attribute) flags |= row.flag;
    return flags;
}

/// One of three kinds, not a set of bits.
Result<u32> atime_flag(u64 attributes)
{
    switch (attributes & abi::mount_attr_atime_mask) {
    case abi::mount_attr_relatime:
        return u32 { vfs::kMountRelAtime };
    case abi::mount_attr_noatime:
        return u32 { vfs::kMountNoAtime };
    case abi::mount_attr_strictatime:
        return u32 { vfs::kMountStrictAtime };
    default:
        return err::inval;
    }
}

struct Change {
    u32 set = 0, clear = 0;
    u32 propagation = 0; ///< a vfs::Propagation, or 0
    u32 applied_to(u32 flags) const { return (flags & ~clear) | set; }
};

Result<Change> parse(abi::MountAttr const& a)
{
    constexpr u64 kinds = u64(vfs::Propagation::unbindable) | u64(vfs::Propagation::private_)
        | u64(vfs::Propagation::slave) | u64(vfs::Propagation::shared);
    constexpr u64 known = kPlain | abi::mount_attr_atime_mask | abi::mount_attr_idmap;
    if ((a.propagation & ~kinds) || std::popcount(a.propagation) > 1) return err::inval;
    if ((a.attr_set | a.attr_clr) & ~known) return err::inval;
    Change change { plain_flags(a.attr_set), plain_flags(a.attr_clr), u32(a.propagation) };
    u64 const cleared = a.attr_clr & abi::mount_attr_atime_mask;
    if (cleared && cleared != abi::mount_attr_atime_mask) return err::inval;
    if (cleared) {
        change.clear |= kAtimeKinds;
        change.set |= TRY(atime_flag(a.attr_set));
    } else if (a.attr_set & abi::mount_attr_atime_mask) {
        return err::inval;
    }
    // There are no mounts with other owners.
    if ((a.attr_set | a.attr_clr) & abi::mount_attr_idmap) return err::inval;
    return change;
}

Result<void> apply(vfs::MountTree const& tree, Change const& change, bool recursive)
{
    auto for_each = [&](auto&& visit) -> Result<void> {
        for (auto const& mount : tree.mounts()) {
            TRY(visit(*mount));
            if (!recursive) break;
        }
        return {};
    };
    // All or none.
    TRY(for_each([&](vfs::Mount& mount) -> Result<void> {
        u32 const flags = change.applied_to(mount.flags());
        TRY(mount.check_change(flags));
        return mount.check_writers(flags);
    }));
    return for_each([&](vfs::Mount& mount) -> Result<void> {
        mount.set_flags(change.applied_to(mount.flags()));
        if (change.propagation) mount.set_propagation(vfs::Propagation(change.propagation));
        return {};
    });
}

} // namespace

bool may_mount(Task& task)
{
    return is_capable(task.credentials(), *task.fs().mounts->owner(), Capability::sys_admin);
}

bool rules(Task& task, vfs::FileSystem& fs)
{
    return is_capable(task.credentials(), fs.user_namespace(), Capability::sys_admin);
}

Result<u32> mount_flags_of_attributes(u64 attributes)
{
    if (attributes & ~(kPlain | abi::mount_attr_atime_mask)) return err::inval;
    return plain_flags(attributes) | TRY(atime_flag(attributes));
}

u64 attributes_of_mount_flags(u32 flags)
{
    u64 attributes = 0;
    for (Row const& row : kRows)
        if (flags & row.flag) attributes |= row.attribute;
    if (flags & vfs::kMountNoAtime) return attributes | abi::mount_attr_noatime;
    return flags & vfs::kMountStrictAtime ? attributes | abi::mount_attr_strictatime : attributes;
}

SyscallResult sys_mount_setattr(
    Task& task, GuestFd directory, UserCString path, u32 flags, GuestAddr attributes, u64 size)
{
    constexpr u32 known
        = abi::at_empty_path | abi::at_recursive | abi::at_symlink_nofollow | abi::at_no_automount;
    if (flags & ~known) return err::inval;
    if (size > kPageSize) return err::too_big;
    if (size < sizeof(abi::MountAttr)) return err::inval;
    if (!may_mount(task)) return err::perm;
    auto const given = TRY(copy_in_versioned<abi::MountAttr>(task, attributes, size));
    if (!given.attr_set && !given.attr_clr && !given.propagation) return 0;
    auto const change = TRY(parse(given));
    auto place = TRY(resolve(task, directory, path, flags));
    auto& mount = *place.mount;
    if (!(place.dentry == mount.root())) return err::inval;
    auto* home = mount.mount_namespace();
    if (!home) return err::inval;
    if ((mount.parent() || !home->is_anonymous()) && home != task.fs().mounts.get()) return err::inval;
    TRY(apply(vfs::MountTree::of(mount), change, flags & abi::at_recursive));
    home->changed();
    return 0;
}

} // namespace umbra
