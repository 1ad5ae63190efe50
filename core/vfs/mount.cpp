// SPDX-License-Identifier: GPL-2.0-or-later
// Mounts by themselves and in peer groups, and paths across them.
#include "core/vfs/mount.h"

#include "core/kernel.h"
#include "core/vfs/dentry-cache.h"
#include "core/vfs/marks.h"
#include "core/vfs/mount-table.h"
#include "core/vfs/notify.h"
#include "core/vfs/path.h"

namespace umbra::vfs {

PeerGroup::PeerGroup(Kernel& kernel)
    : kernel_(kernel)
    , id_(kernel.mount_table().group_ids.take())
{
}

PeerGroup::~PeerGroup() { kernel_.mount_table().group_ids.give_back(id_); }

PeerGroup* PeerGroup::master() const
{
    Mount* any = members.front();
    return any ? any->master() : nullptr;
}

Mount::Mount(Ref<FileSystem> fs, Ref<Dentry> root, u32 flags, std::string source)
    : fs_(std::move(fs))
    , root_(std::move(root))
    , flags_(flags)
    , source_(std::move(source))
    , id_(fs_->kernel().mount_table().mount_ids.take())
    , unique_id_(fs_->kernel().mount_table().next_unique_id())
{
    ++fs_->mount_count;
    ++fs_->kernel().mount_table().count_;
}

Mount::Mount(Ref<FileSystem> fs, u32 flags, std::string source)
    : Mount(fs, fs->root_dentry(), flags, std::move(source))
{
}

Mount::~Mount()
{
    // One after the other: a tree may be deeper than a kernel stack can recurse.
    for (auto doomed = std::move(kept_); !doomed.empty();) {
        Ref<Mount> child = std::move(doomed.back());
        doomed.pop_back();
        MountTree::unlink(*child);
        if (child->ref_count() > 1) continue;
        for (auto& below : child->kept_)
            doomed.push_back(std::move(below));
        child->kept_.clear();
    }
    if (parent_) MountTree::unlink(*this);
    leave_peers();
    set_master(nullptr);
    auto& table = fs_->kernel().mount_table();
    table.mount_ids.give_back(id_);
    --table.count_;
    drop_marks(marks);
    if (--fs_->mount_count > 0) return;
    // The last mount: inotify's watches end, each with an event of its own.
    while (InodeWatch* watch = fs_->watches.pop_front())
        watch->happened({ .mask = abi::in_unmount });
    drop_all_marks(*fs_);
    fs_->kernel().dentries().prune(*fs_);
}

Mount* Mount::child_at(Dentry const& place) const
{
    return place.is_mountpoint() ? fs_->kernel().mount_table().find(*this, place) : nullptr;
}

Mount& Mount::topmost()
{
    Mount* top = this;
    while (Mount* above = top->child_at(*top->root_))
        top = above;
    return *top;
}

void Mount::join(PeerGroup& group)
{
    UMBRA_ASSERT(!peers_);
    peers_ = RefPtr<PeerGroup>(&group);
    group.members.push_back(*this);
}

void Mount::set_master(PeerGroup* group)
{
    static_cast<TaggedNode<MountSlave>*>(this)->unlink();
    master_ = RefPtr<PeerGroup>(group);
    if (group) group->slaves.push_back(*this);
}

void Mount::leave_peers()
{
    if (!peers_) return;
    auto group = std::move(peers_);
    peers_ = nullptr;
    static_cast<TaggedNode<MountPeer>*>(this)->unlink();
    if (!group->members.is_empty()) return;
    while (Mount* slave = group->slaves.front())
        slave->set_master(master_.get());
}

void Mount::set_propagation(Propagation kind)
{
    if (kind == Propagation::shared) {
        unbindable_ = false;
        if (!peers_) join(*make_ref<PeerGroup>(fs_->kernel()));
        return;
    }
    if (auto group = peers_) {
        leave_peers();
        // The last of its group stays the slave of its master, if it has one.
        if (!group->members.is_empty()) set_master(group.get());
    }
    if (kind == Propagation::slave) return;
    set_master(nullptr);
    unbindable_ = kind == Propagation::unbindable;
}

void cross_mounts(Path& path)
{
    while (Mount* top = path.mount->child_at(*path.dentry))
        path = Path { Ref<Mount>(*top), top->root() };
}

bool is_below(Path const& place, Path const& top)
{
    Mount* mount = place.mount.get();
    Dentry const* dentry = place.dentry.get();
    for (; mount != top.mount.get(); mount = mount->parent()) {
        if (!mount->parent()) return false;
        dentry = mount->mountpoint().get();
    }
    return top.dentry->is_ancestor_of(*dentry);
}

std::string path_to_string(Path const& path, Path const& root)
{
    // A pipe's end or the like has a name of its own, unless it is mounted somewhere.
    bool is_anonymous = !path.dentry->parent() && !path.dentry->name().empty();
    if (is_anonymous && !(path.dentry == path.mount->root())) return path.dentry->name();
    Mount* mount = path.mount.get();
    Dentry* dentry = path.dentry.get();
    bool deleted = dentry->is_unlinked();
    std::string text;
    bool reached = true;
    while (!(mount == root.mount.get() && dentry == root.dentry.get())) {
        if (dentry == mount->root().get()) {
            if (!mount->parent()) {
                reached = false;
                break;
            }
            dentry = mount->mountpoint().get();
            mount = mount->parent();
            continue;
        }
        if (!dentry->parent()) break;
        text.insert(0, dentry->name());
        text.insert(0, 1, '/');
        dentry = dentry->parent().get();
    }
    if (text.empty()) text = "/";
    if (!reached) text.insert(0, "(unreachable)");
    if (deleted) text += " (deleted)";
    return text;
}

} // namespace umbra::vfs
