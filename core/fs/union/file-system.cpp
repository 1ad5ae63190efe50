// SPDX-License-Identifier: GPL-2.0-or-later
// A union's instance: which inode stands for which real objects, their numbers, marks, statfs.
#include <algorithm>

#include "core/fs/union/union-inode.h"

namespace umbra::fs {

namespace {
constexpr i64 kOverlayMagic = 0x794c7630; // OVERLAYFS_SUPER_MAGIC
constexpr unsigned kFileSystemShift = 56; ///< of a number: which file system it is from
} // namespace

u32 UnionFileSystem::depth_of(vfs::FileSystem const& fs)
{
    auto const* other = dynamic_cast<UnionFileSystem const*>(&fs);
    return other ? other->depth_ : 0;
}

UnionFileSystem::UnionFileSystem(
    Kernel& kernel, UnionOptions options, Ref<Credentials> mounter, Layers layers)
    : FileSystem(kernel, "overlay")
    , options_(std::move(options))
    , mounter_(std::move(mounter))
    , layers_(std::move(layers))
    , depth_(0)
{
    magic_ = kOverlayMagic;
    for (auto const& layer : layers_.lower)
        depth_ = std::max(depth_, depth_of(layer.mount->file_system()) + 1);
    if (layers_.upper) depth_ = std::max(depth_, depth_of(layers_.upper->mount->file_system()) + 1);
    root_ = inode_for(layers_.upper, layers_.lower, nullptr, "");
}

Ref<vfs::Inode> UnionFileSystem::root() { return Ref<vfs::Inode>(*root_); }

Result<abi::Statfs> UnionFileSystem::statfs()
{
    auto s = TRY(root_->real().file_system().statfs());
    s.type = kOverlayMagic;
    s.namelen = vfs::kNameMax;
    return s;
}

Result<void> UnionFileSystem::sync()
{
    if (!layers_.upper || options_.is_volatile) return {};
    return layers_.upper->mount->file_system().sync();
}

std::string UnionFileSystem::show_options() const
{
    std::string shown;
    for (auto const& lower : options_.lower)
        shown += options_.lower_one_by_one ? ",lowerdir+=" + lower
                                           : (shown.empty() ? ",lowerdir=" : ":") + lower;
    if (layers_.upper) shown += ",upperdir=" + options_.upper + ",workdir=" + options_.work;
    if (options_.is_volatile) shown += ",volatile";
    if (options_.user_xattrs) shown += ",userxattr";
    return shown;
}

AsMounter UnionFileSystem::as_mounter(u32 uid, u32 gid) const
{
    auto who = mounter_->clone();
    who->fsuid = uid, who->fsgid = gid;
    return AsMounter(current(), std::move(who));
}

u64 UnionFileSystem::number_of(vfs::FileSystem const& fs, u64 number, bool is_upper)
{
    auto at = std::find(file_systems_.begin(), file_systems_.end(), &fs);
    u64 const index = u64(at - file_systems_.begin());
    if (at == file_systems_.end()) file_systems_.push_back(&fs);
    u64 const own = number ^ (index << kFileSystemShift);
    if (!is_upper) return own;
    auto before = numbers_.find(own);
    return before == numbers_.end() ? own : before->second;
}

Ref<UnionInode> UnionFileSystem::inode_for(std::optional<vfs::Path> upper, std::vector<vfs::Path> lower,
    UnionDirectory* parent, std::string_view name)
{
    vfs::Path const& real = upper ? *upper : lower.front();
    if (auto it = by_real_.find(&real.inode()); it != by_real_.end()) return Ref<UnionInode>(*it->second);
    u64 const number = number_of(real.mount->file_system(), real.inode().number(), upper.has_value());
    bool const is_directory = real.inode().is_directory();
    // Names of one lower file part with the first change, as in Linux without its index: each has an inode of its own.
    bool const shared = upper || is_directory || real.inode().attributes().nlink == 1;
    vfs::Inode* key = &real.inode();
    Ref<UnionInode> inode = is_directory
        ? Ref<UnionInode>(
            make_ref<UnionDirectory>(*this, number, std::move(upper), std::move(lower), parent, name))
        : make_ref<UnionInode>(*this, number, std::move(upper), std::move(lower), parent, name);
    if (shared) by_real_[key] = inode.get();
    return inode;
}

bool UnionFileSystem::is_opaque(vfs::Inode& directory) const
{
    auto value = directory.get_xattr(mark("opaque"));
    return value.ok() && value.value() == "y";
}

Result<void> UnionFileSystem::make_opaque(vfs::Inode& directory, Errno error) const
{
    MutexLock lock(directory.mutex);
    auto set = directory.set_xattr(mark("opaque"), "y", 0);
    return set.is_error() && set.error() == err::opnotsupp ? Result<void>(error) : set;
}

void UnionFileSystem::discard(std::string const& temporary) const
{
    vfs::At const at { work(), temporary };
    if (vfs::unlink(current(), at).is_error()) (void)vfs::rmdir(current(), at);
}

} // namespace umbra::fs
