// SPDX-License-Identifier: GPL-2.0-or-later
// An overlay's instance: which inode stands for which lower object, making new ones, limits, the end.
#include <algorithm>

#include "core/fs/overlay/overlay-inode.h"
#include "core/kernel.h"
#include "core/mm/frame.h"
#include "core/vfs/operations.h"

namespace umbra::fs {

namespace {

constexpr i64 kOverlayMagic = 0x794c7630; // OVERLAYFS_SUPER_MAGIC
/// New objects are numbered from here on; below are the numbers of the lower tree.
constexpr u64 kFirstNewInode = u64 { 1 } << 40;

} // namespace

Ref<vfs::FileSystem> make_overlay(Kernel& kernel, Ref<vfs::FileSystem> lower, OverlayOptions const& options)
{
    auto lower_root = lower->root();
    auto fs = make_ref<OverlayFileSystem>(kernel, std::move(lower), options);
    fs->set_root(std::move(lower_root));
    return fs;
}

OverlayFileSystem::OverlayFileSystem(
    Kernel& kernel, Ref<vfs::FileSystem> lower, OverlayOptions const& options)
    : FileSystem(kernel, "overlay")
    , lower_(lower)
    , lower_mount_(make_ref<vfs::Mount>(lower, lower->root_dentry(), vfs::kMountReadOnly, "lower"))
    , max_inodes_(options.max_inodes)
{
    magic_ = kOverlayMagic;
    last_inode_ = kFirstNewInode;
}

void OverlayFileSystem::set_root(Ref<vfs::Inode> lower_root)
{
    root_ = static_cast<OverlayDirectory*>(inode_for(std::move(lower_root)).get());
}

OverlayFileSystem::~OverlayFileSystem()
{
    // Level by level: a tree may be deeper than a kernel stack can recurse.
    std::vector<Ref<OverlayInode>> doomed { Ref<OverlayInode>(RefPtr<OverlayDirectory>(root_)) };
    root_ = nullptr;
    for (auto& [inode, held] : kept_)
        doomed.push_back(held);
    kept_.clear();
    while (!doomed.empty()) {
        Ref<OverlayInode> next = doomed.back();
        doomed.pop_back();
        if (!next->is_directory()) continue;
        for (auto& child : static_cast<OverlayDirectory&>(*next).take_children())
            doomed.push_back(child);
    }
}

Ref<vfs::Inode> OverlayFileSystem::root() { return Ref<vfs::Inode>(*root_); }

Result<abi::Statfs> OverlayFileSystem::statfs()
{
    auto s = TRY(FileSystem::statfs());
    s.blocks = kernel_.memory().limit();
    s.bfree = s.bavail = kernel_.memory().free();
    s.files = max_inodes_;
    s.ffree = max_inodes_ - std::min(max_inodes_, used_inodes_);
    return s;
}

Ref<OverlayInode> OverlayFileSystem::inode_for(Ref<vfs::Inode> lower)
{
    if (auto it = by_lower_.find(lower.get()); it != by_lower_.end()) return Ref<OverlayInode>(*it->second);
    switch (lower->mode() & abi::s_ifmt) {
    case abi::s_ifdir:
        return make_ref<OverlayDirectory>(*this, std::move(lower));
    case abi::s_ifreg:
        return make_ref<OverlayRegular>(*this, std::move(lower));
    case abi::s_iflnk:
        return make_ref<OverlaySymlink>(*this, std::move(lower));
    default:
        return make_ref<OverlayInode>(*this, std::move(lower));
    }
}

vfs::Attributes OverlayFileSystem::initial(vfs::NewInode const& what) const
{
    auto now = vfs::current_time(kernel_);
    return { .mode = what.mode,
        .uid = what.uid,
        .gid = what.gid,
        .nlink = abi::is_directory(what.mode) ? 2u : 1u,
        .rdev = what.rdev,
        .atime = now,
        .mtime = now,
        .ctime = now,
        .btime = now };
}

Result<Ref<OverlayInode>> OverlayFileSystem::make(vfs::NewInode const& what)
{
    if (used_inodes_ >= max_inodes_) return err::nospc;
    auto attributes = initial(what);
    if (abi::is_directory(what.mode)) return Ref<OverlayInode>(make_ref<OverlayDirectory>(*this, attributes));
    if (abi::is_regular(what.mode)) return Ref<OverlayInode>(make_ref<OverlayRegular>(*this, attributes));
    return make_ref<OverlayInode>(*this, attributes);
}

Result<Ref<OverlayInode>> OverlayFileSystem::make_symlink(std::string_view target, vfs::NewInode const& what)
{
    if (used_inodes_ >= max_inodes_) return err::nospc;
    auto attributes = initial(what);
    attributes.size = target.size();
    return Ref<OverlayInode>(make_ref<OverlaySymlink>(*this, attributes, target));
}

vfs::Path OverlayFileSystem::lower_path(vfs::Inode& inode) const
{
    return { lower_mount_, vfs::Dentry::make_root(Ref<vfs::Inode>(inode)) };
}

} // namespace umbra::fs
