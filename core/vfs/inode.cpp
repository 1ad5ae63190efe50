// SPDX-License-Identifier: GPL-2.0-or-later
// Defaults of an inode: the errno that Linux gives for an operation which this kind of object does not have.
#include "core/vfs/inode.h"

#include "core/kernel.h"
#include "core/vfs/file-system.h"
#include "core/vfs/file.h"
#include "core/vfs/locks.h"
#include "core/vfs/marks.h"
#include "core/vfs/operations.h"

namespace umbra::vfs {

Inode::Inode(FileSystem& fs, u64 number, Attributes const& attributes)
    : fs_(fs)
    , number_(number)
    , attributes_(attributes)
{
}

Inode::~Inode() { drop_marks(marks); }

Result<void> Inode::set_attributes(AttributeChange const& change)
{
    if (change.mask & AttributeChange::kSize) return err::inval;
    apply_change(change);
    return {};
}

void Inode::apply_change(AttributeChange const& change)
{
    using C = AttributeChange;
    if (change.mask & C::kMode)
        attributes_.mode = (attributes_.mode & abi::s_ifmt) | (change.mode & ~abi::s_ifmt);
    if (change.mask & C::kUid) attributes_.uid = change.uid;
    if (change.mask & C::kGid) attributes_.gid = change.gid;
    if (change.mask & C::kAtime) attributes_.atime = change.atime;
    if (change.mask & C::kMtime) attributes_.mtime = change.mtime;
    if (change.mask & C::kCtime) attributes_.ctime = change.ctime;
    if (change.mask & C::kFlags) attributes_.flags = change.flags;
}

Result<Ref<Inode>> Inode::lookup(std::string_view) { return is_directory() ? err::noent : err::notdir; }

// A directory without the operation is a file system that cannot change: Linux's EPERM (and EACCES for
// create).
Result<Ref<Inode>> Inode::create(std::string_view, NewInode const& what)
{
    return abi::is_regular(what.mode) ? err::acces : err::perm;
}
Result<Ref<Inode>> Inode::symlink(std::string_view, std::string_view, NewInode const&) { return err::perm; }
Result<void> Inode::link(std::string_view, Inode&) { return err::perm; }
Result<void> Inode::unlink(std::string_view, Inode&) { return err::perm; }
Result<void> Inode::rmdir(std::string_view, Inode&) { return err::perm; }
Result<void> Inode::rename(std::string_view, Inode&, Inode&, std::string_view, Inode*, u32)
{
    return err::perm;
}
Result<Ref<Inode>> Inode::create_unnamed(NewInode const&) { return err::opnotsupp; }

Result<std::string> Inode::read_link() { return err::inval; }
Result<Path> Inode::follow_magic_link() { return err::inval; }

Result<Ref<File>> Inode::open(Path const& path, u32 flags) { return open_special(path, flags); }

Result<std::string> Inode::get_xattr(std::string_view) { return err::opnotsupp; }
Result<void> Inode::set_xattr(std::string_view, std::string_view, u32) { return err::opnotsupp; }
Result<void> Inode::remove_xattr(std::string_view) { return err::opnotsupp; }
Result<std::vector<std::string>> Inode::list_xattrs() { return std::vector<std::string> {}; }

FileLocks& Inode::locks()
{
    if (!locks_) locks_ = std::make_unique<FileLocks>();
    return *locks_;
}

void Inode::touch(bool access, bool modify, bool change)
{
    auto now = current_time(fs_.kernel());
    if (access) attributes_.atime = now;
    if (modify) attributes_.mtime = now;
    if (change) attributes_.ctime = now;
}

} // namespace umbra::vfs
