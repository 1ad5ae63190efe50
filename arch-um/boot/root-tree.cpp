// SPDX-License-Identifier: GPL-2.0-or-later
// Mounting of the tree, in the order in which one mount stands on another.
#include "arch-um/boot/root-tree.h"

#include <cstring>

#include <fcntl.h>

#include "core/fs/host/host-fs.h"
#include "core/fs/overlay/overlay.h"
#include "core/fs/tmpfs/tmpfs.h"
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/vfs/file-system-types.h"
#include "drivers-virtual/host-files/host-files.h"
#include "hostabi/fd.h"

namespace umbra::boot {

namespace {

struct Tree {
    Task& task;
    drivers::HostIo& io;
    RunOptions const& options;
};

Result<Ref<vfs::FileSystem>> host_directory(Tree& tree, std::string const& path, fs::HostFsOptions const& how)
{
    auto fd = hostabi::OwnedFd::open(path.c_str(), O_PATH | O_DIRECTORY);
    if (fd.is_error()) return hostabi::to_guest_errno(fd.error());
    return fs::make_host_file_system(tree.task.kernel(), drivers::make_host_file(fd.release_value(), tree.io), how);
}

BootError failed(std::string what, Errno why) { return { what + ": " + errno_name(why) }; }

/// Mounts an instance of a known type on a directory of the tree; a directory that is not there is no error where the tree
/// comes from the user, who may not want it.
BootError mount_type(Tree& tree, char const* type, char const* where, char const* options, u32 flags)
{
    auto at = vfs::walk(tree.task, tree.task.fs().root, where, { .want_directory = true });
    if (at.is_error()) return {};
    auto const* entry = tree.task.kernel().file_system_types().find(type);
    if (!entry) return {};
    auto fs = entry->make({ tree.task.kernel(), type, options, flags });
    if (fs.is_error()) return failed(std::string("mounting ") + where, fs.error());
    auto mount = make_ref<vfs::Mount>(fs.value(), fs.value()->root_dentry(), flags, type);
    auto r = tree.task.fs().mounts->attach(mount, at.value());
    if (r.is_error()) return failed(std::string("mounting ") + where, r.error());
    return {};
}

Result<Ref<vfs::FileSystem>> root_file_system(Tree& tree)
{
    fs::HostFsOptions how;
    how.access = tree.options.write_through ? fs::HostAccess::write_through : fs::HostAccess::read_only;
    auto host = TRY(host_directory(tree, tree.options.root_path, how));
    if (tree.options.write_through) return host;
    // Objects in memory cost about a kilobyte of the host's each: no more of them than a quarter of the guest's memory.
    return fs::make_overlay(tree.task.kernel(), host, { .max_inodes = tree.options.memory >> 12 });
}

void enter_root(Tree& tree, Ref<vfs::FileSystem> fs)
{
    auto mount = make_ref<vfs::Mount>(fs, fs->root_dentry(), vfs::kMountRelAtime, "root");
    auto& context = tree.task.fs();
    context.mounts = make_ref<vfs::MountNamespace>(mount);
    context.root = { mount, mount->root() };
    context.cwd = context.root;
}

} // namespace

BootError mount_root_tree(Task& task, drivers::HostIo& io, RunOptions const& options)
{
    Tree tree { task, io, options };
    auto root = root_file_system(tree);
    if (root.is_error()) return failed(options.root_path, root.error());
    enter_root(tree, root.release_value());
    struct Row {
        char const *type, *where, *options;
        u32 flags;
    };
    constexpr u32 kSafe = vfs::kMountNoSuid | vfs::kMountNoDev | vfs::kMountNoExec | vfs::kMountRelAtime;
    static constexpr Row kMounts[] = {
        { "proc", "/proc", "", kSafe },
        { "sysfs", "/sys", "", kSafe },
        { "devtmpfs", "/dev", "", vfs::kMountNoSuid | vfs::kMountRelAtime },
        { "devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666", vfs::kMountNoSuid | vfs::kMountNoExec | vfs::kMountRelAtime },
        { "tmpfs", "/dev/shm", "mode=1777", vfs::kMountNoSuid | vfs::kMountNoDev | vfs::kMountRelAtime },
    };
    for (auto const& row : kMounts)
        if (auto error = mount_type(tree, row.type, row.where, row.options, row.flags); !error.message.empty()) return error;
    return {};
}

} // namespace umbra::boot
