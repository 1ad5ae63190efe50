// SPDX-License-Identifier: GPL-2.0-or-later
// Dentries (names in directories, cached with negative entries), and the pair of a mount and a dentry: a Path.
// References: a dentry holds its parent and its inode; a parent knows its children without holding them, except that
// cached ones stay on the kernel's LRU.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/list.h"
#include "core/vfs/file-system.h"
#include "core/vfs/inode.h"
#include "core/vfs/mount-namespace.h"
#include "core/vfs/mount.h"

namespace umbra::vfs {

class DentryCache;

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
    bool is_mountpoint() const { return !mounts_.is_empty(); } ///< in any namespace
    List<Mount, TaggedNode<MountAtPoint>> const& mounts() const { return mounts_; }
    FileSystem& file_system() const { return inode_ ? inode_->file_system() : parent_->file_system(); }
    /// True for this dentry itself too.
    bool is_ancestor_of(Dentry const& other) const;

private:
    friend class DentryCache;
    friend class MountTree;
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
    List<Mount, TaggedNode<MountAtPoint>> mounts_; ///< that are on it, in whatever namespace
};

/// A place in the tree of mounts.
struct Path {
    Ref<Mount> mount;
    Ref<Dentry> dentry;
    Inode& inode() const { return dentry->inode(); }
    bool operator==(Path const& o) const { return mount == o.mount && dentry == o.dentry; }
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
    bool keep_expiry_marks = false; ///< umount(2) looks whether anybody came by, and is nobody itself
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
/// Replaces a place by the root of what is mounted there, as often as something is. The marks of MNT_EXPIRE stay.
void cross_mounts(Path& path);
/// Whether `place` is `top` or lies below it, across mounts.
bool is_below(Path const& place, Path const& top);
/// The absolute path as seen from `root`; "(unreachable)" prefix and " (deleted)" suffix as Linux's d_path.
std::string path_to_string(Path const& path, Path const& root);

} // namespace umbra::vfs
