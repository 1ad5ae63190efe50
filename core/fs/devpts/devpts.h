// SPDX-License-Identifier: GPL-2.0-or-later
// devpts: a directory of pty slaves and the node that makes pairs (Linux: fs/devpts). Every mount is an
// instance of its own, with its own numbers. References: the instance holds the inodes of open pairs and
// their slaves; a slave holds the instance until its master is closed.
#pragma once

#include "core/vfs/file-system-types.h"
#include "core/vfs/file.h"

namespace umbra::fs {

/// Options: mode=, uid=, gid= of slaves (default: 0600, the opener's ids), ptmxmode= (default 0: nobody),
/// max=, newinstance (always so). EINVAL for others.
Result<Ref<vfs::FileSystem>> mount_devpts(vfs::MountRequest const& request);
extern std::span<vfs::MountParameter const> const kDevptsParameters;

/// Opens a ptmx node and so makes a pair: the node of an instance, or /dev/ptmx, which uses what is mounted
/// on "pts" beside it. ENODEV where that is no devpts, ENOSPC at the instance's limit.
Result<Ref<vfs::File>> open_ptmx(vfs::Path const& path, u32 flags);

} // namespace umbra::fs
