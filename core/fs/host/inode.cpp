// SPDX-License-Identifier: GPL-2.0-or-later
// What all host objects share: a descriptor that comes and goes, extended attributes; and symbolic links.
#include "core/fs/host/host-inode.h"

namespace umbra::fs {

namespace {

/// Attributes younger than this are not asked for again.
constexpr Nanoseconds kFreshFor = kNanosecondsPerSecond / 5;

/// Only what means the same inside: capabilities of programs and the users' own attributes. ACLs and labels
/// speak of the host's users and policy.
bool is_shown(std::string_view name)
{
    return name == "security.capability" || (name.starts_with("user.") && !name.starts_with("user.umbra."));
}

} // namespace

HostInode::HostInode(HostFileSystem& fs, HostKey key, device::HostStatus const& status,
    RefPtr<HostDirectory> parent, std::string_view name)
    : Inode(fs, fs.inode_number(key), fs.to_guest(status))
    , parent_(std::move(parent))
    , name_(name)
    , key_(key)
    , checked_at_(fs.now())
{
}

HostInode::HostInode(
    HostFileSystem& fs, HostKey key, device::HostStatus const& status, Ref<device::HostFile> root)
    : Inode(fs, fs.inode_number(key), fs.to_guest(status))
    , key_(key)
    , handle_(std::move(root))
    , pinned_(true)
    , checked_at_(fs.now())
{
}

HostInode::~HostInode() { host_fs().forget(*this); }

Result<Ref<device::HostFile>> HostInode::handle()
{
    if (handle_) {
        if (!pinned_) host_fs().handles().used(*this);
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
    if (!pinned_) host_fs().handles().used(*this);
}

Result<Ref<device::HostFile>> HostInode::place_handle()
{
    if (handle_) return Ref<device::HostFile>(handle_);
    if (!parent_ || pinned_) return err::stale;
    auto found = TRY(TRY(parent_->handle())->find(name_));
    if (HostKey { found.status.device, found.status.inode } != key_) return err::stale;
    return found.file;
}

void HostInode::drop_handle()
{
    if (pinned_) return;
    host_fs().handles().removed(*this);
    handle_ = nullptr;
}

void HostInode::lost_link()
{
    if (attributes_.nlink > 0) --attributes_.nlink;
    if (is_directory()) attributes_.nlink = 0;
    if (attributes_.nlink == 0) host_fs().drop_override(key_);
    mark_stale();
}

Result<void> HostInode::pin()
{
    if (pinned_) return {};
    // What cannot be opened is not open: whoever holds the inode has no data to lose.
    (void)handle();
    pinned_ = true;
    host_fs().handles().removed(*this);
    return {};
}

void HostInode::set_place(HostDirectory& parent, std::string_view name)
{
    if (!parent_ || (parent_ == &parent && name_ == name)) return;
    parent_ = RefPtr<HostDirectory>(&parent);
    name_ = name;
}

void HostInode::adopt(device::HostStatus const& status)
{
    attributes_ = host_fs().to_guest(status);
    checked_at_ = host_fs().now();
}

Result<void> HostInode::refresh()
{
    if (host_fs().is_read_only() || host_fs().now() - checked_at_ < kFreshFor) return {};
    adopt(TRY(TRY(place_handle())->status()));
    return {};
}

/// Owner and mode go to the host as far as it takes them; the rest is kept here.
Result<void> HostInode::set_attributes(vfs::AttributeChange const& change)
{
    using C = vfs::AttributeChange;
    if (change.mask & C::kSize) return err::inval;
    auto file = TRY(place_handle());
    auto& fs = host_fs();
    auto keep = [&](Result<void> const& answer, std::optional<u32> HostOverride::*field,
                    u32 value) -> Result<void> {
        bool refused = answer.is_error() && (answer.error() == err::perm || answer.error() == err::opnotsupp);
        if (answer.is_error() && !refused) return answer;
        if (refused || fs.has_override(key_)) fs.override_of(key_).*field = value;
        return {};
    };
    if (change.mask & C::kUid)
        TRY(keep(file->set_owner(fs.to_host_uid(change.uid), ~0u), &HostOverride::uid, change.uid));
    if (change.mask & C::kGid)
        TRY(keep(file->set_owner(~0u, fs.to_host_gid(change.gid)), &HostOverride::gid, change.gid));
    if (change.mask & C::kMode) {
        u32 mode = (attributes_.mode & abi::s_ifmt) | (change.mode & ~abi::s_ifmt);
        auto answer = is_symlink() ? Result<void>() : file->set_mode(mode & 07777);
        TRY(keep(answer, &HostOverride::mode, mode));
    }
    if (change.mask & (C::kAtime | C::kMtime))
        TRY(file->set_times(change.mask & C::kAtime ? &change.atime : nullptr,
            change.mask & C::kMtime ? &change.mtime : nullptr));
    apply_change(change);
    mark_stale();
    return {};
}

Result<void> HostInode::set_xattr(std::string_view name, std::string_view value, u32 flags)
{
    if (!is_shown(name)) return err::opnotsupp;
    TRY(TRY(place_handle())->set_xattr({}, std::string(name), value, flags));
    xattrs_ = nullptr;
    return {};
}

Result<void> HostInode::remove_xattr(std::string_view name)
{
    if (!is_shown(name)) return err::opnotsupp;
    TRY(TRY(place_handle())->remove_xattr({}, std::string(name)));
    xattrs_ = nullptr;
    return {};
}

Result<std::vector<device::HostXattr> const*> HostInode::xattrs()
{
    if (!xattrs_ || !host_fs().is_read_only()) {
        auto all = TRY(place_handle())->xattrs({});
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
