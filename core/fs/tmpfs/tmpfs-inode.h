// SPDX-License-Identifier: GPL-2.0-or-later
// The objects of a tmpfs. Internal to core/fs/tmpfs.
// References: a directory holds the inodes it names; the file system holds its root. Pages may outlive file
// and file system in a mapping, so what they count against has a life of its own (TmpfsAccount).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/fs/tmpfs/tmpfs.h"
#include "core/mm/memory-object.h"
#include "core/vfs/file-handle.h"
#include "core/vfs/file-system.h"
#include "core/vfs/file.h"
#include "core/vfs/inode.h"

namespace umbra::fs {

/// Pages and inodes of one instance, and how many there may be.
struct TmpfsAccount : RefCounted {
    u64 max_pages = 0, max_inodes = 0;
    u64 used_pages = 0, used_inodes = 0;
    bool take_page() { return used_pages < max_pages && ++used_pages; }
    bool take_inodes(u64 count)
    {
        if (max_inodes - used_inodes < count) return false;
        used_inodes += count;
        return true;
    }
};

class TmpfsDirectory;

class TmpfsFileSystem final : public vfs::FileSystem, public vfs::HandleSource {
public:
    TmpfsFileSystem(Kernel& kernel, TmpfsOptions const& options);
    ~TmpfsFileSystem() override;
    Ref<vfs::Inode> root() override;
    Result<abi::Statfs> statfs() override;
    std::string show_options() const override;
    Result<void> reconfigure(std::string_view options) override;
    Result<std::vector<std::string>> names_of(u64 inode_number) const override;

    Ref<TmpfsAccount> const& account() const { return account_; }
    /// Makes any kind of object but a symlink. ENOSPC.
    Result<Ref<vfs::Inode>> make(vfs::NewInode const& what);
    Result<Ref<vfs::Inode>> make_symlink(std::string_view target, vfs::NewInode const& what);

private:
    vfs::Attributes initial(vfs::NewInode const& what) const;

    TmpfsOptions options_;
    Ref<TmpfsAccount> account_;
    RefPtr<TmpfsDirectory> root_;
};

/// What all of them share, and all there is to FIFOs, sockets, devices and whiteouts.
class TmpfsInode : public vfs::Inode {
public:
    TmpfsInode(TmpfsFileSystem& fs, vfs::Attributes const& attributes);
    ~TmpfsInode() override;

    u32 flags_kept() const override
    {
        return is_regular() || is_directory()
            ? abi::fs_immutable | abi::fs_append | abi::fs_nodump | abi::fs_noatime
            : 0;
    }
    Result<std::string> get_xattr(std::string_view name) override;
    Result<void> set_xattr(std::string_view name, std::string_view value, u32 flags) override;
    Result<void> remove_xattr(std::string_view name) override;
    Result<std::vector<std::string>> list_xattrs() override;

    void add_link() { ++attributes_.nlink; }
    void drop_link() { --attributes_.nlink; }
    void changed() { touch(false, false, true); }
    void set_link_count(u32 count) { attributes_.nlink = count; }
    bool linkable = false; ///< an O_TMPFILE object that link(2) may name

protected:
    TmpfsFileSystem& tmpfs() const { return static_cast<TmpfsFileSystem&>(fs_); }

private:
    using Xattrs = std::map<std::string, std::string, std::less<>>;
    std::unique_ptr<Xattrs> xattrs_; ///< made with the first one
};

class TmpfsSymlink final : public TmpfsInode {
public:
    TmpfsSymlink(TmpfsFileSystem& fs, vfs::Attributes const& attributes, std::string_view target)
        : TmpfsInode(fs, attributes)
        , target_(target)
    {
    }
    Result<std::string> read_link() override { return target_; }

private:
    std::string target_;
};

class TmpfsDirectory final : public TmpfsInode {
public:
    TmpfsDirectory(TmpfsFileSystem& fs, vfs::Attributes const& attributes)
        : TmpfsInode(fs, attributes)
    {
    }
    Result<Ref<Inode>> lookup(std::string_view name) override;
    Result<Ref<Inode>> create(std::string_view name, vfs::NewInode const& what) override;
    Result<Ref<Inode>> symlink(
        std::string_view name, std::string_view target, vfs::NewInode const& what) override;
    Result<void> link(std::string_view name, Inode& target) override;
    Result<void> unlink(std::string_view name, Inode& victim) override;
    Result<void> rmdir(std::string_view name, Inode& victim) override;
    Result<void> rename(std::string_view name, Inode& moved, Inode& new_directory, std::string_view new_name,
        Inode* victim, u32 flags) override;
    Result<Ref<Inode>> create_unnamed(vfs::NewInode const& what) override;
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;

