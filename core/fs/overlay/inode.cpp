// SPDX-License-Identifier: GPL-2.0-or-later
// What all overlay inodes share: standing for a lower object, links, attributes, extended attributes.
#include "core/fs/overlay/overlay-inode.h"

namespace umbra::fs {

namespace {
constexpr u32 kXattrCreate = 1, kXattrReplace = 2;
}

OverlayInode::OverlayInode(OverlayFileSystem& fs, Ref<vfs::Inode> lower)
    : Inode(fs, lower->number(), lower->attributes())
    , lower_(lower)
{
    fs.by_lower_[lower.get()] = this;
}

OverlayInode::OverlayInode(OverlayFileSystem& fs, vfs::Attributes const& attributes)
    : Inode(fs, fs.next_inode_number(), attributes)
{
    ++fs.used_inodes_;
}

OverlayInode::~OverlayInode()
{
    if (lower_)
        overlay().by_lower_.erase(lower_.get());
    else
        --overlay().used_inodes_;
}

void OverlayInode::keep()
{
    // What is new is held by the directory that names it.
    if (!lower_ || attributes_.nlink == 0) return;
    overlay().kept_.try_emplace(this, Ref<OverlayInode>(*this));
}

void OverlayInode::changed()
{
    keep();
    touch(false, false, true);
}

void OverlayInode::add_link()
{
    ++attributes_.nlink;
    changed();
}

void OverlayInode::drop_link()
{
    if (attributes_.nlink > 0) --attributes_.nlink;
    changed();
    // The caller holds a reference: this does not end the inode here.
    if (attributes_.nlink == 0) overlay().kept_.erase(this);
}

void OverlayInode::drop_all_links()
{
    attributes_.nlink = 1;
    drop_link();
}

Result<void> OverlayInode::set_attributes(vfs::AttributeChange const& change)
{
    if (change.mask & vfs::AttributeChange::kSize) return err::inval;
    apply_change(change);
    keep();
    return {};
}

/// The attributes as a set that can be changed: the lower object's are copied first.
Result<OverlayInode::Xattrs*> OverlayInode::own_xattrs()
{
    if (xattrs_) return xattrs_.get();
    auto copy = std::make_unique<Xattrs>();
    if (lower_) {
        for (auto& name : TRY(lower_->list_xattrs()))
            if (auto value = lower_->get_xattr(name); value.ok()) copy->emplace(name, value.value());
    }
    if (!xattrs_) xattrs_ = std::move(copy);
    return xattrs_.get();
}

Result<std::string> OverlayInode::get_xattr(std::string_view name)
{
    if (name.starts_with("system.")) return err::opnotsupp;
    if (!xattrs_) {
        if (!lower_) return err::nodata;
        auto value = lower_->get_xattr(name);
        // A lower file system without attributes does not make this one such.
        if (value.is_error() && value.error() == err::opnotsupp) return err::nodata;
        return value;
    }
    auto it = xattrs_->find(name);
    if (it == xattrs_->end()) return err::nodata;
    return it->second;
}

Result<void> OverlayInode::set_xattr(std::string_view name, std::string_view value, u32 flags)
{
    if (name.starts_with("system.")) return err::opnotsupp;
    auto* xattrs = TRY(own_xattrs());
    auto it = xattrs->find(name);
    bool exists = it != xattrs->end();
    if (exists && (flags & kXattrCreate)) return err::exist;
    if (!exists && (flags & kXattrReplace)) return err::nodata;
    if (exists)
        it->second = value;
    else
        xattrs->emplace(name, value);
    changed();
    return {};
}

Result<void> OverlayInode::remove_xattr(std::string_view name)
{
    if (name.starts_with("system.")) return err::opnotsupp;
    auto* xattrs = TRY(own_xattrs());
    auto it = xattrs->find(name);
    if (it == xattrs->end()) return err::nodata;
    xattrs->erase(it);
    changed();
    return {};
}

Result<std::vector<std::string>> OverlayInode::list_xattrs()
{
    if (!xattrs_) return lower_ ? lower_->list_xattrs() : std::vector<std::string> {};
    std::vector<std::string> names;
    for (auto const& [name, value] : *xattrs_)
        names.push_back(name);
    return names;
}

Result<std::string> OverlaySymlink::read_link()
{
    if (target_.empty() && lower_) target_ = TRY(lower_->read_link());
    return target_;
}

} // namespace umbra::fs
