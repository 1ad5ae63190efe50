// SPDX-License-Identifier: GPL-2.0-or-later
// The objects of a union of directories. Internal to core/fs/union.
// A layer is a directory under a private mount of its file system: a real object is a Path there, so what changes goes
// through the VFS and its dentry cache, with the credentials of whoever mounted the union. References: an inode holds the
// real objects that it stands for, and, until it is copied up, the directory that it has a name in.
// Order of locks: mutexes of the union's inodes, an inode's copy-up mutex, mutexes of real inodes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/fs/union/union.h"
#include "core/task/task.h"
#include "core/vfs/file.h"
#include "core/vfs/operations.h"
#include "core/vfs/path.h"

namespace umbra::fs {

class UnionDirectory;
class UnionInode;

/// What the options of a mount say.
struct UnionOptions {
    std::vector<std::string> lower; ///< as given, the topmost first
    bool lower_one_by_one = false; ///< by "lowerdir+"
    std::string upper, work; ///< empty: none
    bool user_xattrs = false; ///< marks are user.overlay.*, which need no privilege
    bool is_volatile = false; ///< nothing is synced
};

/// The current task acts as whoever mounted the union for as long as this lives; as the owner of what it makes.
class AsMounter {
public:
    AsMounter(Task& task, Ref<Credentials> who)
        : task_(task)
        , own_(task.credentials_ref())
    {
        task_.set_credentials(std::move(who));
    }
    ~AsMounter() { task_.set_credentials(own_); }
    AsMounter(AsMounter const&) = delete;

private:
    Task& task_;
    Ref<Credentials> own_;
};

class UnionFileSystem final : public vfs::FileSystem {
public:
    struct Layers {
        std::optional<vfs::Path> upper;
        std::optional<vfs::Path> work; ///< the directory "work" in what was given
        std::vector<vfs::Path> lower;
    };
    UnionFileSystem(Kernel& kernel, UnionOptions options, Ref<Credentials> mounter, Layers layers);

    Ref<vfs::Inode> root() override;
    Result<abi::Statfs> statfs() override;
    std::string show_options() const override;
    /// Nothing can be changed; Linux ignores what mount(2) brings.
    Result<void> reconfigure(std::string_view) override { return {}; }
    bool is_read_only() const override { return read_only_ || !layers_.upper; }
    Result<void> sync() override;

    Credentials const& mounter() const { return *mounter_; }
    AsMounter as_mounter() const { return AsMounter(current(), mounter_); }
    /// Whoever owns what is made next.
    AsMounter as_mounter(u32 uid, u32 gid) const;
    UnionOptions const& options() const { return options_; }
    vfs::Path const& work() const { return *layers_.work; }
    /// A name in work() that nobody uses.
    std::string temporary_name() { return "#" + std::to_string(++last_temporary_); }
    /// Removes what is under such a name, if there is anything: a file or an empty directory.
    void discard(std::string const& temporary) const;
    /// How many unions are below each other here; Linux allows two.
    static u32 depth_of(vfs::FileSystem const& fs);

    /// The inode for what a lookup found; `lower` is empty or one object unless it is a directory.
    Ref<UnionInode> inode_for(std::optional<vfs::Path> upper, std::vector<vfs::Path> lower,
        UnionDirectory* parent, std::string_view name);
    /// The number of a real object: stays when that is copied up, differs between file systems.
    u64 number_of(vfs::FileSystem const& fs, u64 number, bool is_upper);

    /// The full name of a mark, such as "opaque".
    std::string mark(std::string_view name) const { return mark_prefix() + std::string(name); }
    std::string mark_prefix() const { return options_.user_xattrs ? "user.overlay." : "trusted.overlay."; }
    bool is_opaque(vfs::Inode& directory) const;
    /// `error`: where the layer cannot say so.
    Result<void> make_opaque(vfs::Inode& directory, Errno error) const;
    static bool is_whiteout(vfs::Inode const& inode)
    {
        return abi::is_character_device(inode.mode()) && inode.attributes().rdev == 0;
    }

private:
    friend class UnionInode;
    UnionOptions options_;
    Ref<Credentials> mounter_;
    Layers layers_;
    u32 depth_;
    u64 last_temporary_ = 0;
    std::vector<vfs::FileSystem const*> file_systems_; ///< by what number_of() adds
    std::unordered_map<u64, u64> numbers_; ///< of upper objects that were copied up: what they had before
    std::unordered_map<vfs::Inode*, UnionInode*> by_real_;
    RefPtr<UnionInode> root_; ///< last: it uses the others
};

/// What all kinds share, and all there is to symbolic links, FIFOs, sockets and devices.
class UnionInode : public vfs::Inode {
public:
    UnionInode(UnionFileSystem& fs, u64 number, std::optional<vfs::Path> upper, std::vector<vfs::Path> lower,
        UnionDirectory* parent, std::string_view name);
    ~UnionInode() override;

