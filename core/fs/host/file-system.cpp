// SPDX-License-Identifier: GPL-2.0-or-later
// The host file system's instance: which host object is which inode, numbers, owners, the budget of
// descriptors.
#include <algorithm>

#include "core/fs/host/host-inode.h"
#include "core/kernel.h"

namespace umbra::fs {

void HandleCache::used(HostInode& inode)
{
    TaggedNode<HandleCache>& node = inode;
    if (node.is_linked())
        node.unlink();
    else
        ++count_;
    held_.push_back(inode);
    if (count_ > limit_) drop_oldest();
}

void HandleCache::removed(HostInode& inode)
{
    TaggedNode<HandleCache>& node = inode;
    if (!node.is_linked()) return;
    node.unlink();
    --count_;
}

void HandleCache::drop_oldest()
{
    HostInode& oldest = *held_.front();
    removed(oldest);
    oldest.handle_ = nullptr;
}

void HandleCache::shrink()
{
    for (u64 n = (count_ + 1) / 2; n > 0; --n)
        drop_oldest();
}

HostFileSystem::HostFileSystem(
    Kernel& kernel, HostFsOptions const& options, device::HostStatus const& root_status)
    : FileSystem(kernel, "hostfs")
    , options_(options)
    , handles_(std::max<u64>(options.max_handles, 8))
    , devices_ { root_status.device }
{
}

HostFileSystem::~HostFileSystem()
{
    // The root unregisters itself from the table, which must still be there.
    root_ = nullptr;
}

void HostFileSystem::set_root(Ref<HostDirectory> root) { root_ = std::move(root); }

Ref<vfs::Inode> HostFileSystem::root() { return Ref<vfs::Inode>(*root_); }

Result<abi::Statfs> HostFileSystem::statfs() { return TRY(root_->handle())->file_system_status(); }

u64 HostFileSystem::inode_number(HostKey const& key)
{
    auto it = std::find(devices_.begin(), devices_.end(), key.device);
    u64 index = u64(it - devices_.begin());
    if (it == devices_.end()) devices_.push_back(key.device);
    // As overlayfs's xino: the number of the device in bits that inode numbers hardly ever reach.
    return key.inode ^ index << 48;
}

vfs::Attributes HostFileSystem::to_guest(device::HostStatus const& status) const
{
    auto attributes = status.attributes;
    if (auto const& owners = options_.owners_as_root) {
        if (attributes.uid == owners->uid) attributes.uid = 0;
        if (attributes.gid == owners->gid) attributes.gid = 0;
    }
    if (auto it = overrides_.find({ status.device, status.inode }); it != overrides_.end()) {
        auto const& kept = it->second;
        attributes.mode = kept.mode.value_or(attributes.mode);
        attributes.uid = kept.uid.value_or(attributes.uid);
        attributes.gid = kept.gid.value_or(attributes.gid);
        if (kept.rdev) attributes.rdev = kept.rdev;
    }
    return attributes;
}

u32 HostFileSystem::to_host_uid(u32 uid) const
{
    return options_.owners_as_root && uid == 0 ? options_.owners_as_root->uid : uid;
}

u32 HostFileSystem::to_host_gid(u32 gid) const
{
    return options_.owners_as_root && gid == 0 ? options_.owners_as_root->gid : gid;
}

Nanoseconds HostFileSystem::now() const { return kernel_.platform().now(platform::HostClock::monotonic); }

void HostFileSystem::add_dirty(HostRegular& file) { dirty_.try_emplace(&file, Ref<HostRegular>(file)); }

void HostFileSystem::remove_dirty(HostRegular& file) { dirty_.erase(&file); }

Result<void> HostFileSystem::sync()
{
    std::vector<Ref<HostRegular>> files; // writing back takes them off the list, and waits
    for (auto const& [pointer, file] : dirty_)
        files.push_back(file);
    Result<void> outcome;
    for (auto& file : files)
        if (auto written = file->write_back(); written.is_error()) outcome = written;
    return outcome;
}

Ref<HostInode> HostFileSystem::inode_for(
    HostDirectory& parent, std::string_view name, device::HostStatus const& status)
{
    HostKey key { status.device, status.inode };
    u32 type = to_guest(status).mode & abi::s_ifmt;
    if (auto it = inodes_.find(key); it != inodes_.end()) {
        Ref<HostInode> known(*it->second);
        // The host may use a number again for something else.
        if ((known->mode() & abi::s_ifmt) == type) {
            if (!is_read_only()) {
                known->set_place(parent, name);
                known->adopt(status);
            }
            return known;
        }
        inodes_.erase(it);
    }
    RefPtr<HostDirectory> where(&parent);
    auto make = [&]() -> Ref<HostInode> {
        switch (type) {
        case abi::s_ifdir:
            return make_ref<HostDirectory>(*this, key, status, where, name);
        case abi::s_ifreg:
            return make_ref<HostRegular>(*this, key, status, where, name);
        case abi::s_iflnk:
            return make_ref<HostSymlink>(*this, key, status, where, name);
        default:
            return make_ref<HostInode>(*this, key, status, where, name);
        }
    };
    auto inode = make();
    inodes_[key] = inode.get();
    return inode;
}

void HostFileSystem::forget(HostInode& inode)
{
    handles_.removed(inode);
    auto it = inodes_.find(inode.key());
    if (it != inodes_.end() && it->second == &inode) inodes_.erase(it);
}

Result<Ref<vfs::FileSystem>> make_host_file_system(
    Kernel& kernel, Ref<device::HostFile> root, HostFsOptions const& options)
{
    auto status = TRY(root->status());
    if (!abi::is_directory(status.attributes.mode)) return err::notdir;
    auto fs = make_ref<HostFileSystem>(kernel, options, status);
    HostKey key { status.device, status.inode };
    fs->set_root(make_ref<HostDirectory>(*fs, key, status, std::move(root)));
    return Ref<vfs::FileSystem>(fs);
}

} // namespace umbra::fs