    bool is_empty() const { return entries_.empty(); }
    /// Entries from `position` on, dots excluded.
    void list(i64 position, vfs::DirectoryEmitter const& emit) const;
    struct Child {
        std::string_view name;
        TmpfsInode* inode;
        i64 next; ///< the position behind it
    };
    /// The first entry at or after a position.
    std::optional<Child> child_from(i64 position) const;
    /// Gives up every child (the file system goes).
    std::vector<Ref<TmpfsInode>> take_children();

private:
    struct Entry {
        std::string name;
        Ref<TmpfsInode> inode;
    };
    void inherit_flags(Inode& made) const;
    void add(std::string_view name, Ref<TmpfsInode> inode);
    Ref<TmpfsInode> remove(std::string_view name);
    Entry& entry(std::string_view name);
    void entries_changed();
    Result<void> exchange(std::string_view name, TmpfsDirectory& other, std::string_view other_name);

    /// By a number that grows with every new name, so that a listing goes on where it was after any change; 0
    /// and 1 are "." and "..".
    std::map<i64, Entry> entries_;
    std::unordered_map<std::string_view, i64> positions_; ///< the keys view the entries' names
    i64 next_position_ = 2;
};

class TmpfsPages final : public mm::PageCache {
public:
    TmpfsPages(mm::PhysicalMemory& memory, Ref<TmpfsAccount> account)
        : PageCache(memory)
        , account_(std::move(account))
    {
    }
    ~TmpfsPages() override { release_pages(resident_pages()); }

protected:
    bool has_backing() const override { return false; }
    Result<void> reserve_page() override { return account_->take_page() ? Result<void>() : err::nospc; }
    void release_pages(u64 count) override { account_->used_pages -= count; }

private:
    Ref<TmpfsAccount> account_;
};

constexpr u32 kSealSeal = 1, kSealShrink = 2, kSealGrow = 4, kSealWrite = 8, kSealFutureWrite = 16,
              kSealExec = 32;

class TmpfsRegular final : public TmpfsInode {
public:
    TmpfsRegular(TmpfsFileSystem& fs, vfs::Attributes const& attributes);
    Result<void> refresh() override;
    Result<void> set_attributes(vfs::AttributeChange const& change) override;
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;
    mm::MemoryObject* memory_object() override { return pages_.get(); }

    Result<u64> write(IoBuffer& buffer, u64 offset);
    Result<void> allocate(u32 mode, u64 offset, u64 length);
    Result<u64> seek(i64 offset, i32 whence) const;
    TmpfsPages& pages() const { return *pages_; }
    u32 seals = kSealSeal;

private:
    Ref<TmpfsPages> pages_;
};

/// A regular file that is open.
class TmpfsFile final : public vfs::File {
public:
    TmpfsFile(vfs::Path const& path, u32 flags)
        : File(path, flags)
    {
    }
    TmpfsRegular& regular() const { return static_cast<TmpfsRegular&>(inode()); }

    Result<u64> read(IoBuffer& buffer, u64 offset) override;
    Result<u64> write(IoBuffer& buffer, u64 offset) override { return regular().write(buffer, offset); }
    bool is_seekable() const override { return true; }
    Result<u64> seek_special(i64 offset, i32 whence) override { return regular().seek(offset, whence); }
    Result<Ref<mm::MemoryObject>> mmap_object(u64, u64, bool) override
    {
        return Ref<mm::MemoryObject>(regular().pages());
    }
    Result<void> fallocate(u32 mode, u64 offset, u64 length) override
    {
        return regular().allocate(mode, offset, length);
    }
};

} // namespace umbra::fs
