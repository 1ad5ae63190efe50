// SPDX-License-Identifier: GPL-2.0-or-later
// devtmpfs: the /dev that the kernel fills. A tmpfs, one for the whole kernel as on Linux, with a node for
// every device of the DeviceTable, the links to /proc/self/fd, and the directories that other file systems
// are mounted on.
#pragma once

#include "core/vfs/file-system-types.h"

namespace umbra::fs {

/// Makes the instance. Called once, by the composition; mounts show the same one.
Ref<vfs::FileSystem> make_devtmpfs(Kernel& kernel);

} // namespace umbra::fs
