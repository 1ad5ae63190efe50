// SPDX-License-Identifier: GPL-2.0-or-later
// Dentries (names in directories, cached with negative entries), mounts, and the pair of both: a Path.
// References: a dentry holds its parent and its inode; a parent knows its children without holding them, except that
// cached ones stay on the kernel's LRU; a mount holds its root dentry, its parent mount and its mount point.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/list.h"
#include "core/vfs/file-system.h"
#include "core/vfs/inode.h"
#include "core/vfs/namespace.h"

namespace umbra::vfs {

class DentryCache;
class Mount;

class Dentry : public RefCounted, public TaggedNode<DentryCache> {
public:
    /// For FileSystem::root_dentry().
    static Ref<Dentry> make_root(Ref<Inode> inode);
    /// Outside every tree; `name` is the whole of its path_to_string ("pipe:[7]").
    static Ref<Dentry> make_anonymous(Ref<Inode> inode, std::string name);
    ~Dentry() override;

    std::string const& name() const { return name_; }
    RefPtr<Dentry> const& parent() const { return parent_; } ///< null for a root
    bool is_negative() const { return !inode_; }
    Inode& inode() const { return *inode_; }
    RefPtr<Inode> const& inode_ptr() const { return inode_; }
    bool is_unlinked() const { return unlinked_; }
    bool is_mountpoint() const { return mount_count_ > 0; }
    FileSystem& file_system() const { return inode_ ? inode_->file_system() : parent_->file_system(); }
    /// True for this dentry itself too.
    bool is_ancestor_of(Dentry const& other) const;

private:
    friend class DentryCache;
    friend class Mount;
    friend class MountNamespace;
    Dentry(RefPtr<FileSystem> fs, RefPtr<Dentry> parent, std::string name, RefPtr<Inode> inode);
    void last_unref() override;

    RefPtr<FileSystem>
        fs_; ///< of a root: keeps the file system while any of its dentries lives; outlives inode_
    RefPtr<Dentry> parent_;
    std::string name_;
    RefPtr<Inode> inode_;
    std::unordered_map<std::string_view, Dentry*> children_; ///< keys view the child's name_
    bool hashed_ = false; ///< among parent_->children_
    bool unlinked_ = false;
    u32 mount_count_ = 0;
};

/// A place in the tree of mounts.
struct Path {
    Ref<Mount> mount;
    Ref<Dentry> dentry;
    Inode& inode() const { return dentry->inode(); }
    bool operator==(Path const& o) const { return mount == o.mount && dentry == o.dentry; }
};

enum MountFlag : u32 {
    kMountReadOnly = 1,
    kMountNoSuid = 2,
    kMountNoDev = 4,
    kMountNoExec = 8,
    kMountNoSymFollow = 256,
    kMountNoAtime = 1024,
    kMountNoDirAtime = 2048,
    kMountRelAtime = 1 << 21,
    kMountStrictAtime = 1 << 24,
};

class Mount : public RefCounted {
public:
    Mount(Ref<FileSystem> fs, Ref<Dentry> root, u32 flags, std::string source);
    /// Of the whole file system.
    Mount(Ref<FileSystem> fs, u32 flags, std::string source);
    ~Mount() override;

