// SPDX-License-Identifier: GPL-2.0-or-later
// What a guest mounts as "overlay" (Linux: overlayfs): directories of other mounts shown as one tree. In the lower ones
// nothing changes; what is changed is copied up into the upper one first, and what is removed there becomes a whiteout, in
// the formats that Linux documents (Documentation/filesystems/overlayfs.rst), so that an upper directory made here can be
// used there and the other way round. Without an upper directory the tree is read-only.
#pragma once

#include "core/vfs/file-system-types.h"

namespace umbra::fs {

/// What mount(2) and fsconfig(2) take.
extern std::span<vfs::MountParameter const> const kUnionParameters;
/// Paths in the options are looked up as the current task's. EINVAL, ELOOP where layers overlap, the errors of the walk.
/// May wait.
Result<Ref<vfs::FileSystem>> mount_union(vfs::MountRequest const& request);

} // namespace umbra::fs
