// SPDX-License-Identifier: GPL-2.0-or-later
// Fills /dev, and goes on doing so when a driver registers later.
#include "core/fs/devtmpfs/devtmpfs.h"

#include "core/device/device-table.h"
#include "core/fs/tmpfs/tmpfs.h"
#include "core/kernel.h"
#include "core/vfs/dentry-cache.h"

namespace umbra::fs {

namespace {

/// What is at `name`, made if nothing is. ENOSPC cannot happen here, ENOTDIR can: a guest may have put a file
/// there.
Result<Ref<vfs::Dentry>> find_or_make(
    vfs::Dentry& directory, std::string_view name, vfs::NewInode const& what)
{
    auto dentry = TRY(vfs::lookup_child_locked(directory, name));
    if (!dentry->is_negative()) return dentry;
    auto inode = TRY(directory.inode().create(name, what));
    directory.file_system().kernel().dentries().instantiate(*dentry, inode);
    return dentry;
}

Result<void> add_node(vfs::FileSystem& fs, u32 type, u32 major, device::DeviceNode const& node)
{
    Ref<vfs::Dentry> directory = fs.root_dentry();
    std::string_view path = node.path;
    for (size_t slash; (slash = path.find('/')) != std::string_view::npos; path.remove_prefix(slash + 1)) {
        directory = TRY(find_or_make(
            *directory, path.substr(0, slash), { .mode = abi::s_ifdir | 0755, .uid = 0, .gid = 0 }));
        if (!directory->inode().is_directory()) return err::notdir;
    }
    TRY(find_or_make(*directory, path,
        { .mode = type | node.mode,
            .uid = node.uid,
            .gid = node.gid,
            .rdev = abi::make_dev(major, node.minor) }));
    return {};
}

void add_nodes(vfs::FileSystem& fs, device::DeviceRegion const& region)
{
    u32 type = region.kind == device::DeviceKind::block ? abi::s_ifblk : abi::s_ifchr;
    // What a guest has put at that name stays, as on Linux.
    for (auto const& node : region.nodes)
        (void)add_node(fs, type, region.major, node);
}

} // namespace

Ref<vfs::FileSystem> make_devtmpfs(Kernel& kernel)
{
    auto fs = make_tmpfs(kernel, { .mode = 0755, .type = "devtmpfs" });
    auto root = fs->root();
    for (auto const& region : kernel.devices().regions())
        add_nodes(*fs, region);
    static constexpr struct {
        char const *name, *target;
    } links[]
        = { { "fd", "/proc/self/fd" }, { "stdin", "fd/0" }, { "stdout", "fd/1" }, { "stderr", "fd/2" } };
    // MUST: fresh and without limits.
    for (auto const& link : links)
        MUST(root->symlink(link.name, link.target, { .mode = abi::s_iflnk | 0777, .uid = 0, .gid = 0 }));
    MUST(root->create("shm", { .mode = abi::s_ifdir | 01777, .uid = 0, .gid = 0 }));
    MUST(root->create("pts", { .mode = abi::s_ifdir | 0755, .uid = 0, .gid = 0 }));
    kernel.devices().set_observer([&fs = *fs](device::DeviceRegion const& region) { add_nodes(fs, region); });
    return fs;
}

} // namespace umbra::fs