    FileSystem& file_system() const { return *fs_; }
    Ref<Dentry> const& root() const { return root_; }
    Mount* parent() const { return parent_.get(); }
    RefPtr<Dentry> const& mountpoint() const { return mountpoint_; }
    u32 flags() const { return flags_; }
    void set_flags(u32 flags) { flags_ = flags; }
    bool is_read_only() const { return (flags_ & kMountReadOnly) || fs_->is_read_only(); }
    std::string const& source() const { return source_; }
    u32 id() const { return id_; }

private:
    friend class MountNamespace;
    Ref<FileSystem> fs_;
    Ref<Dentry> root_;
    RefPtr<Mount> parent_;
    RefPtr<Dentry> mountpoint_;
    u32 flags_;
    std::string source_;
    u32 id_ = 0;
};

/// The mounts that a group of tasks sees.
class MountNamespace final : public Namespace {
public:
    /// The first one, whose owner is the first user namespace.
    explicit MountNamespace(Ref<Mount> root);
    MountNamespace(Ref<Mount> root, NamespaceOrigin origin);
    ~MountNamespace() override;
    Ref<Mount> const& root() const { return root_; }
    /// Puts `mount` on `at`. EBUSY, ENOTDIR as mount(2).
    Result<void> attach(Ref<Mount> mount, Path const& at);
    /// Takes the mount away. EBUSY while something is mounted below or in use, unless `lazy`; EINVAL if not here.
    Result<void> detach(Mount& mount, bool lazy);
    /// The topmost mount on this very place, or null.
    Mount* mounted_on(Mount const& mount, Dentry const& dentry) const;
    std::vector<Ref<Mount>> const& mounts() const { return mounts_; } ///< in the order of mounting
    bool contains(Mount const& mount) const;
    /// Moves a mount and all below it to another place (MS_MOVE). EINVAL, ELOOP, EBUSY.
    Result<void> move(Mount& mount, Path const& to);
    /// pivot_root(2): `new_root` becomes the root, the old root appears at `put_old` (a place under new_root).
    Result<void> pivot(Mount& new_root, Path const& put_old);
    /// A new mount of what `from` shows (MS_BIND), with the mounts below it if `recursive`; not attached.
    Result<std::vector<Ref<Mount>>> clone_tree(Path const& from, bool recursive);
    Result<void> attach_tree(std::vector<Ref<Mount>> const& tree, Path const& at);
    /// A copy of the whole namespace (CLONE_NEWNS). `paths` are changed to the same places in the copy.
    Ref<MountNamespace> clone(std::vector<Path*> const& paths, NamespaceOrigin origin) const;

private:
    void remove(Mount& mount);

    Ref<Mount> root_;
    std::vector<Ref<Mount>> mounts_;
};

/// A task's view of the tree: root, working directory, umask (fs_struct). Shared by CLONE_FS.
class FsContext : public RefCounted {
public:
    FsContext(Path root, Path cwd, Ref<MountNamespace> mounts, u32 umask)
        : root(std::move(root))
        , cwd(std::move(cwd))
        , mounts(std::move(mounts))
        , umask(umask)
    {
    }
    Ref<FsContext> clone() const { return make_ref<FsContext>(root, cwd, mounts, umask); }
    Path root;
    Path cwd;
    Ref<MountNamespace> mounts;
    u32 umask;
};

/// How a path walk treats its last component and symlinks on the way.
struct WalkOptions {
    bool follow_last = true; ///< follow a symlink in the last component
    bool want_directory = false; ///< ENOTDIR unless the result is one (O_DIRECTORY)
    bool allow_empty = false; ///< "" means the base itself (AT_EMPTY_PATH)
    u64 resolve = 0; ///< openat2(2) RESOLVE_* bits
};

/// A walk that stops before the last component: the directory, the name, and what is there now (null if nothing).
struct ParentWalk {
    Path directory;
    std::string
        name; ///< "", "." or ".." where the path ends so (the caller's errno: EEXIST, EINVAL, EBUSY, ENOTEMPTY)
    RefPtr<Dentry> existing;
    bool trailing_slash = false;
};

/// Path walk as path_resolution(7). `base` is where relative paths start. May wait.
/// Errors: ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG (component over 255).
Result<Path> walk(Task& task, Path const& base, std::string_view path, WalkOptions options = {});
Result<ParentWalk> walk_parent(Task& task, Path const& base, std::string_view path, WalkOptions options = {});
/// The dentry of one name in a directory (which may be negative), through the cache. May wait.
Result<Ref<Dentry>> lookup_child(Path const& directory, std::string_view name);
/// The same where the caller holds the directory's mutex.
Result<Ref<Dentry>> lookup_child_locked(Dentry& directory, std::string_view name);
/// Replaces a place by the root of what is mounted there, as often as something is.
void cross_mounts(MountNamespace const& mounts, Path& path);
/// Whether `place` is `top` or lies below it, across mounts.
bool is_below(Path const& place, Path const& top);
/// The absolute path as seen from `root`; "(unreachable)" prefix and " (deleted)" suffix as Linux's d_path.
std::string path_to_string(Path const& path, Path const& root);

} // namespace umbra::vfs
