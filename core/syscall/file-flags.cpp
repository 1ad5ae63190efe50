// SPDX-License-Identifier: GPL-2.0-or-later
// See file-flags.h. The rules are those of fileattr_set_prepare() and vfs_fileattr_set().
#include "core/syscall/file-flags.h"

#include "core/vfs/operations.h"

namespace umbra {

namespace {

constexpr u32 kGetFlags = 0x80086601, kSetFlags = 0x40086602, kGetXflags = 0x801c581f,
              kSetXflags = 0x401c5820;

/// struct fsxattr.
struct FsXattr {
    u32 flags, extent_size, extent_count, project, copy_extent_size;
    u8 padding[8];
};
static_assert(sizeof(FsXattr) == 28);

struct FlagPair {
    u32 flag, xflag; ///< FS_*_FL, FS_XFLAG_*
};
constexpr FlagPair kPairs[] = { { abi::fs_immutable, 0x8 }, { abi::fs_append, 0x10 },
    { abi::fs_nodump, 0x80 }, { abi::fs_noatime, 0x40 } };
constexpr u32 kSyncFlag = 0x8, kSyncXflag = 0x20, kDaxFlag = 0x02000000, kDaxXflag = 0x8000,
              kProjectFlag = 0x20000000, kProjectXflag = 0x200;

u32 xflags_of(u32 flags)
{
    u32 result = 0;
    for (auto const& pair : kPairs)
        if (flags & pair.flag) result |= pair.xflag;
    return result;
}

/// EOPNOTSUPP for what FS_*_FL has no bit for.
Result<u32> flags_of(u32 xflags)
{
    u32 result = 0;
    for (auto const& pair : kPairs)
        if (xflags & pair.xflag) result |= pair.flag, xflags &= ~pair.xflag;
    if (xflags & kSyncXflag) result |= kSyncFlag;
    if (xflags & kDaxXflag) result |= kDaxFlag;
    if (xflags & kProjectXflag) result |= kProjectFlag;
    return xflags & ~(kSyncXflag | kDaxXflag | kProjectXflag) ? Result<u32>(err::opnotsupp) : result;
}

SyscallResult set_flags(Task& task, vfs::File& file, u32 flags)
{
    vfs::Inode& inode = file.inode();
    TRY(vfs::check_writable_mount(*file.path()->mount));
    if (!vfs::is_owner_or_capable(task.credentials(), inode)) return err::perm;
    MutexLock lock(inode.mutex);
    u32 const now = inode.attributes().flags, guarded = abi::fs_immutable | abi::fs_append;
    if (((flags ^ now) & guarded) && !task.credentials().has(Capability::linux_immutable)) return err::perm;
    if (flags & ~inode.flags_kept()) return err::opnotsupp;
    using C = vfs::AttributeChange;
    TRY(inode.set_attributes(
        { .mask = C::kFlags | C::kCtime, .ctime = vfs::current_time(task.kernel()), .flags = flags }));
    return 0;
}

SyscallResult set_xflags(Task& task, vfs::File& file, GuestAddr address)
{
    auto const wanted = TRY(UserIn<FsXattr> { address }.copy_in(task));
    u32 const flags = TRY(flags_of(wanted.flags));
    TRY(vfs::check_writable_mount(*file.path()->mount));
    if (!vfs::is_owner_or_capable(task.credentials(), file.inode())) return err::perm;
    if (wanted.extent_size || wanted.project || wanted.copy_extent_size) return err::opnotsupp;
    return set_flags(task, file, flags);
}

} // namespace

std::optional<SyscallResult> file_flags_ioctl(Task& task, vfs::File& file, u32 command, u64 argument)
{
    bool const known
        = command == kGetFlags || command == kSetFlags || command == kGetXflags || command == kSetXflags;
    if (!known || !file.inode().flags_kept()) return std::nullopt;
    auto run = [&]() -> SyscallResult {
        u32 const flags = file.inode().attributes().flags;
        GuestAddr const address(argument);
        switch (command) {
        case kGetFlags:
            TRY(UserOut<u32> { address }.copy_out(task, flags));
            return 0;
        case kSetFlags:
            return set_flags(task, file, TRY(UserIn<u32> { address }.copy_in(task)));
        case kGetXflags:
            TRY(UserOut<FsXattr> { address }.copy_out(task, { .flags = xflags_of(flags) }));
            return 0;
        default:
            return set_xflags(task, file, address);
        }
    };
    return run();
}

} // namespace umbra
