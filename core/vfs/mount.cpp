// SPDX-License-Identifier: GPL-2.0-or-later
// Mounts and the namespaces that hold them: attach, detach, bind, move, pivot_root (mount(2),
// mount_namespaces(7)). All mounts are private: nothing propagates.
#include <algorithm>

#include "core/kernel.h"
#include "core/vfs/dentry-cache.h"
#include "core/vfs/path.h"

namespace umbra::vfs {

Mount::Mount(Ref<FileSystem> fs, Ref<Dentry> root, u32 flags, std::string source)
    : fs_(std::move(fs))
    , root_(std::move(root))
    , flags_(flags)
    , source_(std::move(source))
    , id_(u32(fs_->kernel().next_unique()))
{
}

Mount::Mount(Ref<FileSystem> fs, u32 flags, std::string source)
    : Mount(fs, fs->root_dentry(), flags, std::move(source))
{
}

Mount::~Mount() { fs_->kernel().dentries().prune(*fs_); }

MountNamespace::MountNamespace(Ref<Mount> root)
    : MountNamespace(root,
        first_namespace_origin(NamespaceKind::mount, *root->file_system().kernel().first_user_namespace))
{
}

MountNamespace::MountNamespace(Ref<Mount> root, NamespaceOrigin origin)
    : Namespace(NamespaceKind::mount, std::move(origin))
    , root_(std::move(root))
{
    mounts_.push_back(root_);
}

MountNamespace::~MountNamespace()
{
    while (!mounts_.empty())
        remove(*mounts_.back());
}

bool MountNamespace::contains(Mount const& mount) const
{
    return std::any_of(mounts_.begin(), mounts_.end(), [&](auto const& m) { return m == &mount; });
}

Mount* MountNamespace::mounted_on(Mount const& mount, Dentry const& dentry) const
{
    if (!dentry.is_mountpoint()) return nullptr;
    for (auto const& m : mounts_) {
        if (m->parent_ == &mount && m->mountpoint_ == &dentry) return m.get();
    }
    return nullptr;
}

Result<void> MountNamespace::attach(Ref<Mount> mount, Path const& place)
{
    Path at = place;
    cross_mounts(*this, at);
    if (!contains(*at.mount) || at.dentry->is_unlinked()) return err::inval;
    if (at.inode().is_directory() != mount->root_->inode().is_directory()) return err::notdir;
    // Linux refuses the same tree twice on one place, see mount(2) EBUSY.
    if (at.dentry == at.mount->root_ && at.mount->fs_ == mount->fs_ && at.mount->root_ == mount->root_)
        return err::busy;
    mount->parent_ = at.mount;
    mount->mountpoint_ = at.dentry;
    ++at.dentry->mount_count_;
    mounts_.push_back(std::move(mount));
    return {};
}

void MountNamespace::remove(Mount& mount)
{
    Ref<Mount> keep(mount); // the list's reference may be the last
    std::erase_if(mounts_, [&](auto const& m) { return m == &mount; });
    if (mount.mountpoint_) --mount.mountpoint_->mount_count_;
    mount.mountpoint_ = nullptr;
    mount.parent_ = nullptr;
}

namespace {

/// `mount` and the mounts below it, parents first.
std::vector<Ref<Mount>> subtree(std::vector<Ref<Mount>> const& all, Mount& mount)
{
    std::vector<Ref<Mount>> found { Ref<Mount>(mount) };
    for (size_t i = 0; i < found.size(); ++i) {
        for (auto const& m : all) {
            if (m->parent() == found[i].get()) found.push_back(m);
        }
    }
    return found;
}

} // namespace

Result<void> MountNamespace::detach(Mount& mount, bool lazy)
{
    if (!contains(mount) || root_ == &mount) return err::inval;
    auto tree = subtree(mounts_, mount);
    if (!lazy) {
        // Left are the namespace's reference, the caller's and the one in `tree`: more means somebody is
        // inside.
        if (tree.size() > 1 || mount.ref_count() > 3) return err::busy;
    }
    for (size_t i = tree.size(); i-- > 0;)
        remove(*tree[i]);
    return {};
}

Result<void> MountNamespace::move(Mount& mount, Path const& to)
{
    if (!contains(mount) || !mount.parent_) return err::inval;
    for (Mount* m = to.mount.get(); m; m = m->parent()) {
        if (m == &mount) return err::loop;
    }
    if (to.inode().is_directory() != mount.root_->inode().is_directory()) return err::notdir;
    Ref<Mount> keep(mount);
    Path at = to;
    cross_mounts(*this, at);
    if (!contains(*at.mount)) return err::inval;
    remove(mount);
    return attach(keep, at);
}

Result<void> MountNamespace::pivot(Mount& new_root, Path const& put_old)
{
    if (!contains(new_root) || !new_root.parent_ || !contains(*put_old.mount)) return err::inval;
    Ref<Mount> old_root = root_;
    Ref<Mount> top(new_root);
    --top->mountpoint_->mount_count_;
    top->mountpoint_ = nullptr;
    top->parent_ = nullptr;
    root_ = top;
    Path at = put_old;
    cross_mounts(*this, at);
    old_root->parent_ = at.mount;
    old_root->mountpoint_ = at.dentry;
    ++at.dentry->mount_count_;
    return {};
}

Result<std::vector<Ref<Mount>>> MountNamespace::clone_tree(Path const& from, bool recursive)
{
    if (!contains(*from.mount)) return err::inval;
    std::vector<Ref<Mount>> copies;
    auto originals = recursive ? subtree(mounts_, *from.mount) : std::vector<Ref<Mount>> { from.mount };
    std::vector<Mount*> copied_from;
    for (auto const& original : originals) {
        bool is_top = original == from.mount;
        // A mount beside the bound directory is not part of the copy.
        if (!is_top && original->parent() == from.mount.get()
            && !from.dentry->is_ancestor_of(*original->mountpoint_))
            continue;
        auto parent = std::find(copied_from.begin(), copied_from.end(), original->parent());
        if (!is_top && parent == copied_from.end()) continue;
        auto copy = make_ref<Mount>(
            original->fs_, is_top ? from.dentry : original->root_, original->flags_, original->source_);
        if (!is_top) {
            copy->parent_ = copies[size_t(parent - copied_from.begin())];
            copy->mountpoint_ = original->mountpoint_;
        }
        copies.push_back(copy);
        copied_from.push_back(original.get());
    }
    return copies;
}

Result<void> MountNamespace::attach_tree(std::vector<Ref<Mount>> const& tree, Path const& at)
{
    TRY(attach(tree.front(), at));
    for (size_t i = 1; i < tree.size(); ++i) {
        ++tree[i]->mountpoint_->mount_count_;
        mounts_.push_back(tree[i]);
    }
    return {};
}

Ref<MountNamespace> MountNamespace::clone(std::vector<Path*> const& paths, NamespaceOrigin origin) const
{
    std::vector<Ref<Mount>> copies;
    auto copy_of = [&](Mount const* original) -> Mount* {
        for (size_t i = 0; i < copies.size(); ++i) {
            if (mounts_[i] == original) return copies[i].get();
        }
        return nullptr;
    };
    for (auto const& original : mounts_)
        copies.push_back(
            make_ref<Mount>(original->fs_, original->root_, original->flags_, original->source_));
    for (size_t i = 0; i < mounts_.size(); ++i) {
        copies[i]->parent_ = copy_of(mounts_[i]->parent());
        copies[i]->mountpoint_ = mounts_[i]->mountpoint_;
        if (copies[i]->mountpoint_) ++copies[i]->mountpoint_->mount_count_;
    }
    for (Path* path : paths) {
        if (Mount* copy = copy_of(path->mount.get())) path->mount = Ref<Mount>(*copy);
    }
    auto result = make_ref<MountNamespace>(Ref<Mount>(*copy_of(root_.get())), std::move(origin));
    result->mounts_ = std::move(copies);
    return result;
}

void cross_mounts(MountNamespace const& mounts, Path& path)
{
    while (Mount* top = mounts.mounted_on(*path.mount, *path.dentry))
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
    if (!path.dentry->parent() && !path.dentry->name().empty()) return path.dentry->name();
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
