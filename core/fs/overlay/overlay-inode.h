// SPDX-License-Identifier: GPL-2.0-or-later
// The objects of an overlay. Internal to core/fs/overlay.
// References: an inode holds the lower inode that it stands for, if there is one. A directory holds the
// inodes that it names itself: new ones, and those moved or linked there. An inode that was found in the
// lower tree and has changed since must outlive the dentry cache: the file system holds it while it has a
// link (keep()). Unchanged ones come and go with their users, and are found by their lower inode while they
// live.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/fs/overlay/overlay.h"
#include "core/mm/memory-object.h"
#include "core/vfs/file.h"
#include "core/vfs/path.h"

namespace umbra::fs {

class OverlayDirectory;
class OverlayInode;
class OverlayRegular;

class OverlayFileSystem final : public vfs::FileSystem {
public:
    OverlayFileSystem(Kernel& kernel, Ref<vfs::FileSystem> lower, OverlayOptions const& options);
    ~OverlayFileSystem() override;
    void set_root(Ref<vfs::Inode> lower_root);

    Ref<vfs::Inode> root() override;
    Result<abi::Statfs> statfs() override;

    /// The one inode that stands for an object of the lower tree.
    Ref<OverlayInode> inode_for(Ref<vfs::Inode> lower);
    /// A new object of any type but symlink. ENOSPC.
    Result<Ref<OverlayInode>> make(vfs::NewInode const& what);
    Result<Ref<OverlayInode>> make_symlink(std::string_view target, vfs::NewInode const& what);
    /// A lower object as a path, which Inode::open wants.
    vfs::Path lower_path(vfs::Inode& inode) const;

private:
    friend class OverlayInode;
    vfs::Attributes initial(vfs::NewInode const& what) const;

    Ref<vfs::FileSystem> lower_;
    Ref<vfs::Mount> lower_mount_;
    u64 max_inodes_, used_inodes_ = 0;
    std::unordered_map<vfs::Inode*, OverlayInode*> by_lower_;
    std::unordered_map<OverlayInode*, Ref<OverlayInode>> kept_;
    RefPtr<OverlayDirectory> root_;
};

/// What all kinds share, and all there is to FIFOs, sockets, devices and whiteouts (RENAME_WHITEOUT).
class OverlayInode : public vfs::Inode {
public:
    /// Stands for an object of the lower tree.
    OverlayInode(OverlayFileSystem& fs, Ref<vfs::Inode> lower);
    /// New.
    OverlayInode(OverlayFileSystem& fs, vfs::Attributes const& attributes);
    ~OverlayInode() override;

    Result<void> set_attributes(vfs::AttributeChange const& change) override;
    Result<std::string> get_xattr(std::string_view name) override;
    Result<void> set_xattr(std::string_view name, std::string_view value, u32 flags) override;
    Result<void> remove_xattr(std::string_view name) override;
    Result<std::vector<std::string>> list_xattrs() override;

    RefPtr<vfs::Inode> const& lower() const { return lower_; }
    void add_link();
    void drop_link();
    void drop_all_links();
    /// It differs from the lower object, so it must not be forgotten.
    void keep();
    /// keep(), and the change time.
    void changed();
    bool linkable = false; ///< an O_TMPFILE object that link(2) may name

protected:
    OverlayFileSystem& overlay() const { return static_cast<OverlayFileSystem&>(fs_); }

    RefPtr<vfs::Inode> lower_; ///< null for what is new

private:
    using Xattrs = std::map<std::string, std::string, std::less<>>;
    Result<Xattrs*> own_xattrs();

    std::unique_ptr<Xattrs> xattrs_; ///< null: the lower object's, or none
};

class OverlaySymlink final : public OverlayInode {
public:
    OverlaySymlink(OverlayFileSystem& fs, Ref<vfs::Inode> lower)
        : OverlayInode(fs, std::move(lower))
    {
    }
    OverlaySymlink(OverlayFileSystem& fs, vfs::Attributes const& attributes, std::string_view target)
        : OverlayInode(fs, attributes)
        , target_(target)
    {
    }
    Result<std::string> read_link() override;

private:
    std::string target_; ///< empty: the lower object's
};

struct OverlayListing {
    struct Entry {
        std::string name;
        u64 number;
        u8 type;
    };
    std::vector<Entry> entries;
};

/// The names are those of the lower directory, unless `entries_` says otherwise.
class OverlayDirectory final : public OverlayInode {
public:
    using OverlayInode::OverlayInode;
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

