// SPDX-License-Identifier: GPL-2.0-or-later
// name_to_handle_at and open_by_handle_at: files by handles that stay when names change.
#include "core/abi/file-handle.h"

#include "core/syscall/path-argument.h"
#include "core/syscall/syscall.h"
#include "core/vfs/file-handle.h"

namespace umbra {

namespace {

Result<void> copy_out_mount(Task& task, vfs::Mount const& mount, GuestAddr out, u32 flags)
{
    if (flags & abi::at_handle_mnt_id_unique) return UserOut<u64> { out }.copy_out(task, mount.unique_id());
    return UserOut<i32> { out }.copy_out(task, i32(mount.id()));
}

/// The place that a handle of the file system shown by `mount` leads to. ESTALE.
Result<vfs::Path> find(vfs::Mount& mount, abi::WholeHandle const& handle, u32 bytes)
{
    auto const* source = vfs::handle_source(mount.file_system());
    bool const ours = source && bytes >= sizeof handle.inode && handle.header.type == abi::fileid_ino32_gen
        && handle.inode.generation == vfs::kHandleGeneration;
    if (!ours) return err::stale;
    u64 const number = u64 { handle.inode.number_high } << 32 | handle.inode.number_low;
    vfs::Path path { Ref<vfs::Mount>(mount), mount.file_system().root_dentry() };
    for (auto const& name : TRY(source->names_of(number))) {
        path.dentry = TRY(vfs::lookup_child(path, name));
        if (path.dentry->is_negative()) return err::stale; // looking may wait: it was renamed meanwhile
    }
    if (path.inode().number() != number) return err::stale;
    return path;
}

} // namespace

SyscallResult sys_name_to_handle_at(
    Task& task, GuestFd directory, UserCString name, GuestAddr handle_out, GuestAddr mount_out, u32 flags)
{
    constexpr u32 kKnown
        = abi::at_symlink_follow | abi::at_empty_path | abi::at_handle_fid | abi::at_handle_mnt_id_unique;
    if (flags & ~kKnown) return err::inval;
    u32 const follow = flags & abi::at_symlink_follow ? 0 : abi::at_symlink_nofollow;
    auto path = TRY(resolve(task, directory, name, (flags & abi::at_empty_path) | follow));
    if (!(flags & abi::at_handle_fid) && !vfs::handle_source(path.inode().file_system()))
        return err::opnotsupp;
    auto const room = TRY(UserIn<abi::FileHandle> { handle_out }.copy_in(task));
    if (room.bytes > abi::max_handle_size) return err::inval;
    auto const handle = vfs::handle_of(path.inode());
    TRY(copy_out_mount(task, *path.mount, mount_out, flags));
    if (room.bytes < handle.header.bytes) {
        // What there must be room for.
        TRY(UserOut<abi::FileHandle> { handle_out }.copy_out(task, handle.header));
        return err::overflow;
    }
    TRY(UserOut<abi::WholeHandle> { handle_out }.copy_out(task, handle));
    return 0;
}

SyscallResult sys_open_by_handle_at(Task& task, GuestFd mount_fd, GuestAddr handle_in, u32 flags)
{
    // Not path_base(): any file tells its mount, a directory or not.
    auto place = task.fs().cwd;
    if (mount_fd.value != abi::at_fdcwd) place = *TRY(task.files().get(mount_fd, true))->path();
    // Whoever opens by handle goes past the permissions of every directory above.
    if (!task.credentials().has(Capability::dac_read_search)) return err::perm;
    abi::WholeHandle handle {};
    handle.header = TRY(UserIn<abi::FileHandle> { handle_in }.copy_in(task));
    u32 const bytes = handle.header.bytes;
    if (bytes > abi::max_handle_size || bytes == 0) return err::inval;
    TRY(copy_from_user(
        task, &handle.inode, handle_in + sizeof handle.header, std::min<u64>(bytes, sizeof handle.inode)));
    auto path = TRY(find(*place.mount, handle, bytes));
    if ((flags & abi::o_directory) && !path.inode().is_directory()) return err::notdir;
    auto file = TRY(vfs::open_path(task, path, flags));
    return TRY(task.files().add(file, flags & abi::o_cloexec, task.limit(Resource::nofile))).value;
}

} // namespace umbra
