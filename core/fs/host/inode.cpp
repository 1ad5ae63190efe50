// SPDX-License-Identifier: GPL-2.0-or-later
// What all host objects share: a descriptor that comes and goes, extended attributes; and symbolic links.
#include "core/fs/host/host-inode.h"

namespace umbra::fs {

HostInode::HostInode(HostFileSystem& fs, HostKey key, device::HostStatus const& status,
    RefPtr<HostDirectory> parent, std::string_view name)
    : Inode(fs, fs.inode_number(key), fs.to_guest(status.attributes))
    , parent_(std::move(parent))
    , name_(name)
    , key_(key)
{
}

HostInode::HostInode(
    HostFileSystem& fs, HostKey key, device::HostStatus const& status, Ref<device::HostFile> root)
    : Inode(fs, fs.inode_number(key), fs.to_guest(status.attributes))
    , key_(key)
    , handle_(std::move(root))
{
}

HostInode::~HostInode() { host_fs().forget(*this); }

Result<Ref<device::HostFile>> HostInode::handle()
{
    if (handle_) {
        if (parent_) host_fs().handles().used(*this);
        return Ref<device::HostFile>(handle_);
    }
    auto parent = TRY(parent_->handle());
    auto opened = open_handle(*parent);
    if (opened.is_error() && (opened.error() == err::mfile || opened.error() == err::nfile)) {
        host_fs().handles().shrink();
        opened = open_handle(*parent);
    }
    auto file = TRY(std::move(opened));
    auto status = TRY(file->status());
    if (HostKey { status.device, status.inode } != key_) return err::stale;
    keep_handle(file);
    return file;
}

Result<Ref<device::HostFile>> HostInode::open_handle(device::HostFile& parent)
{
    return TRY(parent.find(name_)).file;
}

void HostInode::keep_handle(Ref<device::HostFile> file)
{
    handle_ = std::move(file);
    host_fs().handles().used(*this);
}

namespace {

/// Only what means the same inside: capabilities of programs and the users' own attributes. ACLs and labels
/// speak of the host's users and policy.
bool is_shown(std::string_view name)
{
    return name == "security.capability" || (name.starts_with("user.") && !name.starts_with("user.umbra."));
}

} // namespace

Result<std::vector<device::HostXattr> const*> HostInode::xattrs()
{
    if (!xattrs_) {
        auto place = TRY(parent_ ? parent_->handle() : handle());
        auto all = place->xattrs(name_);
        // Unreadable attributes do not make a file unusable: such a host file just has none.
        auto shown = std::make_unique<std::vector<device::HostXattr>>();
        if (all.ok())
            for (auto& x : all.value())
                if (is_shown(x.name)) shown->push_back(std::move(x));
        xattrs_ = std::move(shown);
    }
    return xattrs_.get();
}

Result<std::string> HostInode::get_xattr(std::string_view name)
{
    // Most questions are about labels and ACLs (ls asks for each file): answered without the host.
    if (!is_shown(name)) return name.starts_with("user.") ? err::nodata : err::opnotsupp;
    for (auto const& x : *TRY(xattrs()))
        if (x.name == name) return x.value;
    return err::nodata;
}

Result<std::vector<std::string>> HostInode::list_xattrs()
{
    std::vector<std::string> names;
    for (auto const& x : *TRY(xattrs()))
        names.push_back(x.name);
    return names;
}

Result<std::string> HostSymlink::read_link()
{
    if (target_.empty()) target_ = TRY(TRY(handle())->read_link());
    return target_;
}

} // namespace umbra::fs
