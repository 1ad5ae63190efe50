// SPDX-License-Identifier: GPL-2.0-or-later
// Every file-system type of core, one row each, in the order of /proc/filesystems.
#include "core/fs/table.h"

#include "core/cgroup/file-system.h"
#include "core/fs/devpts/devpts.h"
#include "core/fs/devtmpfs/devtmpfs.h"
#include "core/fs/proc/proc.h"
#include "core/fs/sysfs/sysfs.h"
#include "core/fs/tmpfs/tmpfs.h"
#include "core/fs/union/union.h"
#include "core/ipc/mqueue.h"
#include "core/kernel.h"
#include "core/task/scheduler.h"

namespace umbra::fs {

namespace {

/// Of a kernel there is one instance, made when it is first mounted.
vfs::FileSystemType singleton(Kernel& kernel, char const* name, Ref<vfs::FileSystem> (*make)(Kernel&))
{
    return { .name = name,
        .make = [&kernel, make, made = RefPtr<vfs::FileSystem>()](vfs::MountRequest const& request) mutable {
            if (!request.options.empty()) return Result<Ref<vfs::FileSystem>>(err::inval);
            if (!made) made = make(kernel);
            return Result<Ref<vfs::FileSystem>>(Ref<vfs::FileSystem>(made));
        } };
}

} // namespace

void add_file_system_types(Kernel& kernel)
{
    auto& types = kernel.file_system_types();
    auto devices = make_devtmpfs(kernel);
    types.add(singleton(kernel, "sysfs", make_sysfs));
    types.add(
        { .name = "tmpfs", .parameters = kTmpfsParameters, .in_user_namespaces = true, .make = mount_tmpfs });
    types.add({ .name = "ramfs",
        .ignores_unknown_parameters = true,
        .in_user_namespaces = true,
        .make = mount_ramfs });
    types.add({ .name = "devpts",
        .parameters = kDevptsParameters,
        .in_user_namespaces = true,
        .make = mount_devpts });
    types.add({ .name = "devtmpfs", .make = [devices](vfs::MountRequest const&) { return devices; } });
    types.add(
        { .name = "proc", .parameters = kProcParameters, .in_user_namespaces = true, .make = mount_procfs });
    types.add({ .name = "cgroup2",
        .parameters = cgroup::kCgroup2Parameters,
        .in_user_namespaces = true,
        .make = cgroup::mount_cgroup2 });
    types.add({ .name = "overlay",
        .parameters = kUnionParameters,
        .in_user_namespaces = true,
        .make = mount_union });
    types.add({ .name = "mqueue", .in_user_namespaces = true, .make = [](vfs::MountRequest const& request) {
                   return ipc::mount_message_queues(request.kernel, request.who ? &current() : nullptr);
               } });
}

} // namespace umbra::fs
