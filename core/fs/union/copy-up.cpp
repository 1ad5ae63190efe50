// SPDX-License-Identifier: GPL-2.0-or-later
// Copying an object into the upper layer: made complete in the working directory, then moved to its place, so that nobody
// sees a half of it.
#include <algorithm>

#include "core/fs/union/union-inode.h"

namespace umbra::fs {

namespace {

using C = vfs::AttributeChange;
constexpr u64 kChunk = 64 * 1024;

/// Holes stay holes. May wait.
Result<void> copy_content(Task& task, vfs::Path const& from, vfs::Path const& to)
{
    auto source = TRY(vfs::open_path(task, from, abi::o_rdonly));
    auto target = TRY(vfs::open_path(task, to, abi::o_wronly));
    std::vector<u8> chunk(kChunk);
    u64 offset = 0;
    for (;;) {
        auto in = IoBuffer::kernel(chunk);
        u64 const count = TRY(source->read(in, offset));
        if (count == 0) break;
        auto const part = std::span<u8 const>(chunk).first(count);
        MutexLock lock(to.inode().mutex);
        for (u64 done = 0;
             done < count && std::any_of(part.begin(), part.end(), [](u8 byte) { return byte != 0; });) {
            auto out = IoBuffer::kernel_source(part.subspan(done));
            done += TRY(target->write(out, offset + done));
        }
        offset += count;
    }
    MutexLock lock(to.inode().mutex);
    return to.inode().set_attributes({ .mask = C::kSize, .size = offset });
}

} // namespace

Result<vfs::Path> UnionInode::make_copy(std::string const& name, Content content)
{
    Task& task = current();
    vfs::Path const& work = overlay().work();
    vfs::At const at { work, name };
    auto const& a = real().attributes();
    if (is_directory())
        TRY(vfs::mkdir(task, at, 0700));
    else if (is_symlink())
        TRY(vfs::symlink(task, TRY(real().read_link()), at));
    else
        TRY(vfs::make_node(task, at, (a.mode & abi::s_ifmt) | 0600, a.rdev));
    vfs::Path copy { work.mount, TRY(vfs::lookup_child(work, name)) };
    if (is_regular() && content == Content::wanted) TRY(copy_content(task, lower_.front(), copy));
    TRY(copy_xattrs(copy.inode()));
    TRY(copy_metadata(copy.inode()));
    return copy;
}

Result<void> UnionInode::copy_xattrs(vfs::Inode& to)
{
    auto names = real().list_xattrs();
    if (names.is_error()) return names.error() == err::opnotsupp ? Result<void>() : names.error();
    std::string const prefix = overlay().mark_prefix();
    for (auto const& name : names.value()) {
        if (name.starts_with(prefix) && !name.starts_with(prefix + "overlay.")) continue;
        auto value = TRY(real().get_xattr(name));
        MutexLock lock(to.mutex);
        auto set = to.set_xattr(name, value, 0);
        // Only what is about security must not get lost.
        if (set.is_error() && (set.error() != err::opnotsupp || name.starts_with("security."))) return set;
    }
    return {};
}

Result<void> UnionInode::copy_metadata(vfs::Inode& to)
{
    auto const& a = real().attributes();
    C change { .mask = C::kUid | C::kGid | C::kAtime | C::kMtime,
        .mode = a.mode & 07777,
        .uid = a.uid,
        .gid = a.gid,
        .atime = a.atime,
        .mtime = a.mtime };
    if (!is_symlink()) change.mask |= C::kMode;
    return to.set_attributes(change);
}

/// Moves the copy to where the lower object has its name; the directory's times stay, since nothing in it changed.
Result<void> UnionInode::put_in_place(std::string const& temporary, vfs::Path const& copy)
{
    Task& task = current();
    vfs::At const from { overlay().work(), temporary };
    if (!has_name_ || !parent_) {
        // Nobody finds it any more: it lives as long as it is open.
        return is_directory() ? vfs::rmdir(task, from) : vfs::unlink(task, from);
    }
    if (!parent_->upper()) return err::stale;
    vfs::Path const place = *parent_->upper();
    auto const before = place.inode().attributes();
    TRY(vfs::rename(task, from, { place, name_ }, abi::rename_noreplace));
    (void)place.inode().set_attributes(
        { .mask = C::kAtime | C::kMtime, .atime = before.atime, .mtime = before.mtime });
    UMBRA_ASSERT(copy.dentry->parent() == place.dentry);
    return {};
}

/// From the top down, and without recursion: a tree may be deeper than a kernel stack.
Result<void> UnionInode::copy_up(Content content)
{
    if (upper_) return {};
    if (overlay().is_read_only()) return err::rofs;
    std::vector<Ref<UnionInode>> missing;
    for (UnionInode* above = parent_.get(); above && !above->upper_; above = above->parent_.get())
        missing.emplace_back(*above);
    for (; !missing.empty(); missing.pop_back())
        TRY(missing.back()->copy_up_alone(Content::wanted));
    return copy_up_alone(content);
}

/// The directory above is there.
Result<void> UnionInode::copy_up_alone(Content content)
{
    Ref<UnionInode> const kept(*this);
    MutexLock lock(copy_mutex_);
    if (upper_) return {};
    auto const mounter = overlay().as_mounter();
    std::string const temporary = overlay().temporary_name();
    auto copy = make_copy(temporary, content);
    auto placed = copy.ok() ? put_in_place(temporary, copy.value()) : Result<void>(copy.error());
    if (placed.is_error()) {
        overlay().discard(temporary);
        return placed;
    }
    auto& fs = overlay();
    u64 const own = fs.number_of(copy.value().mount->file_system(), copy.value().inode().number(), false);
    fs.numbers_[own] = number_;
    upper_ = copy.release_value();
    fs.by_real_[&real()] = this;
    parent_ = nullptr;
    copy_attributes();
    return {};
}

} // namespace umbra::fs
