// SPDX-License-Identifier: GPL-2.0-or-later
// Copying trees of mounts and putting them at a place and all places that share it. The rules are those of
// mount_namespaces(7): a copy for a peer joins the group of what it is a copy of; a copy for a slave becomes the slave of
// it, and if the slave is shared itself, the first of a new group for all of its peers.
#include "core/vfs/mount-tree.h"

#include <algorithm>

#include "core/kernel.h"
#include "core/vfs/mount-namespace.h"
#include "core/vfs/mount-table.h"
#include "core/vfs/path.h"

namespace umbra::vfs {

struct MountTree::Copy {
    MountTree tree;
    Ref<Mount> parent;
};

MountTree::~MountTree()
{
    for (size_t i = mounts_.size(); i-- > 0;) {
        Mount& mount = *mounts_[i];
        if (!mount.namespace_ && mount.parent_) unlink(mount);
    }
}

void MountTree::attach(Mount& mount, Mount& parent, Dentry& place)
{
    UMBRA_ASSERT(!mount.parent_);
    mount.parent_ = &parent;
    mount.mountpoint_ = RefPtr<Dentry>(&place);
    place.mounts_.push_back(mount);
    parent.children_.push_back(mount);
    mount.fs_->kernel().mount_table().insert(parent, place, mount);
}

void MountTree::unlink(Mount& mount)
{
    if (!mount.parent_) return;
    mount.fs_->kernel().mount_table().erase(*mount.parent_, *mount.mountpoint_);
    static_cast<TaggedNode<MountAtPoint>&>(mount).unlink();
    static_cast<TaggedNode<MountSibling>&>(mount).unlink();
    mount.parent_ = nullptr;
    mount.mountpoint_ = nullptr;
}

MountTree MountTree::of(Mount& top)
{
    MountTree tree;
    std::vector<Mount*> waiting { &top };
    while (!waiting.empty()) {
        Mount* next = waiting.back();
        waiting.pop_back();
        tree.mounts_.emplace_back(*next);
        size_t const from = waiting.size();
        for (Mount& child : next->children_)
            waiting.push_back(&child);
        // The first child is to come first.
        std::reverse(waiting.begin() + i64(from), waiting.end());
    }
    return tree;
}

bool MountTree::has_unbindable() const
{
    return std::any_of(mounts_.begin(), mounts_.end(), [](auto const& m) { return m->is_unbindable(); });
}

void MountTree::lock() const
{
    constexpr u32 restrictions = kMountReadOnly | kMountNoSuid | kMountNoDev | kMountNoExec;
    for (auto const& mount : mounts_) {
        mount->locked_flags |= kMountAtimeFlags | (mount->flags_ & restrictions);
        if (!(mount == mounts_.front())) mount->locked_in_place = true;
    }
}

Ref<Mount> MountTree::copy_one(Mount& from, Ref<Dentry> root, MountCopying how)
{
    auto copy = make_ref<Mount>(from.fs_, std::move(root), from.flags_, from.source_);
    copy->locked_flags = from.locked_flags;
    copy->locked_in_place = from.locked_in_place;
    copy->unbindable_ = from.unbindable_;
    if (how.as_slave && from.peers_) {
        copy->set_master(from.peers_.get());
    } else {
        if (from.peers_) copy->join(*from.peers_);
        if (from.master_) copy->set_master(from.master_.get());
    }
    if (how.make_shared) copy->set_propagation(Propagation::shared);
    return copy;
}

namespace {

bool is_mount_namespace_file(Mount const& mount)
{
    auto space = namespace_of_inode(mount.root()->inode());
    return space && space->kind() == NamespaceKind::mount;
}

} // namespace

bool MountTree::holds_namespace_until(u64 number) const
{
    return std::any_of(mounts_.begin(), mounts_.end(), [&](auto const& m) {
        return is_mount_namespace_file(*m) && namespace_of_inode(m->root()->inode())->number() <= number;
    });
}

Result<MountTree> MountTree::copy(Mount& from, Dentry& root, MountCopying how)
{
    auto& table = from.fs_->kernel().mount_table();
    if (from.is_unbindable() && !how.unbindable_too) return err::inval;
    if (!how.namespace_files_too && is_mount_namespace_file(from)) return err::inval;
    TRY(table.check_room(1));
    MountTree copies;
    struct Step {
        Mount* original;
        Mount* parent; ///< the copy to attach to; null for the top
    };
    std::vector<Step> waiting { { &from, nullptr } };
    while (!waiting.empty()) {
        auto [original, parent] = waiting.back();
        waiting.pop_back();
        TRY(table.check_room(1));
        auto copy = copy_one(*original, parent ? original->root_ : Ref<Dentry>(root), how);
        if (parent) attach(*copy, *parent, *original->mountpoint_);
        copies.mounts_.push_back(copy);
        if (how.originals) how.originals->push_back(original);
        if (!how.recursive) break;
        size_t const first = waiting.size();
        for (Mount& child : original->children_) {
            // A mount beside the copied directory is not part of the copy.
            if (!parent && !root.is_ancestor_of(*child.mountpoint_)) continue;
            if (child.is_unbindable() && !how.unbindable_too) {
                if (child.locked_in_place) return err::perm;
                continue;
            }
            if (!how.namespace_files_too && is_mount_namespace_file(child)) continue;
            waiting.push_back({ &child, copy.get() });
        }
        std::reverse(waiting.begin() + i64(first), waiting.end());
    }
    return copies;
}

Result<MountTree> MountTree::copy_for(Mount& receiver, MountCopying how) const
{
    // A namespace's file might come to lie within that namespace, which would then hold itself.
    how.namespace_files_too = false;
    auto tree = TRY(copy(top(), *top().root(), how));
    auto& space = *receiver.namespace_;
    TRY(space.check_room(space.pending_ + tree.mounts_.size()));
    space.pending_ += tree.mounts_.size();
    return tree;
}

Result<MountTree::Copies> MountTree::propagate(Mount& parent, Dentry& place, Groups const& fresh) const
{
    constexpr size_t kThis = ~size_t { 0 }; // the tree itself, among the copies
    struct Step {
        PeerGroup* group;
        size_t model; ///< what its copies are copies of
    };
    Copies copies;
    std::vector<Step> steps { { parent.peers(), kThis } };
    std::unordered_set<PeerGroup*> seen { parent.peers() };
    // Not those that are being made, nor those that nobody has mounted yet.
    auto receives = [&](Mount& m) {
        return &m != &parent && m.namespace_ && !m.namespace_->is_anonymous()
            && m.root_->is_ancestor_of(place);
    };
    auto add = [&](Mount& m, size_t model, MountCopying how) -> Result<void> {
        auto tree = TRY((model == kThis ? *this : copies[model].tree).copy_for(m, how));
        copies.push_back({ std::move(tree), Ref<Mount>(m) });
        return {};
    };
    for (size_t i = 0; i < steps.size(); ++i) {
        auto [group, model] = steps[i];
        bool has_own = i == 0;
        for (Mount& m : group->members) {
            if (!receives(m)) continue;
            TRY(add(m, model, { .as_slave = !has_own, .make_shared = true }));
            if (!has_own) model = copies.size() - 1;
            has_own = true;
        }
        for (Mount& m : group->slaves) {
            // A mount of this very tree may be among the slaves: it is not shared yet.
            PeerGroup* peers = m.peers();
            if (peers && !fresh.count(peers)) {
                if (seen.insert(peers).second) steps.push_back({ peers, model });
            } else if (receives(m)) {
                TRY(add(m, model, { .as_slave = true }));
            }
        }
    }
    return copies;
}

Result<void> MountTree::graft(Mount& parent, Dentry& place)
{
    auto& space = *parent.namespace_;
    if (top().namespace_ != &space) TRY(space.check_room(mounts_.size()));
    std::vector<Mount*> made_shared;
    Copies copies;
    if (parent.is_shared()) {
        if (top().namespace_ != &space) space.pending_ += mounts_.size();
        Groups fresh;
        for (auto const& mount : mounts_) {
            if (mount->is_shared()) continue;
            mount->join(*make_ref<PeerGroup>(mount->fs_->kernel()));
            made_shared.push_back(mount.get());
            fresh.insert(mount->peers());
        }
        auto propagated = propagate(parent, place, fresh);
        space.pending_ = 0;
        for (Mount* receiver : receivers_of(parent))
            if (receiver->namespace_) receiver->namespace_->pending_ = 0;
        if (propagated.is_error()) {
            for (Mount* mount : made_shared)
                mount->leave_peers();
            return propagated.error();
        }
        copies = propagated.release_value();
    }
    for (Mount* mount : made_shared)
        mount->unbindable_ = false;
    unlink(top());
    commit(parent, place);
    for (auto const& copy : copies) {
        if (copy.parent->namespace_->owner() != space.owner()) copy.tree.lock();
        copy.tree.commit(*copy.parent, place);
    }
    return {};
}

void MountTree::commit(Mount& parent, Dentry& place) const
{
    // What was there comes to lie on top: propagation must not hide it, nor move_mount(2) beneath it.
    Mount* covered = parent.child_at(place);
    if (covered) unlink(*covered);
    attach(top(), parent, place);
    adopt(*parent.namespace_);
    if (!covered) return;
    Mount& highest = top().topmost();
    attach(*covered, highest, *highest.root_);
}

void MountTree::adopt(MountNamespace& space) const
{
    for (auto const& mount : mounts_) {
        if (mount->namespace_ == &space) continue;
        if (mount->namespace_) mount->namespace_->mounts_.erase(mount->unique_id_);
        mount->namespace_ = &space;
        space.mounts_.emplace(mount->unique_id_, mount);
    }
    space.changed();
}

std::vector<Mount*> receivers_of(Mount const& mount)
{
    std::vector<Mount*> receivers;
    if (!mount.peers()) return receivers;
    std::vector<PeerGroup*> groups { mount.peers() };
    std::unordered_set<PeerGroup*> seen { mount.peers() };
    for (size_t i = 0; i < groups.size(); ++i) {
        for (Mount& member : groups[i]->members)
            if (&member != &mount) receivers.push_back(&member);
        for (Mount& slave : groups[i]->slaves) {
            if (!slave.peers())
                receivers.push_back(&slave);
            else if (seen.insert(slave.peers()).second)
                groups.push_back(slave.peers());
        }
    }
    return receivers;
}

} // namespace umbra::vfs
