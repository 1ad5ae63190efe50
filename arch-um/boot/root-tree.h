// SPDX-License-Identifier: GPL-2.0-or-later
// The tree that the first process sees: root file system by kind, /proc, /sys, /dev, /tmp, -v mounts.
#pragma once

#include <string>

#include "arch-um/boot/options.h"
#include "core/vfs/path.h"
#include "drivers-virtual/host-io.h"

namespace umbra::boot {

/// What went wrong, as one line for the user.
struct InstanceNetwork;

struct BootError {
    std::string message;
};

/// Mounts everything on the fiber of the calling task, whose FsContext moves to the new root. Empty: success.
BootError mount_root_tree(
    Task& task, drivers::HostIo& io, RunOptions const& options, InstanceNetwork const& network);

} // namespace umbra::boot
