// SPDX-License-Identifier: GPL-2.0-or-later
// Trees of mounts: copying, putting at a place, taking away, each with what propagates of it to other places and
// namespaces (mount_namespaces(7), shared subtrees). Used by MountNamespace, which checks what a task may do.
#pragma once

#include <unordered_set>
#include <vector>

#include "core/base/error.h"
#include "core/vfs/mount.h"

namespace umbra::vfs {

/// How a copy of a mount stands to the original.
struct MountCopying {
    bool recursive = true; ///< with the mounts below it
    bool unbindable_too = false; ///< a namespace's copy has everything
    bool as_slave = false; ///< of the original where that is shared; else a peer of it
    bool make_shared = false; ///< with a group of its own unless it is in one
    bool namespace_files_too
        = false; ///< mounts of files that are mount namespaces: a namespace's copy has none
    std::vector<Mount*>* originals = nullptr; ///< receives what each mount is a copy of
};

/// A tree that no namespace has, or a view of one that some namespace has: parents before children, the top first.
class MountTree {
public:
    /// The mount and all below it.
    static MountTree of(Mount& top);
    /// A copy of what `from` shows below `root`. EINVAL: it is unbindable; EPERM: it would uncover a locked mount;
    /// ENOSPC.
    static Result<MountTree> copy(Mount& from, Dentry& root, MountCopying how);
    explicit MountTree(Ref<Mount> mount) { mounts_.push_back(std::move(mount)); }
    MountTree(MountTree&&) = default;
    MountTree& operator=(MountTree&&) = default;
    /// A copy that came into no namespace falls apart.
    ~MountTree();

    Mount& top() const { return *mounts_.front(); }
    std::vector<Ref<Mount>> const& mounts() const { return mounts_; }
    bool has_unbindable() const;
    /// Whether the file of a mount namespace is mounted in it that is not newer than the one of that number.
    bool holds_namespace_until(u64 number) const;
    /// For a less privileged namespace: what it is given it can neither uncover nor loosen.
    void lock() const;

    /// Puts the tree on a place of `parent`, beneath what is there, and copies wherever that place is shared to. The tree
    /// comes from nowhere, from an anonymous namespace or, moving, from another place of the same one. ENOSPC:
    /// fs.mount-max.
    Result<void> graft(Mount& parent, Dentry& place);
    /// Makes its mounts those of a namespace.
    void adopt(MountNamespace& space) const;

    enum class Unmounting : u8 {
        busy_checked, ///< umount(2): nobody uses it, everything comes apart
        lazy, ///< MNT_DETACH
        connected, ///< lazily, and the tree stays one for those who are in it
        alone, ///< lazily, without propagation: a namespace ends
    };
    static void unmount(Mount& top, Unmounting how);
    /// Somebody uses the mount, one it propagates to, or has mounted something on it. `references` are those that the
    /// caller knows of, the namespace's included.
    static bool is_busy(Mount& mount, u32 references);
    /// Unmounts whatever is on a dentry whose name is gone, in every namespace.
    static void detach_all_on(Dentry& place);

    // Places, without propagation.
    static void attach(Mount& mount, Mount& parent, Dentry& place);
    static void unlink(Mount& mount);

private:
    friend class Mount;
    MountTree() = default;
    static Ref<Mount> copy_one(Mount& from, Ref<Dentry> root, MountCopying how);
    static void lower_cover_of(Mount& going);
    /// A copy that is to go on the same place of another mount.
    struct Copy;
    using Copies = std::vector<Copy>;
    using Groups = std::unordered_set<PeerGroup*>;
    Result<Copies> propagate(Mount& parent, Dentry& place, Groups const& fresh) const;
    Result<MountTree> copy_for(Mount& receiver, MountCopying how) const;
    void commit(Mount& parent, Dentry& place) const;

    std::vector<Ref<Mount>> mounts_;
};

/// Every mount that learns of what happens at a place of `mount`, which is none of them.
std::vector<Mount*> receivers_of(Mount const& mount);

} // namespace umbra::vfs
