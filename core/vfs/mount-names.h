// SPDX-License-Identifier: GPL-2.0-or-later
// How a mount is told of: /proc/PID/mountinfo and statmount(2).
#pragma once

#include <string>

#include "core/vfs/path.h"

namespace umbra::vfs {

/// Whether it can be reached from `root`.
bool is_visible(Mount& mount, Path const& root);
/// Where it is mounted, as seen from `root`; "" if it cannot be reached.
std::string mount_point(Mount& mount, Path const& root);
/// Where in its file system its own root is: "/" but for bind mounts; what has no directory has a name: "uts:[1]".
std::string root_within_file_system(Mount const& mount);
/// The nearest group above the mount's master of which somebody at `root` in `space` sees a member; 0 if none.
u32 dominating_group(Mount const& mount, MountNamespace const& space, Path const& root);

} // namespace umbra::vfs
