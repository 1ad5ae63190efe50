// SPDX-License-Identifier: GPL-2.0-or-later
// Taking trees of mounts away, with what propagates of it (mount_namespaces(7), umount(2)).
#include <algorithm>

#include "core/vfs/mount-namespace.h"
#include "core/vfs/mount-tree.h"
#include "core/vfs/path.h"

namespace umbra::vfs {

namespace {

/// Where a mount lies on the whole of another.
bool covers(Mount const& mount)
{
    return mount.parent() && mount.mountpoint() == mount.parent()->root().get();
}

} // namespace

/// Which mounts elsewhere go with those that are marked: what is on the same place of the mounts that share it, unless
/// something else is mounted in it, or it is locked to a parent that stays. What merely lies on top of one that goes comes
/// to lie on its parent.
class PropagatedUnmounts {
public:
    /// `going` are marked; so are those that it returns.
    std::vector<Ref<Mount>> find(std::vector<Ref<Mount>> const& going)
    {
        for (auto const& mount : going)
            if (mount->parent()) add_places_like(*mount);
        for (size_t i = found_.size(); i-- > 0;)
            check(*found_[i]);
        while (!kept_parents_.empty()) {
            Mount* next = kept_parents_.back();
            kept_parents_.pop_back();
            check(*next);
        }
        std::erase_if(found_, [&](auto const& mount) { return !mount->going_; });
        return std::move(found_);
    }

private:
    void add_places_like(Mount const& mount)
    {
        for (Mount* receiver : receivers_of(*mount.parent())) {
            Mount* child = receiver->child_at(*mount.mountpoint());
            if (!child || child->going_) continue;
            child->going_ = true;
            found_.emplace_back(*child);
        }
    }
    void check(Mount& mount)
    {
        if (!mount.going_) return;
        bool stays = mount.locked_in_place && !(mount.parent() && mount.parent()->going_);
        for (Mount& child : mount.children())
            if (child.going_ ? covers_survivor(child) : !covers(child)) stays = true;
        if (!stays) return;
        mount.going_ = false;
        // Its parent can no longer go, and those locked to it stay with it.
        if (mount.parent()) kept_parents_.push_back(mount.parent());
        for (Mount& child : mount.children())
            if (child.locked_in_place) kept_parents_.push_back(&child);
    }
    /// A child that goes, but not on the whole of its parent, leaves there what lies on top of it.
    static bool covers_survivor(Mount& child) { return !covers(child) && !child.topmost().going_; }

    std::vector<Ref<Mount>> found_;
    std::vector<Mount*> kept_parents_;
};

/// What lies on top of a mount that goes, and stays itself, finds its place below.
void MountTree::lower_cover_of(Mount& going)
{
    Mount* cover = going.child_at(*going.root_);
    if (!cover || cover->going_ || !going.parent_) return;
    Mount* below = &going;
    while (below->going_ && covers(*below))
        below = below->parent_;
    Mount& parent = below->going_ ? *below->parent_ : *below;
    Ref<Dentry> const place = below->going_ ? Ref<Dentry>(below->mountpoint_) : below->root_;
    unlink(*cover);
    // The place is still taken by one that goes: it gives way at once.
    if (Mount* taken = parent.child_at(*place)) unlink(*taken);
    attach(*cover, parent, *place);
}

void MountTree::unmount(Mount& top, Unmounting how)
{
    auto tree = of(top);
    auto going = std::move(tree.mounts_);
    for (auto const& mount : going)
        mount->going_ = true;
    if (how == Unmounting::busy_checked || how == Unmounting::lazy) {
        for (auto& mount : PropagatedUnmounts().find(going))
            going.push_back(std::move(mount));
    }
    for (auto const& mount : going)
        lower_cover_of(*mount);
    for (auto const& mount : going) {
        if (!mount->namespace_) continue;
        mount->namespace_->mounts_.erase(mount->unique_id_);
        mount->namespace_->changed();
        mount->namespace_ = nullptr;
    }
    for (auto const& mount : going) {
        Mount* parent = mount->parent_;
        bool stays_connected = parent && parent->going_ && how != Unmounting::busy_checked
            && (how == Unmounting::connected || mount->locked_in_place);
        if (stays_connected)
            parent->kept_.push_back(mount);
        else
            unlink(*mount);
        mount->set_propagation(Propagation::private_);
    }
    for (auto const& mount : going)
        mount->going_ = false;
}

bool MountTree::is_busy(Mount& mount, u32 references)
{
    if (!mount.children_.is_empty() || mount.ref_count() > references) return true;
    if (!mount.parent_) return false;
    for (Mount* receiver : receivers_of(*mount.parent_)) {
        Mount* child = receiver->child_at(*mount.mountpoint_);
        if (!child || child == &mount) continue;
        // One in which something is mounted stays; that which only covers it does not count.
        bool has_others = false;
        for (Mount& below : child->children_)
            if (!covers(below)) has_others = true;
        if (!has_others && child->ref_count() > 1) return true;
    }
    return false;
}

void MountTree::detach_all_on(Dentry& place)
{
    while (Mount* mount = place.mounts_.front()) {
        Ref<Mount> keep(*mount);
        if (mount->namespace_) {
            unmount(*mount, Unmounting::connected);
            continue;
        }
        // One that stayed connected to a detached parent.
        std::erase_if(mount->parent_->kept_, [&](auto const& m) { return m == mount; });
        unlink(*mount);
    }
}

} // namespace umbra::vfs
