// SPDX-License-Identifier: GPL-2.0-or-later
// -v HOST:GUEST[:ro]: a directory or a file of the host at a place of the guest's tree. Used by root-tree.cpp.
#pragma once

#include <optional>
#include <string>

#include "arch-um/boot/options.h"
#include "arch-um/boot/root-tree.h"
#include "core/fs/host/host-fs.h"
#include "core/vfs/path.h"
#include "drivers-virtual/host-io.h"

namespace umbra::boot {

BootError failed(std::string const& what, Errno why);

/// The tree below a directory of the host. May wait.
Result<Ref<vfs::FileSystem>> host_directory(
    Task& task, drivers::HostIo& io, std::string const& path, fs::HostFsOptions const& how);

/// Mounts the volume; a place that is not there is made, as other tools do. May wait.
BootError mount_volume(Task& task, drivers::HostIo& io, VolumeChoice const& volume,
    std::optional<fs::OwnerMapping> const& owners);

} // namespace umbra::boot
