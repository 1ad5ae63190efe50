// SPDX-License-Identifier: GPL-2.0-or-later
// The last component of a path that a call is about to change. Internal to core/vfs.
#pragma once

#include "core/sync/mutex.h"
#include "core/vfs/operations.h"

namespace umbra::vfs {

/// The directory, its mutex held, and what is there now (perhaps negative).
struct LockedName {
    Path directory;
    std::string name;
    bool trailing_slash;
    MutexHold lock;
    Ref<Dentry> dentry;
};

/// Looks the name up again with the directory locked.
Result<LockedName> lock_name(ParentWalk const& walked);
/// For calls that make a name (Linux: filename_create): EEXIST, ENOENT for "file/", EROFS.
Result<LockedName> prepare_create(Task& task, At const& at, bool is_directory);
/// Owner, group and mode of something new in a directory: fsuid, fsgid or the group of a set-group-id
/// directory.
NewInode new_inode_in(Credentials const& who, Inode const& directory, u32 mode, u64 device = 0);

} // namespace umbra::vfs
