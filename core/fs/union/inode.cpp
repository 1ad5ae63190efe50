// SPDX-License-Identifier: GPL-2.0-or-later
// What all inodes of a union share: attributes, permission, extended attributes, as those of the real object.
#include "core/fs/union/union-inode.h"

namespace umbra::fs {

namespace {
/// A mark that was itself set through a union: Linux stores it one level deeper.
constexpr std::string_view kEscape = "overlay.";
} // namespace

UnionInode::UnionInode(UnionFileSystem& fs, u64 number, std::optional<vfs::Path> upper,
    std::vector<vfs::Path> lower, UnionDirectory* parent, std::string_view name)
    : Inode(fs, number, {})
    , upper_(std::move(upper))
    , lower_(std::move(lower))
    , name_(name)
{
    if (!upper_ && parent) parent_ = RefPtr<UnionDirectory>(parent);
    copy_attributes();
}

UnionInode::~UnionInode()
{
    auto forget = [this](vfs::Path const& real) {
        auto it = overlay().by_real_.find(&real.inode());
        if (it != overlay().by_real_.end() && it->second == this) overlay().by_real_.erase(it);
    };
    if (upper_) {
        forget(*upper_);
        if (real().attributes().nlink == 0)
            overlay().numbers_.erase(
                overlay().number_of(upper_->mount->file_system(), real().number(), false));
    }
    if (!lower_.empty()) forget(lower_.front());
    // One by one: a chain of directories may be longer than a kernel stack is deep.
    for (auto last = std::move(parent_); last && last->ref_count() == 1;)
        last = std::move(static_cast<UnionInode&>(*last).parent_);
}

void UnionInode::copy_attributes()
{
    attributes_ = real().attributes();
    // As Linux: how many directories there are in all layers together nobody counts.
    if (is_directory() && upper_ && !lower_.empty()) attributes_.nlink = 1;
}

Result<void> UnionInode::refresh()
{
    TRY(real().refresh());
    copy_attributes();
    return {};
}

Result<void> UnionInode::set_attributes(vfs::AttributeChange const& change)
{
    bool const sized = change.mask & vfs::AttributeChange::kSize;
    TRY(copy_up(sized && change.size == 0 ? Content::dropped : Content::wanted));
    MutexHold lock;
    if (sized) lock = MutexHold(real().mutex);
    TRY(real().set_attributes(change));
    copy_attributes();
    return {};
}

void UnionInode::touch_atime(abi::Timespec const& now)
{
    if (!upper_) return; // nothing changes below
    real().touch_atime(now);
    attributes_.atime = real().attributes().atime;
}

/// Beside the caller, who mounted the union must be allowed what it does for everybody. A write is one to a copy.
Result<void> UnionInode::check_access(Credentials const&, u32 mask)
{
    bool const device = !is_regular() && !is_directory() && !is_symlink();
    if (device) return {};
    if (!upper_ && (mask & abi::w_ok)) mask = (mask & ~abi::w_ok) | abi::r_ok;
    return vfs::check_permission(overlay().mounter(), real(), mask);
}

Result<std::string> UnionInode::read_link() { return real().read_link(); }

Result<Ref<vfs::File>> UnionInode::open(vfs::Path const& path, u32 flags)
{
    if (!is_regular()) return vfs::open_special(path, flags);
    return open_union_file(path, flags);
}

/// How the real object names an attribute: the union's own marks are not seen through it.
std::string UnionInode::real_name(std::string_view name) const
{
    std::string const prefix = overlay().mark_prefix();
    if (!name.starts_with(prefix)) return std::string(name);
    return prefix + std::string(kEscape) + std::string(name.substr(prefix.size()));
}

Result<std::string> UnionInode::get_xattr(std::string_view name) { return real().get_xattr(real_name(name)); }

Result<void> UnionInode::set_xattr(std::string_view name, std::string_view value, u32 flags)
{
    TRY(copy_up());
    MutexLock lock(real().mutex);
    TRY(real().set_xattr(real_name(name), value, flags));
    copy_attributes();
    return {};
}

Result<void> UnionInode::remove_xattr(std::string_view name)
{
    // What is not there needs no copy.
    if (!upper_) (void)TRY(real().get_xattr(real_name(name)));
    TRY(copy_up());
    MutexLock lock(real().mutex);
    TRY(real().remove_xattr(real_name(name)));
    copy_attributes();
    return {};
}

Result<std::vector<std::string>> UnionInode::list_xattrs()
{
    std::string const prefix = overlay().mark_prefix();
    std::vector<std::string> shown;
    for (auto& name : TRY(real().list_xattrs())) {
        if (!name.starts_with(prefix))
            shown.push_back(name);
        else if (name.starts_with(prefix + std::string(kEscape)))
            shown.push_back(prefix + name.substr(prefix.size() + kEscape.size()));
    }
    return shown;
}

} // namespace umbra::fs
