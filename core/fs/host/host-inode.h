// SPDX-License-Identifier: GPL-2.0-or-later
// The objects of the host file system. Internal to core/fs/host.
// References: an inode holds the directory it was found in (its place on the host, for opening it again); the
// file system's table knows every inode without holding it. Host descriptors are held by inodes, few at a
// time: HandleCache.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/list.h"
#include "core/fs/host/host-fs.h"
#include "core/mm/backed-pages.h"
#include "core/vfs/file.h"
#include "core/vfs/inode.h"

namespace umbra::fs {

class HostDirectory;
class HostInode;

/// Which inodes hold a host descriptor, least recently used first. Dropping one is always safe: it is opened
/// again by name when it is wanted, and who is using it holds a reference of his own.
class HandleCache {
public:
    explicit HandleCache(u64 limit)
        : limit_(limit)
    {
    }
    void used(HostInode& inode);
    void removed(HostInode& inode);
    /// Gives back half of them: the host has no more for anybody.
    void shrink();

private:
    void drop_oldest();
    List<HostInode, TaggedNode<HandleCache>> held_;
    u64 count_ = 0, limit_;
};

/// Identity of an object on the host.
struct HostKey {
    u64 device, inode;
    bool operator==(HostKey const&) const = default;
};
struct HostKeyHash {
    size_t operator()(HostKey const& k) const { return k.inode * 0x9e3779b97f4a7c15 ^ k.device; }
};

class HostFileSystem final : public vfs::FileSystem {
public:
    HostFileSystem(Kernel& kernel, HostFsOptions const& options, device::HostStatus const& root_status);
    ~HostFileSystem() override;
    void set_root(Ref<HostDirectory> root);

    Ref<vfs::Inode> root() override;
    Result<abi::Statfs> statfs() override;
    bool is_read_only() const override { return options_.access == HostAccess::read_only; }

    HandleCache& handles() { return handles_; }
    HostFsOptions const& options() const { return options_; }
    /// The inode of what was found under a name: the one that is known, or a new one.
    Ref<HostInode> inode_for(HostDirectory& parent, std::string_view name, device::HostStatus const& status);
    void forget(HostInode& inode);
    /// One number for (device, inode): host mounts below the root share their inode numbers with it.
    u64 inode_number(HostKey const& key);
    /// The host's attributes with owners as the guest sees them.
    vfs::Attributes to_guest(vfs::Attributes attributes) const;

private:
    HostFsOptions options_;
    HandleCache handles_;
    std::unordered_map<HostKey, HostInode*, HostKeyHash> inodes_;
    std::vector<u64> devices_; ///< of the host; the root's first
    RefPtr<HostDirectory> root_;
};

/// What all kinds share, and all there is to sockets, FIFOs and devices: those are the guest's own, the
/// host's are never opened.
class HostInode : public vfs::Inode, public TaggedNode<HandleCache> {
public:
    HostInode(HostFileSystem& fs, HostKey key, device::HostStatus const& status, RefPtr<HostDirectory> parent,
        std::string_view name);
    /// The root, whose handle is never dropped.
    HostInode(HostFileSystem& fs, HostKey key, device::HostStatus const& status, Ref<device::HostFile> root);
    ~HostInode() override;

    HostFileSystem& host_fs() const { return static_cast<HostFileSystem&>(fs_); }
    HostKey const& key() const { return key_; }
    /// A host descriptor of this object, opened again if it was dropped. May wait. ESTALE: the host has put
    /// something else in its place.
    Result<Ref<device::HostFile>> handle();

    Result<std::string> get_xattr(std::string_view name) override;
    Result<std::vector<std::string>> list_xattrs() override;

protected:
    friend class HandleCache;
    /// Opens the object's name in its directory. Default: a place handle.
    virtual Result<Ref<device::HostFile>> open_handle(device::HostFile& parent);
    void keep_handle(Ref<device::HostFile> file);
    platform::HostHandle open_handle_number() const
    {
        return handle_ ? handle_->handle() : platform::kNoHandle;
    }

    RefPtr<HostDirectory> parent_; ///< null for the root
    std::string name_;

private:
    friend class HostDirectory;
    Result<std::vector<device::HostXattr> const*> xattrs();

    HostKey key_;
    RefPtr<device::HostFile> handle_;
    std::unique_ptr<std::vector<device::HostXattr>> xattrs_; ///< asked for once
};

/// A directory's entries as they were at one time; shared by those who read it.
struct HostListing : RefCounted {
    std::vector<device::HostDirectoryEntry> entries;
};

class HostDirectory final : public HostInode {
public:
    using HostInode::HostInode;
    Result<Ref<vfs::Inode>> lookup(std::string_view name) override;
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;
    Result<Ref<HostListing>> listing();

private:
    RefPtr<HostListing> listing_; ///< of a read-only tree: kept for the next reader
};

class HostSymlink final : public HostInode {
public:
    using HostInode::HostInode;
    Result<std::string> read_link() override;

private:
    std::string target_; ///< empty: not asked for yet
};

class HostRegular;

/// The file's pages where guests need frames (private writes, kernel access); plain reads and read-only
/// mappings use the host's page cache and leave nothing here.
class HostPages final : public mm::BackedPages {
public:
    HostPages(mm::PhysicalMemory& memory, HostRegular& file);
    platform::HostHandle host_handle() const override;
    /// The inode goes away; whoever still maps the pages sees those that are there.
    void detach() { file_ = nullptr; }

protected:
    Result<void> read_backing(u64 offset, std::span<u8> out) override;

private:
    HostRegular* file_;
};

class HostRegular final : public HostInode {
public:
    using HostInode::HostInode;
    ~HostRegular() override;
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;
    mm::MemoryObject* memory_object() override;
    Result<u64> read(IoBuffer& out, u64 offset);
    Result<u64> seek(u64 offset, i32 whence);
    platform::HostHandle mappable_handle() const { return open_handle_number(); }

protected:
    Result<Ref<device::HostFile>> open_handle(device::HostFile& parent) override;

private:
    RefPtr<HostPages> pages_; ///< made when somebody maps or runs the file
};

} // namespace umbra::fs
