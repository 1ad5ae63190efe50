// SPDX-License-Identifier: GPL-2.0-or-later
// The objects of the host file system. Internal to core/fs/host.
// References: an inode holds the directory it was found in (its place on the host, for opening it again); the
// file system's table knows every inode without holding it. Host descriptors are held by inodes, few at a
// time: HandleCache.
// size: one class by aspects, whose contracts are read together
#pragma once

#include <memory>
#include <set>
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
class HostRegular;

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

/// What the guest set and the host refused.
struct HostOverride {
    std::optional<u32> mode, uid, gid; ///< mode with the type: a device that is an empty file on the host
    u64 rdev = 0;
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
    /// The host's attributes as the guest sees them: owners mapped, overrides applied.
    vfs::Attributes to_guest(device::HostStatus const& status) const;
    u32 to_host_uid(u32 uid) const;
    u32 to_host_gid(u32 gid) const;
    bool has_override(HostKey const& key) const { return overrides_.contains(key); }
    HostOverride& override_of(HostKey const& key) { return overrides_[key]; }
    void drop_override(HostKey const& key) { overrides_.erase(key); }
    Nanoseconds now() const;

    /// Files whose pages are newer than the host's data; held until they are written back.
    void add_dirty(HostRegular& file);
    void remove_dirty(HostRegular& file);
    Result<void> sync() override;

private:
    HostFsOptions options_;
    HandleCache handles_;
    std::unordered_map<HostKey, HostInode*, HostKeyHash> inodes_;
    std::unordered_map<HostKey, HostOverride, HostKeyHash> overrides_;
    std::unordered_map<HostRegular*, Ref<HostRegular>> dirty_;
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

    Result<void> refresh() override;
    Result<void> set_attributes(vfs::AttributeChange const& change) override;
    Result<std::string> get_xattr(std::string_view name) override;
    Result<std::vector<std::string>> list_xattrs() override;
    Result<void> set_xattr(std::string_view name, std::string_view value, u32 flags) override;
    Result<void> remove_xattr(std::string_view name) override;

    /// The host said this just now.
    virtual void adopt(device::HostStatus const& status);
    /// What is known may be wrong: the next refresh() asks.
    void mark_stale() { checked_at_ = 0; }
    /// Another name for the same object was found, or it was moved.
    void set_place(HostDirectory& parent, std::string_view name);
    /// It is about to lose its name: what has it open needs the descriptor from now on.
    Result<void> pin();
    /// A name of it is gone.
    void lost_link();

protected:
    friend class HandleCache;
    /// Opens the object's name in its directory. Default: a place handle.
    virtual Result<Ref<device::HostFile>> open_handle(device::HostFile& parent);
    /// A handle that is open, or a place handle: enough for attributes, and possible where opening is
    /// refused.
    Result<Ref<device::HostFile>> place_handle();
    void keep_handle(Ref<device::HostFile> file);
    void drop_handle();
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
    bool pinned_ = false; ///< the handle is not in the cache and stays
    Nanoseconds checked_at_;
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

    Result<Ref<vfs::Inode>> create(std::string_view name, vfs::NewInode const& what) override;
    Result<Ref<vfs::Inode>> symlink(
        std::string_view name, std::string_view target, vfs::NewInode const& what) override;
    Result<void> link(std::string_view name, vfs::Inode& target) override;
    Result<void> unlink(std::string_view name, vfs::Inode& victim) override;
    Result<void> rmdir(std::string_view name, vfs::Inode& victim) override;
    Result<void> rename(std::string_view name, vfs::Inode& moved, vfs::Inode& new_directory,
        std::string_view new_name, vfs::Inode* victim, u32 flags) override;
    /// Where the host may change names, each walk asks again.
    bool cacheable_children() const override { return host_fs().is_read_only(); }

private:
    Result<RefPtr<device::HostFile>> make_on_host(
        device::HostFile& place, std::string const& name, vfs::NewInode const& what, bool& kept);
    Result<Ref<vfs::Inode>> adopt_new(
        std::string const& name, vfs::NewInode const& what, bool kept, RefPtr<device::HostFile> file);
    Result<void> remove_entry(std::string_view name, vfs::Inode& victim, bool directory);

    RefPtr<HostListing> listing_; ///< of a read-only tree: kept for the next reader
};

class HostSymlink final : public HostInode {
public:
    using HostInode::HostInode;
    Result<std::string> read_link() override;

private:
    std::string target_; ///< empty: not asked for yet
};

/// The file's pages where guests need frames (private writes, kernel access, shared writable mappings); plain
/// reads and read-only mappings use the host's page cache and leave nothing here.
class HostPages final : public mm::BackedPages {
public:
    HostPages(mm::PhysicalMemory& memory, HostRegular& file);
    platform::HostHandle host_handle() const override;
    Result<void> write_back() override;
    /// A guest may write through a mapping from now on, so all must map frames. May wait.
    void share_for_writing();
    /// The guest wrote these bytes to the host: pages that are here change too.
    void wrote(u64 offset, std::span<u8 const> bytes);
    /// The host's file has another size, or other contents: pages that no guest has changed are dropped. May
    /// wait.
    void host_changed(u64 size);
    bool is_dirty() const { return !dirty_.empty(); }
    /// The inode goes away; whoever still maps the pages sees those that are there.
    void detach() { file_ = nullptr; }

protected:
    Result<void> read_backing(u64 offset, std::span<u8> out) override;
    void dirtied(u64 index) override;
    bool is_changed(u64 index) const override { return dirty_.contains(index); }

private:
    HostRegular* file_;
    std::set<u64> dirty_; ///< given out for writing: they may change at any time while a guest maps them
    bool shared_for_writing_ = false;
};

class HostRegular final : public HostInode {
public:
    using HostInode::HostInode;
    ~HostRegular() override;
    Result<void> set_attributes(vfs::AttributeChange const& change) override;
    void adopt(device::HostStatus const& status) override;
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;
    mm::MemoryObject* memory_object() override { return &pages(); }

    Result<u64> read(IoBuffer& out, u64 offset);
    /// `file` is a handle open for writing.
    Result<u64> write(IoBuffer& in, u64 offset, device::HostFile& file);
    Result<u64> seek(u64 offset, i32 whence);
    Result<void> allocate(u32 mode, u64 offset, u64 length);
    Result<void> sync_data(bool data_only);
    Result<void> write_back();
    HostPages& pages();
    platform::HostHandle mappable_handle() const { return open_handle_number(); }
    /// A handle from the making of the file, which may be writable where its mode allows no more opening for
    /// that.
    void adopt_handle(Ref<device::HostFile> file)
    {
        keep_handle(std::move(file));
        handle_is_writable_ = true;
    }

protected:
    Result<Ref<device::HostFile>> open_handle(device::HostFile& parent) override;

private:
    Result<Ref<device::HostFile>> writable_handle();

    RefPtr<HostPages> pages_; ///< made when somebody maps or runs the file
    bool handle_is_writable_ = false;
    Errno why_not_writable_ = err::acces;
};

} // namespace umbra::fs
