// SPDX-License-Identifier: GPL-2.0-or-later
// A mount: a file system, or a part of it, at a place of another mount (mount_namespaces(7)). Mounts form trees, and
// beside that peer groups, within which what is mounted at one place appears at all.
// References: a namespace holds its mounts; a mount holds its root and its mount point but not its parent. A mount that
// left its namespace together with its parent is held by that parent.
#pragma once

#include <string>
#include <vector>

#include "core/base/list.h"
#include "core/vfs/file-system.h"

namespace umbra::vfs {

class Dentry;
class Mount;
class MountNamespace;

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
constexpr u32 kMountAtimeFlags = kMountNoAtime | kMountNoDirAtime | kMountRelAtime | kMountStrictAtime;
constexpr u32 kMountFlags
    = kMountReadOnly | kMountNoSuid | kMountNoDev | kMountNoExec | kMountNoSymFollow | kMountAtimeFlags;

/// What becomes of a mount's own mounts elsewhere, with the bits of mount(2).
enum class Propagation : u32 { unbindable = 1 << 17, private_ = 1 << 18, slave = 1 << 19, shared = 1 << 20 };

// Which of a mount's places in lists a node is.
struct MountSibling;
struct MountAtPoint;
struct MountPeer;
struct MountSlave;

/// Mounts that share (Linux: a peer group). It ends with its last member; its slaves then have its members' master.
class PeerGroup final : public RefCounted {
public:
    explicit PeerGroup(Kernel& kernel);
    ~PeerGroup() override;
    u32 id() const { return id_; } ///< as mountinfo shows it: the smallest that was free
    /// The group whose slaves the members are; null if none.
    PeerGroup* master() const;

    List<Mount, TaggedNode<MountPeer>> members;
    List<Mount, TaggedNode<MountSlave>> slaves; ///< shared ones too

private:
    Kernel& kernel_;
    u32 id_;
};

class Mount : public RefCounted,
              public TaggedNode<MountSibling>,
              public TaggedNode<MountAtPoint>,
              public TaggedNode<MountPeer>,
              public TaggedNode<MountSlave> {
public:
    Mount(Ref<FileSystem> fs, Ref<Dentry> root, u32 flags, std::string source);
    /// Of the whole file system.
    Mount(Ref<FileSystem> fs, u32 flags, std::string source);
    ~Mount() override;

    FileSystem& file_system() const { return *fs_; }
    Ref<Dentry> const& root() const { return root_; }
    Mount* parent() const { return parent_; }
    RefPtr<Dentry> const& mountpoint() const { return mountpoint_; }
    /// Where it is mounted now; null once it is detached.
    MountNamespace* mount_namespace() const { return namespace_; }
    List<Mount, TaggedNode<MountSibling>> const& children() const
    {
        return children_;
    } ///< in the order of mounting
    /// What is mounted on a place of this mount, or null.
    Mount* child_at(Dentry const& place) const;
    /// The mount that hides this one: the topmost of those on its root, itself if there is none.
    Mount& topmost();

    u32 flags() const { return flags_; }
    void set_flags(u32 flags) { flags_ = flags; }
    bool is_read_only() const { return (flags_ & kMountReadOnly) || fs_->is_read_only(); }
    std::string const& source() const { return source_; }
    u32 id() const { return id_; }
    u64 unique_id() const { return unique_id_; } ///< never given again (statmount(2))

    PeerGroup* peers() const { return peers_.get(); } ///< null unless shared
    PeerGroup* master() const { return master_.get(); } ///< null unless a slave
    bool is_shared() const { return bool(peers_); }
    bool is_unbindable() const { return unbindable_; }
    void join(PeerGroup& group);
    void set_master(PeerGroup* group);
    /// Leaves the peers to themselves; the last one hands its slaves on to its own master.
    void leave_peers();
    void set_propagation(Propagation kind);

    /// Whether the flags may become these: EPERM for what is locked.
    Result<void> check_change(u32 flags) const
    {
        u32 const changed = flags ^ flags_;
        // Locked ones may be added to, but not taken away; access times may not change at all.
        bool const allowed = !(changed & locked_flags & (kMountAtimeFlags | flags_));
        return allowed ? Result<void>() : err::perm;
    }
    /// EBUSY: it would become read-only while files are open for writing.
    Result<void> check_writers(u32 flags) const
    {
        return (flags & kMountReadOnly) && !(flags_ & kMountReadOnly) && writers ? Result<void>(err::busy)
                                                                                 : Result<void>();
    }

    u32 writers = 0; ///< files open for writing: EBUSY where it would become read-only
    ObjectMarks marks;
    bool expiry_mark = false; ///< MNT_EXPIRE found it unused; whoever walks through it takes the mark away
    /// Shows or hides what somebody with more rights arranged: it cannot be moved or unmounted by itself.
    bool locked_in_place = false;
    u32 locked_flags = 0; ///< MountFlags that a less privileged namespace must leave as they are

private:
    friend class MountNamespace;
    friend class MountTree;
    friend class PropagatedUnmounts;
    Ref<FileSystem> fs_;
    Ref<Dentry> root_;
    Mount* parent_ = nullptr;
    RefPtr<Dentry> mountpoint_;
    MountNamespace* namespace_ = nullptr;
    List<Mount, TaggedNode<MountSibling>> children_;
    u32 flags_;
    std::string source_;
    u32 id_;
    u64 unique_id_;
    RefPtr<PeerGroup> peers_, master_;
    bool unbindable_ = false;
    bool going_ = false; ///< during an unmount: one of those that go
    std::vector<Ref<Mount>> kept_; ///< detached mounts that stay connected below this detached one
};

} // namespace umbra::vfs
