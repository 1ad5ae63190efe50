// SPDX-License-Identifier: GPL-2.0-or-later
// Every file-system type of core, one row each, in the order of /proc/filesystems.
#include "core/fs/table.h"

#include "core/fs/devpts/devpts.h"
#include "core/fs/devtmpfs/devtmpfs.h"
#include "core/fs/tmpfs/tmpfs.h"
#include "core/kernel.h"

namespace umbra::fs {

void add_file_system_types(Kernel& kernel)
{
    auto& types = kernel.file_system_types();
    auto devices = make_devtmpfs(kernel);
    types.add({ .name = "tmpfs", .make = mount_tmpfs });
    types.add({ .name = "devpts", .make = mount_devpts });
    types.add({ .name = "devtmpfs", .make = [devices](vfs::MountRequest const&) { return devices; } });
}

} // namespace umbra::fs
