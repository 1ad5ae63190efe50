// SPDX-License-Identifier: GPL-2.0-or-later
// Telling watchers what happens to files (Linux: fsnotify). The operations of core/vfs call these; inotify
// listens. What nobody watches costs a look at two lists. Events are the IN_* bits of core/abi/inotify.h;
// IN_ISDIR is added here.
#pragma once

#include <string_view>

#include "core/abi/inotify.h"
#include "core/vfs/path.h"

namespace umbra::vfs {

/// Beside IN_*: an entry got another name within the directory. Comes before the events of the move.
constexpr u32 kRenamedWithin = 0x10000000;

/// A watch on an inode; linked into Inode::watches. Never waits.
class InodeWatch : public TaggedNode<InodeWatch> {
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

/// Something happened to the inode itself; its directory is not told.
inline void notify_inode(Inode& inode, u32 mask)
{
    if (!inode.watches.is_empty()) [[unlikely]]
        notify_watches(inode, { .mask = with_type(inode, mask) });
}

/// An entry of a directory came, went or moved.
inline void notify_entry(
    Inode& directory, std::string_view name, Inode const& entry, u32 mask, u32 cookie = 0)
{
    if (!directory.watches.is_empty()) [[unlikely]]
        notify_watches(directory, { .mask = with_type(entry, mask), .cookie = cookie, .name = name });
}

/// Something happened to a file that has a place: its directory is told too, and first.
inline void notify_path(Path const& path, u32 mask)
{
    Dentry const& dentry = *path.dentry;
    if (Dentry* parent = dentry.parent().get(); parent && !parent->inode().watches.is_empty()) [[unlikely]]
        notify_watches(parent->inode(),
            { .mask = with_type(dentry.inode(), mask),
                .name = dentry.name(),
                .entry_is_unlinked = dentry.is_unlinked() });
    notify_inode(dentry.inode(), mask);
}

} // namespace umbra::vfs