    Result<void> refresh() override;
    Result<void> set_attributes(vfs::AttributeChange const& change) override;
    void touch_atime(abi::Timespec const& now) override;
    Result<void> check_access(Credentials const& who, u32 mask) override;
    u32 flags_kept() const override { return real().flags_kept(); }
    Result<std::string> read_link() override;
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;
    mm::MemoryObject* memory_object() override { return real().memory_object(); }
    Result<std::string> get_xattr(std::string_view name) override;
    Result<void> set_xattr(std::string_view name, std::string_view value, u32 flags) override;
    Result<void> remove_xattr(std::string_view name) override;
    Result<std::vector<std::string>> list_xattrs() override;

    std::optional<vfs::Path> const& upper() const { return upper_; }
    std::vector<vfs::Path> const& lower() const { return lower_; }
    vfs::Path const& real_path() const { return upper_ ? *upper_ : lower_.front(); }
    vfs::Inode& real() const { return real_path().inode(); }
    /// Takes over the attributes of the real object.
    void copy_attributes();
    enum class Content : u8 { wanted, dropped };
    /// Makes a copy in the upper layer, if this is not there yet, and of the directories above. May wait. EROFS.
    Result<void> copy_up(Content content = Content::wanted);
    /// Its name was taken away before it was copied up: a copy will have none.
    void name_is_gone() { has_name_ = false; }

protected:
    UnionFileSystem& overlay() const { return static_cast<UnionFileSystem&>(fs_); }

    std::optional<vfs::Path> upper_;
    std::vector<vfs::Path> lower_;

private:
    Result<void> copy_up_alone(Content content);
    Result<vfs::Path> make_copy(std::string const& name, Content content);
    Result<void> copy_metadata(vfs::Inode& to);
    Result<void> copy_xattrs(vfs::Inode& to);
    Result<void> put_in_place(std::string const& temporary, vfs::Path const& copy);
    std::string real_name(std::string_view name) const;

    Mutex copy_mutex_;
    RefPtr<UnionDirectory> parent_; ///< null once it is copied up
    std::string name_;
    bool has_name_ = true;
};

class UnionDirectory final : public UnionInode {
public:
    using UnionInode::UnionInode;
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

    /// Parts of it are in lower layers.
    bool is_merged() const { return !lower_.empty(); }
    struct Entry {
        std::string name;
        u64 number;
        u8 type;
    };
    /// What getdents(2) shows, without the dots. May wait.
    Result<std::vector<Entry>> list();

private:
    using Make = std::function<Result<void>(vfs::At const& at)>;
    Result<std::optional<vfs::Path>> child_in(vfs::Path const& layer, std::string_view name);
    Result<vfs::Path> upper_child(std::string_view name);
    Result<bool> shows_lower(std::string_view name);
    Result<void> make_whiteout(std::string_view name);
    Result<Ref<UnionInode>> make(std::string_view name, vfs::NewInode const& what, Make const& make);
    Result<void> make_in_upper(std::string_view name, Make const& make, bool is_directory);
    Result<void> remove(std::string_view name, UnionInode& victim);
    Result<void> remove_whiteouts();
    Result<void> move(std::string_view name, UnionInode& moved, UnionDirectory& to, std::string_view new_name,
        UnionInode* victim);
    Result<void> list_layer(
        vfs::Path const& layer, bool is_upper, std::map<std::string, Entry, std::less<>>& seen);
    void changed();
};

/// The open file of a regular file of a union.
Result<Ref<vfs::File>> open_union_file(vfs::Path const& path, u32 flags);

} // namespace umbra::fs
