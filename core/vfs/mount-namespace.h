// SPDX-License-Identifier: GPL-2.0-or-later
// The mounts that a group of tasks sees, and what a task may do to them: mount(2), umount(2), pivot_root(2),
// move_mount(2). Each call gives Linux's errno in Linux's order; what propagates is MountTree's.
#pragma once

#include <map>
#include <vector>

#include "core/base/error.h"
#include "core/sync/wait-queue.h"
#include "core/vfs/mount-tree.h"
#include "core/vfs/namespace.h"

namespace umbra::vfs {

class MountNamespace final : public Namespace {
public:
    enum class Kind : u8 {
        named,
        anonymous, ///< of a tree that open_tree(2) or fsmount(2) gave, until somebody mounts it
    };
    /// The first one, whose owner is the first user namespace.
    explicit MountNamespace(Ref<Mount> root);
    MountNamespace(MountTree tree, Kind kind, NamespaceOrigin origin);
    ~MountNamespace() override;

    Ref<Mount> const& root() const { return root_; }
    bool is_anonymous() const { return anonymous_; }
    bool contains(Mount const& mount) const { return mount.mount_namespace() == this; }
    std::vector<Ref<Mount>> mounts() const; ///< in the order of their making
    /// By unique number.
    std::map<u64, Ref<Mount>> const& by_id() const { return mounts_; }
    /// Whether one of its mounts is on the dentry.
    bool has_mount_on(Dentry const& place) const;

    /// A new mount on what is topmost at `place`. EINVAL, ENOENT, ENOTDIR; EBUSY: the same file system is there; ENOSPC.
    Result<void> attach(Ref<Mount> mount, Path const& place);
    /// MS_BIND: what `from` shows, with the mounts below it if `recursive`. EINVAL, ENOENT, ENOTDIR, ENOSPC.
    Result<void> bind(Path const& from, Path const& to, bool recursive);
    /// A copy for open_tree(2), in no namespace yet. EINVAL.
    Result<MountTree> clone_tree(Path const& from, bool recursive);
    /// MS_MOVE and move_mount(2): the mount whose root is `from`, ours or an anonymous one, and all below it. EINVAL, ENOENT, ELOOP, ENOSPC.
    enum class Placing : u8 { on_top, beneath };
    Result<void> move(Path const& from, Path const& to, Placing placing = Placing::on_top);
    /// MOVE_MOUNT_SET_GROUP: `to` becomes what `from` is. EINVAL.
    Result<void> set_group(Path const& from, Path const& to);
    /// The mount at `place` and with `recursive` all below become private, shared and so on. EINVAL.
    Result<void> change_propagation(Path const& place, Propagation kind, bool recursive);
    /// umount(2): EINVAL: not here, or locked; EBUSY while in use or something is mounted below, unless `lazy`.
    /// `references`: those of the caller on the mount.
    Result<void> detach(Mount& mount, bool lazy, u32 references = 1);
    /// pivot_root(2): `new_root` takes the place of the caller's `root`, which appears at `put_old`. EINVAL, ENOENT, EBUSY.
    Result<void> pivot(Path const& new_root, Path const& put_old, Path const& root);
    /// A copy of the whole namespace (CLONE_NEWNS). `paths` are changed to the same places in the copy. ENOSPC.
    Result<Ref<MountNamespace>> clone(std::vector<Path*> const& paths, NamespaceOrigin origin) const;
    /// For a tree that nobody mounts yet.
    Ref<MountNamespace> make_anonymous(MountTree tree) const;

    /// Room for so many more: ENOSPC.
    Result<void> check_room(u64 count) const;
    /// Grows with every change; poll(2) of /proc/PID/mounts tells of it.
    u64 event() const { return event_; }
    WaitQueue& changes() { return changes_; }
    void changed();

private:
    friend class MountTree;
    Result<void> check_move(Path const& from, Path const& to) const;

    Ref<Mount> root_;
    bool anonymous_;
    std::map<u64, Ref<Mount>> mounts_;
    u64 pending_ = 0; ///< mounts that a graft in progress will add
    u64 event_ = 0;
    WaitQueue changes_;
};

/// The namespace at start: an empty "rootfs", on which the real root is mounted, as on Linux: so the root has a parent,
/// and pivot_root(2) may change it.
Ref<MountNamespace> make_first_mount_namespace(Kernel& kernel);

} // namespace umbra::vfs
