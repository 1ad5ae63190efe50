// SPDX-License-Identifier: GPL-2.0-or-later
// What a task may do to the mounts it sees. The order of the checks is that of Linux's fs/namespace.c.
#include "core/vfs/mount-namespace.h"

#include <algorithm>

#include "core/abi/poll.h"
#include "core/fs/tmpfs/tmpfs.h"
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/vfs/mount-table.h"
#include "core/vfs/path.h"

namespace umbra::vfs {

namespace {

/// What is topmost at a place where something is to be mounted. ENOENT: its name is gone, or will be before long.
Result<Path> topmost_at(Path place)
{
    cross_mounts(place);
    if (place.dentry->is_unlinked() || !place.inode().may_be_covered()) return err::noent;
    return place;
}

bool is_root(Path const& path) { return path.dentry == path.mount->root(); }
bool is_directory(Path const& path) { return path.inode().is_directory(); }

} // namespace

MountNamespace::MountNamespace(MountTree tree, Kind kind, NamespaceOrigin origin)
    : Namespace(NamespaceKind::mount, std::move(origin))
    , root_(tree.top())
    , anonymous_(kind == Kind::anonymous)
{
    tree.adopt(*this);
}

MountNamespace::MountNamespace(Ref<Mount> root)
    : MountNamespace(MountTree(root), Kind::named,
        first_namespace_origin(NamespaceKind::mount, *root->file_system().kernel().first_user_namespace))
{
}

MountNamespace::~MountNamespace()
{
    if (contains(*root_))
        MountTree::unmount(
            *root_, anonymous_ ? MountTree::Unmounting::connected : MountTree::Unmounting::alone);
}

std::vector<Ref<Mount>> MountNamespace::mounts() const
{
    std::vector<Ref<Mount>> all;
    all.reserve(mounts_.size());
    for (auto const& [id, mount] : mounts_)
        all.push_back(mount);
    return all;
}

bool MountNamespace::has_mount_on(Dentry const& place) const
{
    for (Mount const& mount : place.mounts())
        if (contains(mount)) return true;
    return false;
}

Result<void> MountNamespace::check_room(u64 count) const
{
    auto const& table = root_->file_system().kernel().mount_table();
    if (mounts_.size() + count > table.namespace_limit) return err::nospc;
    return {};
}

void MountNamespace::changed()
{
    ++event_;
    changes_.wake_all(abi::pollerr | abi::pollpri);
}

Result<void> MountNamespace::attach(Ref<Mount> mount, Path const& place)
{
    auto at = TRY(topmost_at(place));
    if (!contains(*at.mount)) return err::inval;
    if (is_root(at) && &at.mount->file_system() == &mount->file_system()) return err::busy;
    if (mount->root()->inode().is_symlink()) return err::inval;
    if (is_directory(at) != mount->root()->inode().is_directory()) return err::notdir;
    return MountTree(std::move(mount)).graft(*at.mount, *at.dentry);
}

Result<MountTree> MountNamespace::clone_tree(Path const& from, bool recursive)
{
    if (from.mount->is_unbindable()) return err::inval;
    if (!contains(*from.mount) && !namespace_of_inode(from.inode())) return err::inval;
    for (Mount& child : from.mount->children())
        if (!recursive && child.locked_in_place && from.dentry->is_ancestor_of(*child.mountpoint()))
            return err::inval;
    auto tree = TRY(
        MountTree::copy(*from.mount, *from.dentry, { .recursive = recursive, .namespace_files_too = true }));
    tree.top().locked_in_place = false;
    return tree;
}

Result<void> MountNamespace::bind(Path const& from, Path const& to, bool recursive)
{
    // A namespace within itself would never end: only newer ones may be mounted.
    auto space = namespace_of_inode(from.inode());
    if (space && space->kind() == NamespaceKind::mount && space->number() <= number()) return err::inval;
    auto at = TRY(topmost_at(to));
    if (!contains(*at.mount)) return err::inval;
    auto tree = TRY(clone_tree(from, recursive));
    if (is_directory(at) != is_directory(from)) return err::notdir;
    return tree.graft(*at.mount, *at.dentry);
}

Result<void> MountNamespace::check_move(Path const& from, Path const& to) const
{
    Mount const& mount = *from.mount;
    if (!contains(*to.mount)) return err::inval;
    auto* home = mount.mount_namespace();
    if (!home) return err::inval;
    bool const attached = mount.parent();
    if (attached ? home != this : !home->is_anonymous()) return err::inval;
    if (mount.locked_in_place || !is_root(from)) return err::inval;
    if (is_directory(to) != is_directory(from)) return err::inval;
    if (attached && mount.parent()->is_shared()) return err::inval;
    return {};
}

namespace {

bool is_above(Mount const& mount, Mount const* below)
{
    for (; below; below = below->parent())
        if (below == &mount) return true;
    return false;
}

/// What is mounted on `place` of `from` comes to lie on the whole of `to` as well.
bool propagates_onto(Mount const& from, Mount const& to, Dentry const& place)
{
    if (!from.is_shared() || !(to.root() == &place)) return false;
    auto const receivers = receivers_of(from);
    return &from == &to || std::find(receivers.begin(), receivers.end(), &to) != receivers.end();
}

/// MOVE_MOUNT_BENEATH: `to` is the mount that stays on top.
Result<void> check_beneath(MountNamespace const& ours, Path const& from, Path const& to)
{
    Mount const &top = *to.mount, &mount = *from.mount;
    if (!top.parent() || !is_root(to) || top.locked_in_place) return err::inval;
    // Something on top of `from` would hide what it is to be hidden by.
    if (mount.child_at(*mount.root())) return err::inval;
    if (current().fs().root.mount == to.mount || ours.root() == top.parent()) return err::inval;
    if (is_above(top, &mount)) return err::inval;
    // The copy would come to lie on one of them, and not beneath.
    Dentry const& place = *top.mountpoint();
    if (propagates_onto(*top.parent(), top, place)) return err::inval;
    if (ours.contains(mount) && propagates_onto(*top.parent(), mount, place)) return err::inval;
    return {};
}

} // namespace

Result<void> MountNamespace::move(Path const& from, Path const& to, Placing placing)
{
    auto at = TRY(topmost_at(to));
    TRY(check_move(from, at));
    Ref<Mount> parent = at.mount;
    Ref<Dentry> place = at.dentry;
    if (placing == Placing::beneath) {
        TRY(check_beneath(*this, from, at));
        place = Ref<Dentry>(at.mount->mountpoint());
        parent = Ref<Mount>(*at.mount->parent());
    }
    auto tree = MountTree::of(*from.mount);
    if (tree.holds_namespace_until(number())) return err::loop;
    if (parent->is_shared() && tree.has_unbindable()) return err::inval;
    if (is_above(*from.mount, parent.get())) return err::loop;
    return tree.graft(*parent, *place);
}

Result<void> MountNamespace::set_group(Path const& from, Path const& to)
{
    Mount &source = *from.mount, &target = *to.mount;
    if (!is_root(from) || !is_root(to)) return err::inval;
    if (!contains(source) || !contains(target)) return err::inval;
    if (target.is_shared() || target.master()) return err::inval;
    if (!source.is_shared() && !source.master()) return err::inval;
    if (&source.file_system() != &target.file_system()) return err::inval;
    // What the target shows must be part of what the source shows, and nothing locked may come into sight.
    if (!source.root()->is_ancestor_of(*target.root())) return err::inval;
    for (Mount& child : source.children())
        if (child.locked_in_place && target.root()->is_ancestor_of(*child.mountpoint())) return err::inval;
    if (source.master()) target.set_master(source.master());
    if (source.peers()) target.join(*source.peers());
    changed();
    return {};
}

Result<void> MountNamespace::change_propagation(Path const& place, Propagation kind, bool recursive)
{
    if (!is_root(place) || !contains(*place.mount)) return err::inval;
    auto tree = MountTree::of(*place.mount);
    for (auto const& mount : tree.mounts()) {
        mount->set_propagation(kind);
        if (!recursive) break;
    }
    changed();
    return {};
}

Result<void> MountNamespace::detach(Mount& mount, bool lazy, u32 references)
{
    if (!contains(mount) || mount.locked_in_place) return err::inval;
    // One reference is the namespace's. The root of a namespace has one more.
    u32 const known = references + 1 + (root_ == &mount ? 1 : 0);
    if (!lazy && MountTree::is_busy(mount, known)) return err::busy;
    MountTree::unmount(mount, lazy ? MountTree::Unmounting::lazy : MountTree::Unmounting::busy_checked);
    return {};
}

Result<void> MountNamespace::pivot(Path const& new_root, Path const& put_old, Path const& root)
{
    auto at = TRY(topmost_at(put_old));
    Mount &top = *new_root.mount, &old = *root.mount;
    auto is_shared = [](Mount const* mount) { return mount && mount->is_shared(); };
    if (at.mount->is_shared() || is_shared(top.parent()) || is_shared(old.parent())) return err::inval;
    if (!contains(old) || !contains(top) || top.locked_in_place) return err::inval;
    if (new_root.dentry->is_unlinked()) return err::noent;
    if (&top == &old || at.mount == root.mount) return err::busy;
    if (!is_root(root) || !old.parent() || !is_root(new_root) || !top.parent()) return err::inval;
    if (!is_below(at, new_root) || !is_below(new_root, root)) return err::inval;
    Ref<Mount> parent(*old.parent());
    Ref<Dentry> place(old.mountpoint());
    MountTree::unlink(top);
    MountTree::unlink(old);
    std::swap(top.locked_in_place, old.locked_in_place);
    MountTree::attach(top, *parent, *place);
    MountTree::attach(old, *at.mount, *at.dentry);
    changed();
    return {};
}

Ref<MountNamespace> MountNamespace::make_anonymous(MountTree tree) const
{
    return make_ref<MountNamespace>(std::move(tree), Kind::anonymous, NamespaceOrigin(0, owner()));
}

Result<Ref<MountNamespace>> MountNamespace::clone(
    std::vector<Path*> const& paths, NamespaceOrigin origin) const
{
    std::vector<Mount*> originals;
    // What others arranged is shown to who has rights of his own, and told of, but not the other way round.
    bool const is_less_privileged = origin.owner.get() != owner();
    auto tree = TRY(MountTree::copy(*root_, *root_->root(),
        { .unbindable_too = true, .as_slave = is_less_privileged, .originals = &originals }));
    for (Path* path : paths) {
        for (size_t i = 0; i < originals.size(); ++i) {
            if (!(path->mount == originals[i])) continue;
            path->mount = tree.mounts()[i];
            break;
        }
    }
    if (is_less_privileged) tree.lock();
    return make_ref<MountNamespace>(std::move(tree), Kind::named, std::move(origin));
}

Ref<MountNamespace> make_first_mount_namespace(Kernel& kernel)
{
    auto fs = fs::make_tmpfs(kernel, { .mode = 0755, .type = "rootfs" });
    return make_ref<MountNamespace>(make_ref<Mount>(fs, 0, "rootfs"));
}

} // namespace umbra::vfs
