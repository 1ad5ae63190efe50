// SPDX-License-Identifier: GPL-2.0-or-later
// Mounting of the tree, in the order in which one mount stands on another.
#include "arch-um/boot/root-tree.h"

#include <cstring>

#include "arch-um/boot/network.h"
#include "arch-um/boot/volume.h"
#include "core/fs/overlay/overlay.h"
#include "core/fs/tar/tar.h"
#include "core/fs/tmpfs/tmpfs.h"
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/vfs/file-system-types.h"
#include "core/vfs/operations.h"
#include "drivers-virtual/archive/archive.h"
#include "drivers-virtual/root-image/root-image.h"

namespace umbra::boot {

namespace {

struct Tree {
    Task& task;
    drivers::HostIo& io;
    RunOptions const& options;
};

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

/// Objects in memory cost about a kilobyte of the host's each: no more of them than a quarter of the guest's memory.
Ref<vfs::FileSystem> writable_above(Tree& tree, Ref<vfs::FileSystem> lower)
{
    return fs::make_overlay(
        tree.task.kernel(), std::move(lower), { .max_inodes = tree.options.memory >> 12 });
}

Result<Ref<vfs::FileSystem>> archive_tree(Tree& tree, Ref<fs::TarSource> source, BootError& error)
{
    std::string problem;
    auto made = fs::make_tar_file_system(tree.task.kernel(), std::move(source), problem);
    if (made.is_error()) error.message = tree.options.root_path + ": " + problem;
    return made;
}

/// An unprivileged user's directory stands for a tree that root unpacked; root's own, and the host's root, are what they are.
std::optional<fs::OwnerMapping> owner_mapping(RunOptions const& options)
{
    auto caller = this_caller();
    if (options.root == RootKind::host || caller.uid == 0) return std::nullopt;
    return fs::OwnerMapping { caller.uid, caller.gid };
}

Result<Ref<vfs::FileSystem>> root_file_system(Tree& tree, BootError& error)
{
    auto const& options = tree.options;
    switch (options.root) {
    case RootKind::embedded:
        return writable_above(tree, TRY(archive_tree(tree, drivers::open_root_image(), error)));
    case RootKind::archive: {
        std::string problem;
        auto source = drivers::open_tar(options.root_path, tree.io, problem);
        if (source.is_error()) {
            error.message = options.root_path + ": " + problem + " (" + errno_name(source.error()) + ")";
            return source.error();
        }
        return writable_above(tree, TRY(archive_tree(tree, source.release_value(), error)));
    }
    case RootKind::directory:
    case RootKind::host:
        break;
    }
    auto access = options.write_through ? fs::HostAccess::write_through : fs::HostAccess::read_only;
    auto host = TRY(host_directory(tree.task, tree.io, options.root_path,
        { .access = access, .owners_as_root = owner_mapping(options) }));
    return options.write_through ? host : writable_above(tree, host);
}

BootError enter_root(Tree& tree, Ref<vfs::FileSystem> fs)
{
    auto mount = make_ref<vfs::Mount>(fs, fs->root_dentry(), vfs::kMountRelAtime, "root");
    auto& context = tree.task.fs();
    auto attached = context.mounts->attach(mount, context.root);
    if (attached.is_error()) return failed("mounting /", attached.error());
    context.root = { mount, mount->root() };
    context.cwd = context.root;
    return {};
}

} // namespace

BootError mount_root_tree(
    Task& task, drivers::HostIo& io, RunOptions const& options, InstanceNetwork const& network)
{
    Tree tree { task, io, options };
    BootError error;
    auto root = root_file_system(tree, error);
    if (root.is_error()) return error.message.empty() ? failed(options.root_path, root.error()) : error;
    error = enter_root(tree, root.release_value());
    if (!error.message.empty()) return error;
    struct Row {
        char const *type, *where, *options;
        u32 flags;
    };
    constexpr u32 kSafe = vfs::kMountNoSuid | vfs::kMountNoDev | vfs::kMountNoExec | vfs::kMountRelAtime;
    static constexpr Row kMounts[] = {
        { "proc", "/proc", "", kSafe },
        { "sysfs", "/sys", "", kSafe },
        { "cgroup2", "/sys/fs/cgroup", "nsdelegate,memory_recursiveprot", kSafe },
        { "devtmpfs", "/dev", "", vfs::kMountNoSuid | vfs::kMountRelAtime },
        { "devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666",
            vfs::kMountNoSuid | vfs::kMountNoExec | vfs::kMountRelAtime },
        { "tmpfs", "/dev/shm", "mode=1777", vfs::kMountNoSuid | vfs::kMountNoDev | vfs::kMountRelAtime },
    };
    for (auto const& row : kMounts) {
        error = mount_type(tree, row.type, row.where, row.options, row.flags);
        if (!error.message.empty()) return error;
    }
    write_network_files(task, options, network);
    for (auto const& volume : options.volumes) {
        error = mount_volume(task, io, volume, owner_mapping(options));
        if (!error.message.empty()) return error;
    }
    return {};
}

} // namespace umbra::boot
