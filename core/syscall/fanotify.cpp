// SPDX-License-Identifier: GPL-2.0-or-later
// fanotify_init, fanotify_mark: which flags go together, in the order in which Linux looks at them.
#include "core/ipc/fanotify.h"

#include "core/syscall/path-argument.h"
#include "core/vfs/file-handle.h"
#include "core/vfs/internal-mounts.h"

namespace umbra {

using namespace abi;

namespace {

constexpr u32 kUserFlags = fan_fid_bits | fan_cloexec | fan_nonblock;
constexpr u32 kAdminFlags
    = fan_class_bits | fan_report_tid | fan_report_pidfd | fan_unlimited_queue | fan_unlimited_marks;
constexpr u32 kEventFlags
    = o_accmode | o_append | o_nonblock | o_sync | o_dsync | o_cloexec | o_largefile | o_noatime;

Result<void> check_group_flags(u32 flags, u32 event_flags)
{
    if (flags & ~(kUserFlags | kAdminFlags)) return err::inval;
    if ((flags & fan_report_pidfd) && (flags & fan_report_tid)) return err::inval;
    if (event_flags & ~kEventFlags || (event_flags & o_accmode) == o_accmode) return err::inval;
    u32 const group_class = flags & fan_class_bits;
    bool const has_handles = flags & fan_fid_bits;
    if (group_class == fan_class_bits || (has_handles && group_class != fan_class_notif)) return err::inval;
    // A name is one in a directory; a target comes with directory, name and child.
    if ((flags & fan_report_name) && !(flags & fan_report_dir_fid)) return err::inval;
    constexpr u32 kWithTarget = fan_report_name | fan_report_fid;
    bool const has_target = flags & fan_report_target_fid;
    return has_target && (flags & kWithTarget) != kWithTarget ? Result<void>(err::inval) : Result<void>();
}

} // namespace

SyscallResult sys_fanotify_init(Task& task, u32 flags, u32 event_flags)
{
    bool const privileged = task.credentials().has(Capability::sys_admin);
    if (!privileged && ((flags & kAdminFlags) || !(flags & fan_fid_bits))) return err::perm;
    TRY(check_group_flags(flags, event_flags));
    auto file = TRY(ipc::make_fanotify(
        task, { .flags = flags, .event_flags = event_flags | o_largefile, .is_unprivileged = !privileged }));
    return TRY(task.files().add(std::move(file), flags & fan_cloexec, task.limit(Resource::nofile))).value;
}

namespace {

/// The arguments of fanotify_mark(2) that say what is marked how.
struct MarkRequest {
    u32 flags;
    u32 mask;
    u32 type() const { return flags & fan_mark_types; }
    u32 command() const { return flags & fan_mark_commands; }
    u32 ignore() const { return flags & fan_mark_ignore_bits; }
    vfs::MarkKind kind() const
    {
        if (type() == fan_mark_mount) return vfs::MarkKind::mount;
        return type() == fan_mark_filesystem ? vfs::MarkKind::file_system : vfs::MarkKind::inode;
    }
};

Result<void> check_request(MarkRequest const& request)
{
    constexpr u32 kKnown = fan_mark_types | fan_mark_commands | fan_mark_ignore_bits | fan_mark_dont_follow
        | fan_mark_onlydir | fan_mark_ignored_surv_modify | fan_mark_evictable;
    if (request.flags & ~kKnown || request.type() == fan_mark_types) return err::inval;
    switch (request.command()) {
    case fan_mark_add:
    case fan_mark_remove:
        if (!request.mask) return err::inval;
        break;
    case fan_mark_flush:
        if (request.flags & ~(fan_mark_types | fan_mark_flush)) return err::inval;
        break;
    default:
        return err::inval;
    }
    if (request.mask & ~(fan_markable | fan_event_flags)) return err::inval;
    return request.ignore() == fan_mark_ignore_bits ? Result<void>(err::inval) : Result<void>();
}

/// What the group can be told of at all.
Result<void> check_group(Task& task, ipc::FanotifyGroup const& group, MarkRequest const& request)
{
    bool const privileged = task.credentials().has(Capability::sys_admin) && !group.options().is_unprivileged;
    if (!privileged && request.type() != fan_mark_inode) return err::perm;
    u32 const mask = request.mask;
    if (mask & fan_permission_events && group.is_for_notification()) return err::inval;
    if (mask & fan_fs_error && request.type() != fan_mark_filesystem) return err::inval;
    if (request.flags & fan_mark_evictable && request.type() != fan_mark_inode) return err::inval;
    bool const beyond_paths = mask & ~(fan_path_events | fan_event_flags);
    if (beyond_paths && (!group.reports_handles() || request.type() == fan_mark_mount)) return err::inval;
    if (mask & fan_rename && !(group.options().flags & fan_report_name)) return err::inval;
    return {};
}

Result<vfs::Path> find_place(Task& task, GuestFd directory, UserCString name, u32 flags)
{
    if (name.is_null()) {
        auto file = TRY(task.files().get(directory));
        if (flags & fan_mark_onlydir && !file->inode().is_directory()) return err::notdir;
        TRY(vfs::check_permission(task.credentials(), file->inode(), r_ok));
        return *file->path();
    }
    auto path = TRY(copy_in_path(task, directory, name));
    auto place = TRY(vfs::walk(task, path.base, path.name,
        { .follow_last = !(flags & fan_mark_dont_follow),
            .want_directory = bool(flags & fan_mark_onlydir) }));
    TRY(vfs::check_permission(task.credentials(), place.inode(), r_ok));
    return place;
}

/// Whether the events can happen there.
Result<void> check_addition(
    Task& task, ipc::FanotifyGroup const& group, MarkRequest const& request, vfs::Path const& place)
{
    u32 const mask = request.mask;
    // Somebody who waits while he is in proc may be who the listener waits for.
    if (mask & fan_permission_events && place.dentry->file_system().type() == "proc") return err::inval;
    auto const& internal = task.kernel().internal_mounts();
    bool const is_internal = place.mount == internal.anonymous || place.mount == internal.shared_memory;
    if (request.type() != fan_mark_inode && is_internal) return err::inval;
    bool const strict = group.options().flags & fan_report_target_fid || mask & fan_rename
        || request.flags & fan_mark_ignore;
    constexpr u32 kOfDirectories = fan_entry_events | fan_event_flags;
    if (strict && request.type() == fan_mark_inode && !place.inode().is_directory() && mask & kOfDirectories)
        return err::notdir;
    return {};
}

Result<void> change_mark(ipc::FanotifyGroup& group, MarkRequest const& request, vfs::Path const& place)
{
    bool const of_inode = request.type() == fan_mark_inode;
    bool const has_children = of_inode && place.inode().is_directory();
    bool const adds = request.command() == fan_mark_add;
    bool const survives = request.flags & fan_mark_ignored_surv_modify;
    if (adds && request.ignore() == fan_mark_ignore && (!of_inode || has_children) && !survives)
        return of_inode ? err::isdir : err::inval;
    ipc::FanotifyMarkChange change { .mask = request.mask,
        .ignores = request.ignore() != 0,
        .has_ignore_flags = request.ignore() == fan_mark_ignore,
        .survives_modify = survives,
        .evictable = bool(request.flags & fan_mark_evictable) };
    if (request.ignore() == fan_mark_ignored_mask) {
        change.mask &= ~fan_event_flags;
        change.kernels = fan_event_flags;
    }
    if (!has_children) {
        // Without children of its own the bit says that the directory of what happens to a file is wanted.
        change.mask &= ~fan_event_on_child;
        change.kernels |= fan_event_on_child;
        bool const wants_directory = group.options().flags & fan_report_dir_fid;
        if (wants_directory && adds && !change.ignores) change.mask |= fan_event_on_child;
    }
    return adds ? group.add_to_mark(place, request.kind(), change)
                : group.remove_from_mark(place, request.kind(), change);
}

} // namespace

SyscallResult sys_fanotify_mark(
    Task& task, GuestFd fd, u32 flags, u64 mask, GuestFd directory, UserCString name)
{
    if (mask >> 32) return err::inval;
    MarkRequest const request { flags, u32(mask) };
    TRY(check_request(request));
    auto file = TRY(task.files().get(fd));
    auto* fanotify = ipc::as_fanotify(*file);
    if (!fanotify) return err::inval;
    auto& group = fanotify->group();
    TRY(check_group(task, group, request));
    if (request.command() == fan_mark_flush) {
        group.remove_all(request.kind());
        return 0;
    }
    auto const place = TRY(find_place(task, directory, name, flags));
    if (request.command() == fan_mark_add) TRY(check_addition(task, group, request, place));
    bool const has_sources = vfs::handle_source(place.dentry->file_system());
    if (group.reports_handles() && request.type() != fan_mark_inode && !has_sources) return err::opnotsupp;
    TRY(change_mark(group, request, place));
    return 0;
}

} // namespace umbra
