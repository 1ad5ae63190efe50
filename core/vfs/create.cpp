// SPDX-License-Identifier: GPL-2.0-or-later
// Calls that make a name: mkdir, mknod, symlink, link.
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/vfs/dentry-cache.h"
#include "core/vfs/names.h"
#include "core/vfs/notify.h"

namespace umbra::vfs {

Result<LockedName> lock_name(ParentWalk const& walked)
{
    MutexHold lock(walked.directory.inode().mutex);
    auto dentry = TRY(lookup_child_locked(*walked.directory.dentry, walked.name));
    return LockedName { walked.directory, walked.name, walked.trailing_slash, std::move(lock), dentry };
}

Result<LockedName> prepare_create(Task& task, At const& at, bool is_directory)
{
    auto walked = TRY(walk_parent(task, at.base, at.path));
    if (walked.name.empty() || walked.name == "." || walked.name == "..") return err::exist;
    auto locked = TRY(lock_name(walked));
    if (!locked.dentry->is_negative()) return err::exist;
    if (!is_directory && locked.trailing_slash) return err::noent;
    TRY(check_writable_mount(*locked.directory.mount));
    TRY(check_create(task.credentials(), *locked.directory.dentry));
    return locked;
}

NewInode new_inode_in(Credentials const& who, Inode const& directory, u32 mode, u64 device)
{
    NewInode result { .mode = mode, .uid = who.fsuid, .gid = who.fsgid, .rdev = device };
    auto const& attributes = directory.attributes();
    if (!(attributes.mode & abi::s_isgid)) return result;
    result.gid = attributes.gid;
    constexpr u32 privileged = abi::s_isgid | abi::s_ixgrp;
    if (abi::is_directory(mode))
        result.mode |= abi::s_isgid;
    else if ((mode & privileged) == privileged && !who.in_group(attributes.gid)
        && !is_capable_over(who, attributes, Capability::fsetid))
        result.mode &= ~abi::s_isgid;
    return result;
}

Result<void> mkdir(Task& task, At const& at, u32 mode)
{
    auto locked = TRY(prepare_create(task, at, true));
    Inode& directory = locked.directory.inode();
    mode = abi::s_ifdir | (mode & (0777 | abi::s_isvtx));
    auto made = TRY(directory.create(locked.name, new_inode_in(task.credentials(), directory, mode)));
    task.kernel().dentries().instantiate(*locked.dentry, made);
    notify_entry(directory, locked.name, *made, abi::in_create);
    return {};
}

Result<Path> make_node(Task& task, At const& at, u32 mode, u64 device)
{
    bool is_device = abi::is_character_device(mode) || abi::is_block_device(mode);
    auto locked = TRY(prepare_create(task, at, false));
    // A whiteout (character device 0:0) needs no capability, see mknod(2).
    bool is_whiteout = abi::is_character_device(mode) && device == 0;
    if (is_device && !is_whiteout && !task.credentials().has(Capability::mknod)) return err::perm;
    Inode& directory = locked.directory.inode();
    auto made = TRY(directory.create(
        locked.name, new_inode_in(task.credentials(), directory, mode, is_device ? device : 0)));
    task.kernel().dentries().instantiate(*locked.dentry, made);
    notify_entry(directory, locked.name, *made, abi::in_create);
    return Path { locked.directory.mount, locked.dentry };
}

Result<void> mknod(Task& task, At const& at, u32 mode, u64 device)
{
    switch (mode & abi::s_ifmt) {
    case 0:
        mode |= abi::s_ifreg;
        break;
    case abi::s_ifreg:
    case abi::s_ififo:
    case abi::s_ifsock:
    case abi::s_ifchr:
    case abi::s_ifblk:
        break;
    case abi::s_ifdir:
        return err::perm;
    default:
        return err::inval;
    }
    TRY(make_node(task, at, mode, device));
    return {};
}

Result<void> symlink(Task& task, std::string_view target, At const& at)
{
    if (target.empty()) return err::noent;
    auto locked = TRY(prepare_create(task, at, false));
    Inode& directory = locked.directory.inode();
    auto what = new_inode_in(task.credentials(), directory, abi::s_iflnk | 0777);
    auto made = TRY(directory.symlink(locked.name, target, what));
    task.kernel().dentries().instantiate(*locked.dentry, made);
    notify_entry(directory, locked.name, *made, abi::in_create);
    return {};
}

Result<void> link(Task& task, At const& from, At const& to, bool follow, bool empty)
{
    if (empty && from.path.empty() && !task.credentials().has(Capability::dac_read_search)) return err::noent;
    Path source = TRY(walk(task, from.base, from.path, { .follow_last = follow, .allow_empty = empty }));
    auto walked = TRY(walk_parent(task, to.base, to.path));
    if (walked.name.empty() || walked.name == "." || walked.name == "..") return err::exist;
    auto locked = TRY(lock_name(walked));
    if (!locked.dentry->is_negative()) return err::exist;
    if (locked.trailing_slash) return err::noent;
    TRY(check_writable_mount(*locked.directory.mount));
    // Linux compares mounts, not file systems: a link across a bind mount is EXDEV too, see link(2).
    if (!(source.mount == locked.directory.mount)) return err::xdev;
    TRY(check_create(task.credentials(), *locked.directory.dentry));
    Inode& inode = source.inode();
    if (inode.is_directory() || inode.is_immutable() || inode.is_append_only()) return err::perm;
    // A file that has lost its last name cannot get one again, except an O_TMPFILE one: its file system says
    // so.
    TRY(locked.directory.inode().link(locked.name, inode));
    task.kernel().dentries().instantiate(*locked.dentry, Ref<Inode>(inode));
    notify_inode(inode, abi::in_attrib);
    notify_entry(locked.directory.inode(), locked.name, inode, abi::in_create);
    return {};
}

} // namespace umbra::vfs
