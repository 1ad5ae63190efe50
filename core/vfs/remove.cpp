// SPDX-License-Identifier: GPL-2.0-or-later
// Calls that take a name away or move it: unlink, rmdir, rename with the flags of renameat2(2). The order of
// the checks is that of Linux's fs/namei.c: programs see it in the errno.
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/vfs/dentry-cache.h"
#include "core/vfs/names.h"
#include "core/vfs/notify.h"

namespace umbra::vfs {

Result<void> unlink(Task& task, At const& at)
{
    auto walked = TRY(walk_parent(task, at.base, at.path));
    if (walked.name.empty() || walked.name == "." || walked.name == "..") return err::isdir;
    TRY(check_writable_mount(*walked.directory.mount));
    auto locked = TRY(lock_name(walked));
    Dentry& victim = *locked.dentry;
    if (victim.is_negative()) return err::noent;
    if (locked.trailing_slash) return victim.inode().is_directory() ? err::isdir : err::notdir;
    TRY(check_delete(task.credentials(), *locked.directory.dentry, victim, false));
    if (task.fs().mounts->has_mount_on(victim)) return err::busy;
    TRY(locked.directory.inode().unlink(locked.name, victim.inode()));
    task.kernel().dentries().unlinked(victim);
    notify_inode(victim.inode(), abi::in_attrib);
    notify_entry(locked.directory.inode(), locked.name, victim.inode(), abi::in_delete);
    return {};
}

Result<void> rmdir(Task& task, At const& at)
{
    auto walked = TRY(walk_parent(task, at.base, at.path));
    if (walked.name == "..") return err::notempty;
    if (walked.name == ".") return err::inval;
    if (walked.name.empty()) return err::busy;
    TRY(check_writable_mount(*walked.directory.mount));
    auto locked = TRY(lock_name(walked));
    Dentry& victim = *locked.dentry;
    TRY(check_delete(task.credentials(), *locked.directory.dentry, victim, true));
    if (task.fs().mounts->has_mount_on(victim)) return err::busy;
    // The victim's own lock: nobody may be creating in it while the file system finds it empty.
    MutexLock victim_lock(victim.inode().mutex);
    TRY(locked.directory.inode().rmdir(locked.name, victim.inode()));
    task.kernel().dentries().unlinked(victim);
    notify_inode(victim.inode(), abi::in_delete_self);
    notify_entry(locked.directory.inode(), locked.name, victim.inode(), abi::in_delete);
    return {};
}

namespace {

/// Both directories of a rename, locked against each other's tasks without a circle.
struct RenameLocks {
    RenameLocks(Dentry& from, Dentry& to)
    {
        if (&from == &to) {
            first = MutexHold(from.inode().mutex);
            return;
        }
        tree = MutexHold(from.file_system().rename_mutex);
        // The ancestor first, as every walk downwards would; unrelated ones in the order of their addresses.
        bool from_first
            = from.is_ancestor_of(to) || (!to.is_ancestor_of(from) && &from.inode() < &to.inode());
        first = MutexHold((from_first ? from : to).inode().mutex);
        second = MutexHold((from_first ? to : from).inode().mutex);
    }
    MutexHold tree, first, second;
};

struct RenameNames {
    Task& task;
    ParentWalk& from;
    ParentWalk& to;
    Ref<Dentry> source, target;
    u32 flags;
    bool exchange() const { return flags & abi::rename_exchange; }
    Dentry& from_directory() const { return *from.directory.dentry; }
    Dentry& to_directory() const { return *to.directory.dentry; }
};

/// What do_renameat2() checks before vfs_rename().
Result<void> check_rename_names(RenameNames const& r)
{
    if (r.source->is_negative()) return err::noent;
    bool target_exists = !r.target->is_negative();
    bool source_is_directory = r.source->inode().is_directory();
    if ((r.flags & abi::rename_noreplace) && target_exists) return err::exist;
    if (r.exchange()) {
        if (!target_exists) return err::noent;
        if (!r.target->inode().is_directory() && r.to.trailing_slash) return err::notdir;
    }
    if (!source_is_directory) {
        if (r.from.trailing_slash) return err::notdir;
        if (!r.exchange() && r.to.trailing_slash) return err::notdir;
    }
    if (r.source->is_ancestor_of(r.to_directory())) return err::inval;
    if (target_exists && r.target->is_ancestor_of(r.from_directory()))
        return r.exchange() ? err::inval : err::notempty;
    return {};
}

/// What vfs_rename() checks.
Result<void> check_rename_permission(RenameNames const& r)
{
    auto const& who = r.task.credentials();
    bool is_directory = r.source->inode().is_directory();
    TRY(check_delete(who, r.from_directory(), *r.source, is_directory));
    if (r.target->is_negative())
        TRY(check_create(who, r.to_directory()));
    else if (r.exchange())
        TRY(check_delete(who, r.to_directory(), *r.target, r.target->inode().is_directory()));
    else
        TRY(check_delete(who, r.to_directory(), *r.target, is_directory));
    // A directory that moves gets another "..": that is a write to it.
    if (&r.from_directory() != &r.to_directory()) {
        if (is_directory) TRY(check_permission(who, r.source->inode(), abi::w_ok));
        if (r.exchange() && r.target->inode().is_directory())
            TRY(check_permission(who, r.target->inode(), abi::w_ok));
    }
    auto const& mounts = *r.task.fs().mounts;
    if (mounts.has_mount_on(*r.source) || mounts.has_mount_on(*r.target)) return err::busy;
    return {};
}

/// The halves of a move carry the same cookie, by which a reader joins them (inotify(7)).
void notify_move(Kernel& kernel, Dentry const& dentry, ParentWalk const& from, ParentWalk const& to)
{
    Inode& moved = dentry.inode();
    if (has_marks(moved)) report_rename(from.directory.inode(), from.name, dentry);
    u32 cookie = u32(kernel.next_unique());
    if (&from.directory.inode() == &to.directory.inode())
        notify_entry(from.directory.inode(), from.name, moved, kRenamedWithin);
    notify_entry(from.directory.inode(), from.name, moved, abi::in_moved_from, cookie);
    notify_entry(to.directory.inode(), to.name, moved, abi::in_moved_to, cookie);
    notify_inode(moved, abi::in_move_self);
}

Result<void> rename_locked(RenameNames const& r)
{
    TRY(check_rename_names(r));
    // Two names of one file: nothing to do, see rename(2).
    if (r.source->inode_ptr() == r.target->inode_ptr()) return {};
    TRY(check_rename_permission(r));
    RefPtr<Inode> victim = r.target->inode_ptr();
    MutexHold victim_lock;
    if (victim && !r.exchange()) victim_lock = MutexHold(victim->mutex);
    TRY(r.from_directory().inode().rename(r.from.name, r.source->inode(), r.to_directory().inode(), r.to.name,
        victim.get(), r.flags & ~abi::rename_noreplace));
    auto& cache = r.task.kernel().dentries();
    if (r.exchange()) {
        cache.exchanged(*r.source, *r.target);
    } else {
        if (victim) cache.unlinked(*r.target);
        cache.moved(*r.source, *r.target);
    }
    notify_move(r.task.kernel(), *r.source, r.from, r.to);
    if (r.exchange())
        notify_move(r.task.kernel(), *r.target, r.to, r.from);
    else if (victim)
        notify_inode(*victim, victim->is_directory() ? abi::in_delete_self : abi::in_attrib);
    return {};
}

bool is_special_name(std::string const& name) { return name.empty() || name == "." || name == ".."; }

} // namespace

Result<void> rename(Task& task, At const& from, At const& to, u32 flags)
{
    constexpr u32 known = abi::rename_noreplace | abi::rename_exchange | abi::rename_whiteout;
    if (flags & ~known) return err::inval;
    if ((flags & abi::rename_exchange) && (flags & ~abi::rename_exchange)) return err::inval;
    if ((flags & abi::rename_whiteout) && !task.credentials().has(Capability::mknod)) return err::perm;
    auto old_walk = TRY(walk_parent(task, from.base, from.path));
    auto new_walk = TRY(walk_parent(task, to.base, to.path));
    if (!(old_walk.directory.mount == new_walk.directory.mount)) return err::xdev;
    if (is_special_name(old_walk.name)) return err::busy;
    if (is_special_name(new_walk.name)) return flags & abi::rename_noreplace ? err::exist : err::busy;
    TRY(check_writable_mount(*old_walk.directory.mount));
    RenameLocks locks(*old_walk.directory.dentry, *new_walk.directory.dentry);
    auto source = TRY(lookup_child_locked(*old_walk.directory.dentry, old_walk.name));
    auto target = TRY(lookup_child_locked(*new_walk.directory.dentry, new_walk.name));
    return rename_locked({ task, old_walk, new_walk, source, target, flags });
}

} // namespace umbra::vfs