    /// What getdents(2) shows, without the dots.
    Result<OverlayListing> list();
    /// Gives up every inode that is held here (the file system goes).
    std::vector<Ref<OverlayInode>> take_children();

private:
    struct Entry {
        RefPtr<OverlayInode> inode; ///< null: a whiteout, the lower name is gone
        bool hides_lower; ///< the lower directory has the name too
    };
    using Entries = std::map<std::string, Entry, std::less<>>;

    /// Calls visit(name, number, type) for the lower names that no entry hides; stops when it returns false.
    Result<void> for_each_lower(vfs::DirectoryEmitter const& visit);
    Result<bool> is_empty();
    void add(std::string_view name, Ref<OverlayInode> inode);
    /// Takes the name away; `inode` is what it stands for.
    void remove(std::string_view name, OverlayInode& inode);
    /// The name's entry, made from the lower object `inode` if it was not here yet.
    Entry& own_entry(std::string_view name, OverlayInode& inode);
    void entries_changed();
    void add_subdirectory();
    void drop_subdirectory();
    void exchange(std::string_view name, OverlayInode& mine, OverlayDirectory& other,
        std::string_view other_name, OverlayInode& theirs);

    Entries entries_;
};

/// The bytes of a regular file. Until the first change they are the lower file's, whose frames and host
/// descriptor are passed on. From then on every page that is touched is the overlay's own, filled from the
/// lower file when it is first needed.
class OverlayPages final : public mm::PageCache {
public:
    OverlayPages(mm::PhysicalMemory& memory, OverlayRegular& file, vfs::Inode* lower, u64 size);

    Result<mm::Frame> page(u64 index, mm::PageUse use) override;
    mm::Frame resident_page(u64 index) override;
    platform::HostHandle host_handle() const override;
    /// Reads anything that is here without making pages of what the lower file has.
    Result<u64> read_bytes(IoBuffer& out, u64 offset);

    /// The file is about to change. May wait: takes the lower file's pages away from guests.
    void diverge();
    bool has_diverged() const { return diverged_; }
    /// As PageCache's, for a file that has diverged.
    Result<void> set_size(u64 size);
    Result<void> punch_hole(u64 offset, u64 length);
    /// The first byte of data or hole at or after `offset`; `size` if there is none.
    u64 next_data(u64 offset) const;
    u64 next_hole(u64 offset) const;
    u64 pages_in_use() const;

    void set_lower_file(RefPtr<vfs::File> file) { lower_file_ = std::move(file); }
    bool needs_lower_file() const { return lower_pages_ > 0 && !lower_file_; }
    /// The inode goes away; who still maps the pages keeps them.
    void detach() { file_ = nullptr; }

protected:
    Result<void> fill(u64 index, std::span<u8> page) override;
    bool is_hole(u64 index) const override { return !is_lower(index) && PageCache::is_hole(index); }

private:
    enum class Source : u8 { own, lower, hole };
    struct Run {
        Source source;
        u64 end;
    };
    Run run_at(u64 index) const;
    bool is_lower(u64 index) const;
    Result<void> own_partial_page(u64 offset);

    OverlayRegular* file_;
    RefPtr<vfs::Inode> lower_inode_;
    RefPtr<vfs::File> lower_file_; ///< open for reading, from the first open on
    u64 lower_pages_ = 0; ///< pages of the lower file that show, as far as they are not own or punched
    std::set<u64> punched_; ///< of those, the ones that are holes now
    bool diverged_;
};

class OverlayRegular final : public OverlayInode {
public:
    OverlayRegular(OverlayFileSystem& fs, Ref<vfs::Inode> lower);
    OverlayRegular(OverlayFileSystem& fs, vfs::Attributes const& attributes);
    ~OverlayRegular() override;

    Result<void> refresh() override;
    Result<void> set_attributes(vfs::AttributeChange const& change) override;
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;
    mm::MemoryObject* memory_object() override { return pages_.get(); }

    Result<u64> read(IoBuffer& out, u64 offset) { return pages_->read_bytes(out, offset); }
    Result<u64> write(IoBuffer& in, u64 offset);
    Result<void> allocate(u32 mode, u64 offset, u64 length);
    Result<u64> seek(i64 offset, i32 whence) const;
    OverlayPages& pages() const { return *pages_; }

private:
    Ref<OverlayPages> pages_;
};

} // namespace umbra::fs
