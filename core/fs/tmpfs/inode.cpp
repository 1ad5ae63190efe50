// SPDX-License-Identifier: GPL-2.0-or-later
// What every tmpfs inode has: its place in the account and its extended attributes.
#include "core/fs/tmpfs/tmpfs-inode.h"

namespace umbra::fs {

namespace {

constexpr u32 kXattrCreate = 1, kXattrReplace = 2;

/// Attributes count against nr_inodes, a kilobyte each, as in Linux (BOGO_INODE_SIZE).
u64 xattr_units(std::string_view name, std::string_view value)
{
    return (name.size() + value.size() + 1023) / 1024;
}

} // namespace

TmpfsInode::TmpfsInode(TmpfsFileSystem& fs, vfs::Attributes const& attributes)
    : Inode(fs, fs.next_inode_number(), attributes)
{
}

TmpfsInode::~TmpfsInode()
{
    u64 units = 1;
    if (xattrs_) {
        for (auto const& [name, value] : *xattrs_)
            units += xattr_units(name, value);
    }
    tmpfs().account()->used_inodes -= units;
}

Result<std::string> TmpfsInode::get_xattr(std::string_view name)
{
    if (name.starts_with("system.")) return err::opnotsupp;
    if (!xattrs_) return err::nodata;
    auto it = xattrs_->find(name);
    if (it == xattrs_->end()) return err::nodata;
    return it->second;
}

Result<void> TmpfsInode::set_xattr(std::string_view name, std::string_view value, u32 flags)
{
    if (name.starts_with("system.")) return err::opnotsupp;
    if (!xattrs_) xattrs_ = std::make_unique<Xattrs>();
    auto it = xattrs_->find(name);
    bool exists = it != xattrs_->end();
    if (exists && (flags & kXattrCreate)) return err::exist;
    if (!exists && (flags & kXattrReplace)) return err::nodata;
    if (!tmpfs().account()->take_inodes(xattr_units(name, value))) return err::nospc;
    if (exists) {
        tmpfs().account()->used_inodes -= xattr_units(name, it->second);
        it->second = value;
    } else {
        xattrs_->emplace(name, value);
    }
    changed();
    return {};
}

Result<void> TmpfsInode::remove_xattr(std::string_view name)
{
    if (name.starts_with("system.")) return err::opnotsupp;
    if (!xattrs_) return err::nodata;
    auto it = xattrs_->find(name);
    if (it == xattrs_->end()) return err::nodata;
    tmpfs().account()->used_inodes -= xattr_units(name, it->second);
    xattrs_->erase(it);
    changed();
    return {};
}

Result<std::vector<std::string>> TmpfsInode::list_xattrs()
{
    std::vector<std::string> names;
    if (!xattrs_) return names;
    for (auto const& [name, value] : *xattrs_)
        names.push_back(name);
    return names;
}

} // namespace umbra::fs
