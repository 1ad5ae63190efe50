// SPDX-License-Identifier: GPL-2.0-or-later
// proc(5): the kernel's state as files.
#pragma once

#include "core/vfs/file-system-types.h"

namespace umbra::fs {

/// An instance of its own for each mount: what hidepid=, gid= and subset= say holds for one. EINVAL.
Result<Ref<vfs::FileSystem>> mount_procfs(vfs::MountRequest const& request);
extern std::span<vfs::MountParameter const> const kProcParameters;

} // namespace umbra::fs
