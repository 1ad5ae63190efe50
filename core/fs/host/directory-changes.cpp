// SPDX-License-Identifier: GPL-2.0-or-later
// Names that change in a write-through tree: the host makes, links, moves and removes them. What the host
// does not let an unprivileged user make (devices) or own is kept by Umbra.
#include "core/fs/host/host-inode.h"

namespace umbra::fs {

namespace {

bool is_refusal(Errno error) { return error == err::perm || error == err::acces || error == err::opnotsupp; }
bool is_device(u32 mode) { return abi::is_character_device(mode) || abi::is_block_device(mode); }

} // namespace

/// Makes the object; gives the handle of a regular file. `kept`: the host has an ordinary file in its place.
Result<RefPtr<device::HostFile>> HostDirectory::make_on_host(
    device::HostFile& place, std::string const& name, vfs::NewInode const& what, bool& kept)
{
    constexpr u32 flags = abi::o_rdwr | abi::o_creat | abi::o_excl;
    u32 mode = what.mode & 07777;
    if (abi::is_directory(what.mode)) {
        TRY(place.make_directory(name, mode));
        return RefPtr<device::HostFile>();
    }
    if (!abi::is_regular(what.mode)) {
        auto made = place.make_node(name, what.mode, what.rdev);
        if (made.ok()) return RefPtr<device::HostFile>();
        if (!is_device(what.mode) || !is_refusal(made.error())) return made.error();
        kept = true;
    }
    return RefPtr<device::HostFile>(TRY(place.open(name, flags, kept ? 0600 : mode)));
}

/// The inode of what was just made, with owner and mode as the guest wants them.
Result<Ref<vfs::Inode>> HostDirectory::adopt_new(
    std::string const& name, vfs::NewInode const& what, bool kept, RefPtr<device::HostFile> file)
{
    auto found = TRY(TRY(handle())->find(name));
    HostKey key { found.status.device, found.status.inode };
    auto& fs = host_fs();
    fs.drop_override(key); // a number that the host uses again
    if (kept) fs.override_of(key) = { .mode = what.mode, .rdev = what.rdev };
    auto inode = fs.inode_for(*this, name, found.status);
    if (file && inode->is_regular())
        static_cast<HostRegular&>(*inode).adopt_handle(Ref<device::HostFile>(file));
    using C = vfs::AttributeChange;
    vfs::AttributeChange change { .mode = what.mode, .uid = what.uid, .gid = what.gid };
    if (inode->attributes().uid != what.uid) change.mask |= C::kUid;
    if (inode->attributes().gid != what.gid) change.mask |= C::kGid;
    // The host's umask took some; and a change of owner takes set-user-id bits.
    bool is_link = abi::is_symlink(inode->mode());
    if (!is_link && (inode->mode() != what.mode || (change.mask && (what.mode & 07000))))
        change.mask |= C::kMode;
    if (change.mask) TRY(inode->set_attributes(change));
    mark_stale();
    return Ref<vfs::Inode>(inode);
}

Result<Ref<vfs::Inode>> HostDirectory::create(std::string_view name, vfs::NewInode const& what)
{
    std::string text(name);
    bool kept = false;
    auto file = TRY(make_on_host(*TRY(handle()), text, what, kept));
    return adopt_new(text, what, kept, std::move(file));
}

Result<Ref<vfs::Inode>> HostDirectory::symlink(
    std::string_view name, std::string_view target, vfs::NewInode const& what)
{
    std::string text(name);
    TRY(TRY(handle())->make_symlink(text, std::string(target)));
    return adopt_new(text, what, false, nullptr);
}

Result<void> HostDirectory::link(std::string_view name, vfs::Inode& target)
{
    auto& inode = static_cast<HostInode&>(target);
    auto file = TRY(inode.handle());
    TRY(TRY(handle())->link(std::string(name), *file));
    inode.mark_stale();
    mark_stale();
    return {};
}

Result<void> HostDirectory::remove_entry(std::string_view name, vfs::Inode& victim, bool directory)
{
    auto& inode = static_cast<HostInode&>(victim);
    auto place = TRY(handle());
    if (!directory) TRY(inode.pin());
    TRY(place->remove(std::string(name), directory));
    inode.lost_link();
    mark_stale();
    return {};
}

Result<void> HostDirectory::unlink(std::string_view name, vfs::Inode& victim)
{
    return remove_entry(name, victim, false);
}

Result<void> HostDirectory::rmdir(std::string_view name, vfs::Inode& victim)
{
    return remove_entry(name, victim, true);
}

Result<void> HostDirectory::rename(std::string_view name, vfs::Inode& moved, vfs::Inode& new_directory,
    std::string_view new_name, vfs::Inode* victim, u32 flags)
{
    auto& target = static_cast<HostDirectory&>(new_directory);
    auto& inode = static_cast<HostInode&>(moved);
    auto* replaced = static_cast<HostInode*>(victim);
    // A whiteout is a device node: the host's overlay makes it for root only.
    if (flags & abi::rename_whiteout) return err::inval;
    if (replaced && !replaced->is_directory() && !(flags & abi::rename_exchange)) TRY(replaced->pin());
    auto from = TRY(handle()), to = TRY(target.handle());
    TRY(from->rename(std::string(name), *to, std::string(new_name), flags));
    inode.set_place(target, new_name);
    inode.mark_stale();
    if (replaced && (flags & abi::rename_exchange)) {
        replaced->set_place(*this, name);
        replaced->mark_stale();
    } else if (replaced) {
        replaced->lost_link();
    }
    mark_stale();
    target.mark_stale();
    return {};
}

} // namespace umbra::fs
