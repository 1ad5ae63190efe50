// SPDX-License-Identifier: GPL-2.0-or-later
// Telling watchers what happens to files (Linux: fsnotify). The operations of core/vfs call these; inotify, dnotify and
// fanotify listen. What nobody watches costs a look at three lists. Events are the IN_* bits of core/abi/inotify.h;
// IN_ISDIR is added here.
#pragma once

#include <string_view>

#include "core/abi/inotify.h"
#include "core/vfs/file.h"
#include "core/vfs/marks.h"
#include "core/vfs/path.h"

namespace umbra::vfs {

/// Beside IN_*: an entry got another name within the directory. Comes before the events of the move.
constexpr u32 kRenamedWithin = 0x10000000;

/// A watch on an inode; linked into Inode::watches. Never waits.
class InodeWatch : public TaggedNode<InodeWatch>, public TaggedNode<FileSystem> {
public:
    struct Event {
        u32 mask;
        u32 cookie = 0; ///< joins the two halves of a rename
        std::string_view name = {}; ///< of the entry, where the watched inode is its directory
        bool entry_is_unlinked = false;
    };
    /// May unlink this watch, and no other.
    virtual void happened(Event const& event) = 0;

protected:
    ~InodeWatch() = default;
};

void notify_watches(Inode& inode, InodeWatch::Event const& event);

/// The event with IN_ISDIR for a directory; what ends or moves the watched object itself comes without, as on
/// Linux.
inline u32 with_type(Inode const& subject, u32 mask)
{
    bool of_itself = mask & (abi::in_delete_self | abi::in_move_self);
    return subject.is_directory() && !of_itself ? mask | abi::in_isdir : mask;
}

/// Whether anybody of fanotify looks at anything of the inode's file system.
inline bool has_marks(Inode const& inode) { return !inode.file_system().all_marks.is_empty(); }

/// Something happened to the inode itself; its directory is not told.
inline void notify_inode(Inode& inode, u32 mask)
{
    if (!inode.watches.is_empty()) [[unlikely]]
        notify_watches(inode, { .mask = with_type(inode, mask) });
    if (has_marks(inode)) [[unlikely]]
        report_inode(inode, mask);
}

/// An entry of a directory came, went or moved.
inline void notify_entry(Inode& directory, std::string_view name, Inode& entry, u32 mask, u32 cookie = 0)
{
    if (!directory.watches.is_empty()) [[unlikely]]
        notify_watches(directory, { .mask = with_type(entry, mask), .cookie = cookie, .name = name });
    if (has_marks(directory) && mask != kRenamedWithin) [[unlikely]]
        report_entry(directory, name, entry, mask);
}

/// Something happened to a file that has a name: its directory is told too, and first. `path` as in Happening.
inline void notify_dentry(Dentry const& dentry, u32 mask, Path const* path = nullptr)
{
    if (Dentry* parent = dentry.parent().get(); parent && !parent->inode().watches.is_empty()) [[unlikely]]
        notify_watches(parent->inode(),
            { .mask = with_type(dentry.inode(), mask),
                .name = dentry.name(),
                .entry_is_unlinked = dentry.is_unlinked() });
    Inode& inode = dentry.inode();
    if (!inode.watches.is_empty()) [[unlikely]]
        notify_watches(inode, { .mask = with_type(inode, mask) });
    if (has_marks(inode)) [[unlikely]]
        (void)report_dentry(dentry, path, mask);
}

/// What somebody did to a place by way of opening it, or with the open file.
inline void notify_path(Path const& path, u32 mask) { notify_dentry(*path.dentry, mask, &path); }

/// The same with an open file; what a listener does with one that an event gave it is no event.
inline void notify_file(File const& file, u32 mask)
{
    if (!file.is_silent) notify_path(*file.path(), mask);
}

/// Asks who listens with fanotify(7) whether the place may be opened: FAN_OPEN_PERM, FAN_OPEN_EXEC_PERM. Waits for
/// the answers, which only a fatal signal ends. EPERM.
inline Result<void> ask_permission(Path const& path, u32 mask)
{
    return has_marks(path.inode()) ? report_dentry(*path.dentry, &path, mask) : Result<void>();
}

/// Likewise whether an open file may be read: FAN_ACCESS_PERM.
inline Result<void> ask_to_read(File const& file)
{
    bool const asks = file.is_readable() && !file.is_silent;
    return asks ? ask_permission(*file.path(), abi::fan_access_perm) : Result<void>();
}

} // namespace umbra::vfs
