// SPDX-License-Identifier: GPL-2.0-or-later
// Path walk, after path_resolution(7) and openat2(2).
#include "core/vfs/walker.h"

#include "core/kernel.h"
#include "core/task/task.h"
#include "core/vfs/access.h"
#include "core/vfs/dentry-cache.h"
#include "core/vfs/operations.h"

namespace umbra::vfs {

Walker::Walker(Task& task, Path const& base, WalkOptions const& options)
    : task_(task)
    , options_(options)
    , root_(options.resolve & (kResolveBeneath | kResolveInRoot) ? base : task.fs().root)
    , current_(base)
{
}

Result<void> Walker::start(std::string_view path)
{
    if (path.empty() && !options_.allow_empty) return err::noent;
    rest_ = path;
    position_ = 0;
    if (path.starts_with('/')) TRY(go_to_root());
    return {};
}

Result<void> Walker::go_to_root()
{
    if (options_.resolve & kResolveBeneath) return err::xdev;
    if ((options_.resolve & kResolveNoXdev) && !(root_.mount == current_.mount)) return err::xdev;
    current_ = root_;
    return {};
}

/// Moves the next component of rest_ to name_; false if there is none.
bool Walker::take_component()
{
    size_t from = rest_.find_first_not_of('/', position_);
    if (from == std::string::npos) {
        name_.clear();
        position_ = rest_.size();
        return false;
    }
    size_t to = std::min(rest_.find('/', from), rest_.size());
    name_.assign(rest_, from, to - from);
    position_ = to;
    trailing_slash_ = to < rest_.size();
    is_last_ = rest_.find_first_not_of('/', to) == std::string::npos;
    return true;
}

Result<void> Walker::to_parent()
{
    for (;;) {
        if (!take_component()) return {};
        if (!current_.inode().is_directory()) return err::notdir;
        TRY(check_permission(task_.credentials(), current_.inode(), abi::x_ok));
        if (is_last_) return {};
        TRY(step(true));
    }
}

Result<bool> Walker::step(bool follow)
{
    if (name_ == ".") return false;
    if (name_ == "..") {
        TRY(go_up());
        return false;
    }
    return step_into(TRY(lookup()), follow);
}

Result<Ref<Dentry>> Walker::lookup()
{
    if (name_.size() > kNameMax) return err::nametoolong;
    if (options_.resolve & kResolveCached) {
        auto& cache = task_.kernel().dentries();
        if (!current_.inode().cacheable_children() || !cache.find(*current_.dentry, name_)) return err::again;
    }
    return lookup_child(current_, name_);
}

Result<bool> Walker::step_into(Ref<Dentry> const& dentry, bool follow)
{
    if (dentry->is_negative()) return err::noent;
    Path next { current_.mount, dentry };
    TRY(cross(next));
    if (follow && next.inode().is_symlink()) return follow_link(next);
    current_ = next;
    return false;
}

Result<void> Walker::cross(Path& path) const
{
    if (!path.dentry->is_mountpoint()) return {};
    auto before = path.mount;
    cross_mounts(path);
    if (!options_.keep_expiry_marks) path.mount->expiry_mark = false;
    if ((options_.resolve & kResolveNoXdev) && !(path.mount == before)) return err::xdev;
    return {};
}

Result<void> Walker::go_up()
{
    if (current_ == root_ && (options_.resolve & kResolveBeneath)) return err::xdev;
    while (!(current_ == root_) && current_.dentry == current_.mount->root() && current_.mount->parent()) {
        if (options_.resolve & kResolveNoXdev) return err::xdev;
        current_ = Path { Ref<Mount>(*current_.mount->parent()), Ref<Dentry>(current_.mount->mountpoint()) };
    }
    if (!(current_ == root_) && !(current_.dentry == current_.mount->root()) && current_.dentry->parent())
        current_.dentry = Ref<Dentry>(current_.dentry->parent());
    return cross(current_);
}

Result<bool> Walker::follow_link(Path const& link)
{
    if (++links_ > kMaxSymlinks || (options_.resolve & kResolveNoSymlinks)) return err::loop;
    if (link.mount->flags() & kMountNoSymFollow) return err::loop;
    if (link.inode().is_magic_link()) {
        if (options_.resolve & kResolveNoMagiclinks) return err::loop;
        if (options_.resolve & (kResolveBeneath | kResolveInRoot)) return err::xdev;
        Path target = TRY(link.inode().follow_magic_link());
        if ((options_.resolve & kResolveNoXdev) && !(target.mount == current_.mount)) return err::xdev;
        current_ = target;
        return false;
    }
    std::string target = TRY(link.inode().read_link());
    update_access_time(link, 0);
    if (target.empty()) return err::noent;
    if (target[0] == '/') TRY(go_to_root());
    target.append(rest_, position_);
    rest_ = std::move(target);
    position_ = 0;
    return true;
}

Result<Path> Walker::finish()
{
    for (;;) {
        TRY(to_parent());
        if (name_.empty()) break;
        if (!TRY(step(options_.follow_last || trailing_slash_))) break;
    }
    bool want_directory = options_.want_directory || (trailing_slash_ && !name_.empty());
    if (want_directory && !current_.inode().is_directory()) return err::notdir;
    return current_;
}

Result<Path> walk(Task& task, Path const& base, std::string_view path, WalkOptions options)
{
    Walker walker(task, base, options);
    TRY(walker.start(path));
    return walker.finish();
}

Result<ParentWalk> walk_parent(Task& task, Path const& base, std::string_view path, WalkOptions options)
{
    Walker walker(task, base, options);
    TRY(walker.start(path));
    TRY(walker.to_parent());
    ParentWalk result { walker.current(), walker.name(), nullptr, walker.trailing_slash() };
    if (result.name.empty() || walker.is_dots()) return result;
    if (result.name.size() > kNameMax) return err::nametoolong;
    auto dentry = TRY(lookup_child(result.directory, result.name));
    if (!dentry->is_negative()) result.existing = dentry;
    return result;
}

namespace {

/// What the cache knows and may answer without asking the file system.
RefPtr<Dentry> cached_child(Dentry& directory, std::string_view name)
{
    auto found = directory.file_system().kernel().dentries().find(directory, name);
    // What something is mounted on must stay what it is, or the mount would be lost.
    if (found && (directory.inode().cacheable_children() || found->is_mountpoint())) return found;
    return nullptr;
}

} // namespace

Result<Ref<Dentry>> lookup_child_locked(Dentry& directory, std::string_view name)
{
    if (auto found = cached_child(directory, name)) return Ref<Dentry>(found);
    if (name.size() > kNameMax) return err::nametoolong;
    auto answer = directory.inode().lookup(name);
    if (answer.is_error() && answer.error() != err::noent) return answer.error();
    RefPtr<Inode> inode = answer.ok() ? RefPtr<Inode>(answer.value()) : nullptr;
    auto& cache = directory.file_system().kernel().dentries();
    auto known = cache.find(directory, name);
    if (known && known->inode_ptr() == inode) return Ref<Dentry>(known);
    return cache.insert(directory, name, std::move(inode));
}

Result<Ref<Dentry>> lookup_child(Path const& directory, std::string_view name)
{
    if (auto found = cached_child(*directory.dentry, name)) return Ref<Dentry>(found);
    MutexLock lock(directory.inode().mutex);
    return lookup_child_locked(*directory.dentry, name);
}

} // namespace umbra::vfs
