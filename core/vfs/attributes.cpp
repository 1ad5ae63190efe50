// SPDX-License-Identifier: GPL-2.0-or-later
// Calls that change what stat(2) shows: mode, owner, size, times; and access(2). Rules: chmod(2), chown(2),
// truncate(2), utimensat(2) and setattr_prepare() of Linux's fs/attr.c.
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/time/timekeeper.h"
#include "core/vfs/lease.h"
#include "core/vfs/notify.h"
#include "core/vfs/operations.h"

namespace umbra::vfs {

using C = AttributeChange;

namespace {

constexpr i64 kUtimeNow = (1 << 30) - 1, kUtimeOmit = (1 << 30) - 2;

/// chattr(1) says so.
bool is_fixed(Inode const& inode) { return inode.is_immutable() || inode.is_append_only(); }

Result<void> change_attributes(Path const& path, AttributeChange const& change)
{
    TRY(path.inode().set_attributes(change));
    notify_dentry(*path.dentry, abi::in_attrib);
    return {};
}

} // namespace

abi::Timespec current_time(Kernel& kernel) { return kernel.time().realtime_timespec(); }

Result<void> change_mode(Task& task, Path const& path, u32 mode)
{
    Inode& inode = path.inode();
    if (inode.is_symlink()) return err::opnotsupp;
    TRY(check_writable_mount(*path.mount));
    if (is_fixed(inode)) return err::perm;
    if (!is_owner_or_capable(task.credentials(), inode)) return err::perm;
    mode &= 07777;
    if (!in_group_or_capable(task.credentials(), inode)) mode &= ~abi::s_isgid;
    return change_attributes(
        path, { .mask = C::kMode | C::kCtime, .mode = mode, .ctime = current_time(task.kernel()) });
}

namespace {

bool may_change_owner(Credentials const& who, Attributes const& now, u32 uid, u32 gid)
{
    if (is_capable_over(who, now, Capability::chown)) return true;
    bool is_owner = who.fsuid == now.uid;
    if (uid != ~0u && !(is_owner && uid == now.uid)) return false;
    return gid == ~0u || (is_owner && (gid == now.gid || who.in_group(gid)));
}

/// Makes kernel's ids of those that a guest gave; kNoId stays. EINVAL.
Result<void> ids_of_kernel(Credentials const& who, u32& uid, u32& gid)
{
    auto const& space = *who.user_namespace;
    auto const user = uid == kNoId ? uid : space.uid_in(uid), group = gid == kNoId ? gid : space.gid_in(gid);
    if (!user || !group) return err::inval;
    uid = *user, gid = *group;
    return {};
}

/// Whether the file system knows the ids that are to change.
bool may_store(FileSystem const& fs, u32 uid, u32 gid)
{
    auto const& space = fs.user_namespace();
    return (uid == kNoId || space.uids.to_inside(uid)) && (gid == kNoId || space.gids.to_inside(gid));
}

/// The mode without the privileges that a change of owner or content takes away.
u32 without_privileges(Credentials const& who, Inode const& inode)
{
    u32 mode = inode.mode() & ~abi::s_isuid;
    // Without group execution S_ISGID once meant mandatory locking; Linux keeps it for members of the group.
    if ((mode & abi::s_isgid) && ((mode & abi::s_ixgrp) || !in_group_or_capable(who, inode)))
        mode &= ~abi::s_isgid;
    return mode;
}

} // namespace

Result<void> change_owner(Task& task, Path const& path, u32 uid, u32 gid)
{
    Inode& inode = path.inode();
    auto const& who = task.credentials();
    TRY(check_writable_mount(*path.mount));
    if (is_fixed(inode)) return err::perm;
    TRY(ids_of_kernel(who, uid, gid));
    if (!may_store(inode.file_system(), uid, gid)) return err::overflow;
    if (!may_change_owner(who, inode.attributes(), uid, gid)) return err::perm;
    AttributeChange change {
        .mask = C::kCtime, .uid = uid, .gid = gid, .ctime = current_time(task.kernel())
    };
    if (uid != ~0u) change.mask |= C::kUid;
    if (gid != ~0u) change.mask |= C::kGid;
    if (!inode.is_directory()) {
        change.mode = without_privileges(who, inode);
        if (change.mode != inode.mode()) change.mask |= C::kMode;
        // Not every object can have one: what matters is that it is gone.
        (void)inode.remove_xattr("security.capability");
    }
    return change_attributes(path, change);
}

namespace {

/// Whoever writes a program takes its capabilities away. Of the host's files the host does that.
void remove_capabilities(Inode& inode)
{
    if (inode.file_system().type() == "hostfs" || inode.get_xattr("security.capability").is_error()) return;
    (void)inode.remove_xattr("security.capability"); // there a moment ago; what matters is that it is gone
}

} // namespace

Result<void> remove_privileges(Task& task, Inode& inode)
{
    auto const& who = task.credentials();
    if (inode.is_regular()) remove_capabilities(inode);
    if (!inode.is_regular() || is_capable_over(who, inode.attributes(), Capability::fsetid)) return {};
    u32 mode = without_privileges(who, inode);
    if (mode == inode.mode()) return {};
    return inode.set_attributes(
        { .mask = C::kMode | C::kCtime, .mode = mode, .ctime = current_time(task.kernel()) });
}

Result<void> check_size_limit(Task& task, u64 size)
{
    if (size > task.limit(Resource::fsize)) {
        (void)send_signal(task, kernel_signal(abi::sigxfsz));
        return err::fbig;
    }
    return size > kMaxFileSize ? Result<void>(err::fbig) : Result<void>();
}

namespace {

Result<void> truncate_checked(Task& task, Inode& inode, u64 size, File* file)
{
    if (size > inode.attributes().size) TRY(check_size_limit(task, size));
    MutexLock lock(inode.mutex);
    TRY(remove_privileges(task, inode));
    if (file) return file->truncate(size);
    auto now = current_time(task.kernel());
    return inode.set_attributes(
        { .mask = C::kSize | C::kMtime | C::kCtime, .size = size, .mtime = now, .ctime = now });
}

} // namespace

Result<void> truncate(Task& task, Path const& path, u64 size)
{
    Inode& inode = path.inode();
    if (inode.is_directory()) return err::isdir;
    if (!inode.is_regular()) return err::inval;
    TRY(check_writable_mount(*path.mount));
    TRY(check_permission(task.credentials(), inode, abi::w_ok));
    if (inode.is_append_only()) return err::perm;
    if (inode.write_count < 0) return err::txtbsy;
    // As an opener for writing, that no new lease comes in the way.
    Ref<Inode> const kept(inode);
    ++inode.write_count;
    auto truncated = [&]() -> Result<void> {
        TRY(break_leases(task, inode, abi::o_wronly));
        return truncate_checked(task, inode, size, nullptr);
    }();
    --inode.write_count;
    TRY(truncated);
    notify_dentry(*path.dentry, abi::in_modify);
    return {};
}

Result<void> truncate_file(Task& task, File& file, u64 size)
{
    if (!file.inode().is_regular() || !file.is_writable()) return err::inval;
    if (file.inode().is_append_only()) return err::perm;
    TRY(truncate_checked(task, file.inode(), size, &file));
    notify_dentry(*file.path()->dentry, abi::in_modify);
    return {};
}

Result<void> change_times(Task& task, Path const& path, abi::Timespec const* times)
{
    Inode& inode = path.inode();
    auto valid = [](abi::Timespec const& t) {
        return (t.nsec >= 0 && t.nsec < kNanosecondsPerSecond) || t.nsec == kUtimeNow || t.nsec == kUtimeOmit;
    };
    if (times && (!valid(times[0]) || !valid(times[1]))) return err::inval;
    if (times && times[0].nsec == kUtimeOmit && times[1].nsec == kUtimeOmit) return {};
    TRY(check_writable_mount(*path.mount));
    bool both_now = !times || (times[0].nsec == kUtimeNow && times[1].nsec == kUtimeNow);
    if (inode.is_immutable() || (inode.is_append_only() && !both_now)) return err::perm;
    if (!is_owner_or_capable(task.credentials(), inode)) {
        if (!both_now) return err::perm;
        TRY(check_permission(task.credentials(), inode, abi::w_ok));
    }
    auto now = current_time(task.kernel());
    AttributeChange change { .mask = C::kCtime, .atime = now, .mtime = now, .ctime = now };
    if (!times || times[0].nsec != kUtimeOmit) change.mask |= C::kAtime;
    if (!times || times[1].nsec != kUtimeOmit) change.mask |= C::kMtime;
    if (times && times[0].nsec != kUtimeNow) change.atime = times[0];
    if (times && times[1].nsec != kUtimeNow) change.mtime = times[1];
    return change_attributes(path, change);
}

Result<void> check_access(Task& task, Path const& path, u32 mask)
{
    Inode& inode = path.inode();
    if ((mask & abi::x_ok) && inode.is_regular() && (path.mount->flags() & kMountNoExec)) return err::acces;
    TRY(check_permission(task.credentials(), inode, mask));
    bool stored = inode.is_regular() || inode.is_directory() || inode.is_symlink();
    return (mask & abi::w_ok) && stored ? check_writable_mount(*path.mount) : Result<void>();
}

void update_access_time(Path const& path, u32 open_flags)
{
    Inode& inode = path.inode();
    u32 flags = path.mount->flags();
    if ((open_flags & abi::o_noatime) || (flags & kMountNoAtime) || path.mount->is_read_only()) return;
    if ((flags & kMountNoDirAtime) && inode.is_directory()) return;
    auto const& a = inode.attributes();
    if (a.flags & abi::fs_noatime) return;
    auto now = current_time(inode.file_system().kernel());
    auto before = [](abi::Timespec const& x, abi::Timespec const& y) {
        return x.sec < y.sec || (x.sec == y.sec && x.nsec <= y.nsec);
    };
    // relatime, the default of mount(2): only where it would be older than a change, or a day old.
    bool strict = flags & kMountStrictAtime;
    if (!strict && !before(a.atime, a.mtime) && !before(a.atime, a.ctime)
        && now.sec - a.atime.sec < 24 * 3600)
        return;
    inode.touch_atime(now);
}

} // namespace umbra::vfs
