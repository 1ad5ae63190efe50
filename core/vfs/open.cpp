// SPDX-License-Identifier: GPL-2.0-or-later
// open(2) and openat2(2): flags, walking to the file, creating it, permission, truncation (Linux: fs/open.c
// and the end of fs/namei.c).
#include <optional>

#include "core/device/device-table.h"
#include "core/ipc/pipe.h"
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/vfs/dentry-cache.h"
#include "core/vfs/locks.h"
#include "core/vfs/names.h"
#include "core/vfs/notify.h"
#include "core/vfs/walker.h"

namespace umbra::vfs {

namespace {

/// What the access mode and O_TRUNC need, as abi::r_ok and w_ok.
u32 access_mask(u32 flags)
{
    static constexpr u32 masks[] = { abi::r_ok, abi::w_ok, abi::r_ok | abi::w_ok, abi::r_ok | abi::w_ok };
    return masks[flags & abi::o_accmode] | (flags & abi::o_trunc ? abi::w_ok : 0);
}

bool wants_to_write(u32 flags) { return (flags & abi::o_accmode) != abi::o_rdonly; }

/// may_open(): the object's type, then permission.
Result<void> check_open(Task& task, Path const& path, u32 flags)
{
    Inode& inode = path.inode();
    u32 mask = access_mask(flags);
    switch (inode.mode() & abi::s_ifmt) {
    case abi::s_iflnk:
        return err::loop;
    case abi::s_ifdir:
        if (mask & abi::w_ok) return err::isdir;
        break;
    case abi::s_ifblk:
    case abi::s_ifchr:
        if ((path.mount->flags() & kMountNoDev) || inode.file_system().devices_are_dead()) return err::acces;
        break;
    }
    TRY(check_permission(task.credentials(), inode, mask));
    if (inode.is_append_only()) {
        bool const overwrites = wants_to_write(flags) && !(flags & abi::o_append);
        if (overwrites || (flags & abi::o_trunc)) return err::perm;
    }
    if ((flags & abi::o_noatime) && !is_owner_or_capable(task.credentials(), inode)) return err::perm;
    return {};
}

Result<void> truncate_on_open(Task& task, Inode& inode)
{
    if (inode.write_count < 0) return err::txtbsy;
    MutexLock lock(inode.mutex);
    TRY(remove_privileges(task, inode));
    auto now = current_time(task.kernel());
    using C = AttributeChange;
    return inode.set_attributes(
        { .mask = C::kSize | C::kMtime | C::kCtime, .size = 0, .mtime = now, .ctime = now });
}

/// Whoever is about to open a file counts as having it open: no new lease comes in its way.
class Opener {
public:
    Opener(Inode& inode, u32 flags)
        : inode_(inode)
        , count_(wants_to_write(flags) ? inode.write_count : inode.read_count)
    {
        ++count_;
    }
    ~Opener() { --count_; }
    Opener(Opener const&) = delete;

private:
    Ref<Inode> inode_;
    i32& count_;
};

enum class Opening : u8 {
    existing,
    just_created,
    silent, ///< for a listener of fanotify, who may see what it is told of
};

Result<Ref<File>> finish_open(Task& task, Path const& path, u32 flags, Opening opening)
{
    if (flags & abi::o_path) return Ref<File>(make_ref<File>(path, flags));
    Inode& inode = path.inode();
    bool truncates = (flags & abi::o_trunc) && inode.is_regular() && opening == Opening::existing;
    if (truncates) TRY(check_writable_mount(*path.mount));
    if (opening == Opening::existing) TRY(check_open(task, path, flags));
    if (opening != Opening::silent) TRY(ask_permission(path, abi::fan_open_perm));
    bool stored = inode.is_regular() || inode.is_directory();
    if (wants_to_write(flags) && stored) {
        if (inode.write_count < 0) return err::txtbsy;
        TRY(check_writable_mount(*path.mount));
    }
    std::optional<Opener> opener;
    if (inode.is_regular()) opener.emplace(inode, flags);
    TRY(break_leases(task, inode, flags));
    if (truncates) TRY(truncate_on_open(task, inode));
    auto file = TRY(inode.open(path, flags));
    file->is_silent = opening == Opening::silent;
    if (wants_to_write(flags) && stored) TRY(file->count_writer());
    if (!wants_to_write(flags) && inode.is_regular()) file->count_reader();
    notify_file(*file, abi::in_open);
    if (truncates) notify_dentry(*path.dentry, abi::in_modify);
    return file;
}

/// Makes a file of a name that is none yet. The caller holds the directory's mutex.
Result<void> create_here(Task& task, Walker const& walker, Ref<Dentry> const& dentry, OpenHow const& how)
{
    Path const& directory = walker.current();
    TRY(check_writable_mount(*directory.mount));
    TRY(check_create(task.credentials(), *directory.dentry));
    Inode& parent = directory.inode();
    auto what = new_inode_in(task.credentials(), parent, abi::s_ifreg | (how.mode & 07777));
    auto made = TRY(parent.create(walker.name(), what));
    task.kernel().dentries().instantiate(*dentry, made);
    notify_entry(parent, walker.name(), *made, abi::in_create);
    return {};
}

/// The same, if the name is still none: whether it was. Nobody's mutex is held when it is opened.
Result<bool> create_missing(Task& task, Walker const& walker, Ref<Dentry>& dentry, OpenHow const& how)
{
    MutexHold lock(walker.current().inode().mutex);
    // Somebody may have been faster while the mutex was not held.
    dentry = TRY(lookup_child_locked(*walker.current().dentry, walker.name()));
    if (!dentry->is_negative()) return false;
    TRY(create_here(task, walker, dentry, how));
    return true;
}

/// O_CREAT: the last component is looked at before it is walked into.
Result<Ref<File>> open_or_create(Task& task, At const& at, OpenHow const& how)
{
    bool exclusive = how.flags & abi::o_excl;
    Walker walker(task, at.base, { .resolve = how.resolve });
    TRY(walker.start(at.path));
    for (;;) {
        TRY(walker.to_parent());
        if (walker.name().empty() || walker.is_dots()) return exclusive ? err::exist : err::isdir;
        if (walker.trailing_slash()) return err::isdir;
        auto dentry = TRY(lookup_child(walker.current(), walker.name()));
        if (dentry->is_negative() && TRY(create_missing(task, walker, dentry, how))) {
            Path const made { walker.current().mount, dentry };
            auto file = TRY(finish_open(task, made, how.flags, Opening::just_created));
            file->was_created = true;
            return file;
        }
        if (exclusive) return err::exist;
        if (!TRY(walker.step_into(dentry, !(how.flags & abi::o_nofollow)))) break;
    }
    if (walker.current().inode().is_directory()) return err::isdir;
    return finish_open(task, walker.current(), how.flags, Opening::existing);
}

/// O_TMPFILE: `at` names the directory on whose file system the nameless file lives.
Result<Ref<File>> open_unnamed(Task& task, At const& at, OpenHow const& how)
{
    Path directory = TRY(walk(task, at.base, at.path,
        { .follow_last = !(how.flags & abi::o_nofollow), .want_directory = true, .resolve = how.resolve }));
    TRY(check_writable_mount(*directory.mount));
    TRY(check_permission(task.credentials(), directory.inode(), abi::w_ok | abi::x_ok));
    auto what = new_inode_in(task.credentials(), directory.inode(), abi::s_ifreg | (how.mode & 07777));
    what.linkable = !(how.flags & abi::o_excl);
    auto inode = TRY(directory.inode().create_unnamed(what));
    auto name = "#" + std::to_string(inode->number());
    auto dentry = task.kernel().dentries().make_unlinked(*directory.dentry, std::move(name), inode);
    Path path { directory.mount, dentry };
    return finish_open(task, path, how.flags, Opening::just_created);
}

/// build_open_flags(): combinations that Linux refuses, and what one flag implies for another.
Result<OpenHow> checked_how(OpenHow how)
{
    u32& flags = how.flags;
    if (flags & abi::o_tmpfile_bit) {
        if ((flags & (abi::o_tmpfile | abi::o_creat)) != abi::o_tmpfile) return err::inval;
        if (!wants_to_write(flags)) return err::inval;
    } else if ((flags & abi::o_creat) && (flags & abi::o_directory)) {
        return err::inval; // since Linux 6.4, see open(2) BUGS
    }
    if (flags & abi::o_path) flags &= abi::o_directory | abi::o_nofollow | abi::o_path;
    if ((flags & abi::o_creat) && (flags & abi::o_excl)) flags |= abi::o_nofollow;
    return how;
}

} // namespace

Result<Ref<File>> open(Task& task, At const& at, OpenHow const& requested)
{
    auto how = TRY(checked_how(requested));
    if (how.flags & abi::o_tmpfile_bit) return open_unnamed(task, at, how);
    if (how.flags & abi::o_creat) return open_or_create(task, at, how);
    Path path = TRY(walk(task, at.base, at.path,
        { .follow_last = !(how.flags & abi::o_nofollow),
            .want_directory = bool(how.flags & abi::o_directory),
            .resolve = how.resolve }));
    return finish_open(task, path, how.flags, Opening::existing);
}

Result<Ref<File>> open_path(Task& task, Path const& path, u32 flags)
{
    return finish_open(task, path, flags & ~(abi::o_creat | abi::o_excl), Opening::existing);
}

Result<Ref<File>> open_silently(Task& task, Path const& path, u32 flags)
{
    return finish_open(task, path, flags, Opening::silent);
}

Result<Ref<File>> open_special(Path const& path, u32 flags)
{
    Inode& inode = path.inode();
    auto& devices = inode.file_system().kernel().devices();
    switch (inode.mode() & abi::s_ifmt) {
    case abi::s_ififo:
        return ipc::open_fifo(path, flags);
    case abi::s_ifchr:
        return devices.open(device::DeviceKind::character, path, flags);
    case abi::s_ifblk:
        return devices.open(device::DeviceKind::block, path, flags);
    default:
        return err::nxio;
    }
}

} // namespace umbra::vfs
