// SPDX-License-Identifier: GPL-2.0-or-later
// Who may do what: permission checks of path_resolution(7), capabilities(7) and the notes of the single
// calls. The credentials are those whose fsuid, fsgid and effective capabilities count.
#pragma once

#include "core/task/credentials.h"
#include "core/vfs/path.h"

namespace umbra::vfs {

/// `mask` of abi::r_ok, w_ok, x_ok against the mode bits, with CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
/// EACCES; EROFS for writing to a file, directory or link of a read-only file system.
Result<void> check_permission(Credentials const& who, Inode& inode, u32 mask);
/// The mode bits and capabilities alone, without the file system's own policy and EROFS.
bool mode_allows(Credentials const& who, Attributes const& attributes, u32 mask);
/// EROFS where the mount or its file system is read-only.
Result<void> check_writable_mount(Mount const& mount);
/// The capability counts in the caller's user namespace, which must know the inode's owner and group (Linux:
/// capable_wrt_inode_uidgid()).
bool is_capable_over(Credentials const& who, Attributes const& attributes, Capability capability);
bool is_owner_or_capable(Credentials const& who, Inode const& inode);
/// The inode's group is one of the caller's, or CAP_FSETID.
bool in_group_or_capable(Credentials const& who, Inode const& inode);
/// A new name in `directory`: ENOENT for a removed directory, EACCES; EOVERFLOW if its file system belongs to a user
/// namespace that does not know the caller's ids.
Result<void> check_create(Credentials const& who, Dentry const& directory);
/// Removing or replacing `victim`: EACCES, EPERM (sticky), ENOTDIR, EISDIR, EBUSY as may_delete() of Linux.
Result<void> check_delete(
    Credentials const& who, Dentry const& directory, Dentry const& victim, bool as_directory);

} // namespace umbra::vfs
