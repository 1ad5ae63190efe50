// SPDX-License-Identifier: GPL-2.0-or-later
// Calls on the data of open files other than read and write: copying between files, allocation, advice,
// write-back.
#include <algorithm>
#include <optional>
#include <vector>

#include "core/syscall/path-argument.h"
#include "core/vfs/notify.h"

namespace umbra {

namespace {

constexpr u64 kCopyChunk = 64 << 10;

/// One end of a copy: an offset of its own, or the file's position.
struct Endpoint {
    vfs::File& file;
    u64 offset;
    bool at_position;
    void advance(u64 count)
    {
        offset += count;
        if (at_position && file.is_seekable()) file.position = offset;
    }
};

/// Writes all of `bytes`, waiting where the file makes it wait; how much went is in the result even if it
/// then failed.
u64 write_fully(Task& task, Endpoint& to, std::span<u8 const> bytes, Errno& error)
{
    auto buffer = IoBuffer::kernel_source(bytes);
    u64 offset = to.offset;
    auto result = retry_until_ready(
        to.file, abi::pollout, [&] { return vfs::write_file(task, to.file, buffer, offset); });
    if (result.is_error()) error = result.error();
    u64 count = std::max(buffer.transferred(), result.value_or(0));
    to.offset = offset;
    to.advance(count);
    return count;
}

/// The copying behind sendfile and copy_file_range. A count of bytes beats an error that came after them.
SyscallResult copy(Task& task, Endpoint from, Endpoint to, u64 length)
{
    TRY(vfs::ask_to_read(from.file));
    std::vector<u8> chunk(std::min(length, kCopyChunk));
    u64 total = 0;
    while (total < length) {
        std::span<u8> piece(chunk.data(), std::min<u64>(chunk.size(), length - total));
        auto buffer = IoBuffer::kernel(piece);
        auto got = retry_until_ready(
            from.file, abi::pollin, [&] { return vfs::read_file(from.file, buffer, from.offset); });
        if (got.is_error()) return total > 0 ? SyscallResult(i64(total)) : got.error();
        if (got.value() == 0) break;
        Errno error {};
        u64 count = write_fully(task, to, piece.first(got.value()), error);
        from.advance(count);
        total += count;
        if (count < got.value()) return total > 0 ? SyscallResult(i64(total)) : error;
        if (task.has_pending_signal()) break;
    }
    return i64(total);
}

/// The offset behind a pointer argument, or the file's position where the pointer is null.
Result<Endpoint> endpoint(Task& task, vfs::File& file, UserInOut<i64> offset)
{
    if (offset.is_null()) return Endpoint { file, file.position, true };
    if (!file.is_seekable()) return err::spipe;
    i64 value = TRY(offset.copy_in(task));
    if (value < 0) return err::inval;
    return Endpoint { file, u64(value), false };
}

Result<void> store_offset(Task& task, UserInOut<i64> offset, Endpoint const& end, i64 moved)
{
    return offset.is_null() ? Result<void>() : offset.copy_out(task, i64(end.offset) + moved);
}

} // namespace

SyscallResult sys_sendfile(Task& task, GuestFd out_fd, GuestFd in_fd, UserInOut<i64> offset, u64 count)
{
    auto in = TRY(task.files().get(in_fd));
    auto out = TRY(task.files().get(out_fd));
    if (!in->is_readable() || !out->is_writable()) return err::badf;
    auto from = TRY(endpoint(task, *in, offset));
    // sendfile(2): the source must be something that could be mapped; pipes are for splice(2).
    if (!in->is_seekable() || (out->flags() & abi::o_append)) return err::inval;
    if (in->inode().is_directory()) return err::isdir;
    Endpoint to { *out, out->position, true };
    i64 moved = TRY(copy(task, from, to, std::min(count, vfs::kMaxIoCount)));
    TRY(store_offset(task, offset, from, moved));
    return moved;
}

SyscallResult sys_copy_file_range(Task& task, GuestFd in_fd, UserInOut<i64> in_offset, GuestFd out_fd,
    UserInOut<i64> out_offset, u64 count, u32 flags)
{
    auto in = TRY(task.files().get(in_fd));
    auto out = TRY(task.files().get(out_fd));
    auto from = TRY(endpoint(task, *in, in_offset));
    auto to = TRY(endpoint(task, *out, out_offset));
    if (flags != 0) return err::inval;
    if (in->inode().is_directory() || out->inode().is_directory()) return err::isdir;
    if (!in->inode().is_regular() || !out->inode().is_regular()) return err::inval;
    if (!in->is_readable() || !out->is_writable() || (out->flags() & abi::o_append)) return err::badf;
    if (&in->inode().file_system() != &out->inode().file_system()) return err::xdev;
    TRY(in->inode().refresh());
    u64 size = in->inode().attributes().size;
    count = from.offset < size ? std::min({ count, size - from.offset, vfs::kMaxIoCount }) : 0;
    bool same = &in->inode() == &out->inode();
    if (same && to.offset + count > from.offset && to.offset < from.offset + count) return err::inval;
    i64 moved = TRY(copy(task, from, to, count));
    TRY(store_offset(task, in_offset, from, moved));
    TRY(store_offset(task, out_offset, to, moved));
    return moved;
}

SyscallResult sys_fallocate(Task& task, GuestFd fd, u32 mode, i64 offset, i64 length)
{
    constexpr u32 keep_size = 1, punch_hole = 2, collapse = 8, zero_range = 16, insert = 32, unshare = 64;
    auto file = TRY(task.files().get(fd));
    if (offset < 0 || length <= 0) return err::inval;
    if (mode & ~(keep_size | punch_hole | collapse | zero_range | insert | unshare)) return err::opnotsupp;
    if ((mode & punch_hole) && !(mode & keep_size)) return err::opnotsupp;
    if ((mode & punch_hole) && (mode & zero_range)) return err::opnotsupp;
    if ((mode & (collapse | insert)) && (mode & (mode - 1))) return err::inval;
    if (!file->is_writable()) return err::badf;
    vfs::Inode& inode = file->inode();
    if ((inode.is_append_only() && (mode & ~keep_size)) || inode.is_immutable()) return err::perm;
    if (abi::is_fifo(inode.mode())) return err::spipe;
    if (inode.is_directory()) return err::isdir;
    if (!inode.is_regular() && !abi::is_block_device(inode.mode())) return err::nodev;
    if (offset > INT64_MAX - length) return err::fbig;
    u64 end = u64(offset) + u64(length);
    if (!(mode & keep_size) && end > inode.attributes().size) TRY(vfs::check_size_limit(task, end));
    MutexLock lock(inode.mutex);
    TRY(vfs::remove_privileges(task, inode));
    TRY(file->fallocate(mode, u64(offset), u64(length)));
    vfs::notify_file(*file, abi::in_modify);
    return 0;
}

namespace {

SyscallResult write_back(Task& task, GuestFd fd, bool data_only)
{
    auto file = TRY(task.files().get(fd));
    vfs::Inode const& inode = file->inode();
    bool stored = inode.is_regular() || inode.is_directory() || abi::is_block_device(inode.mode());
    if (!stored) return err::inval;
    TRY(file->fsync(data_only));
    return 0;
}

} // namespace

SyscallResult sys_fsync(Task& task, GuestFd fd) { return write_back(task, fd, false); }
SyscallResult sys_fdatasync(Task& task, GuestFd fd) { return write_back(task, fd, true); }

SyscallResult sys_syncfs(Task& task, GuestFd fd)
{
    auto file = TRY(task.files().get(fd));
    TRY(file->inode().file_system().sync());
    return 0;
}

SyscallResult sys_sync(Task& task)
{
    auto mounts = task.fs().mounts->mounts(); // a copy: sync() may wait while mounts come and go
    for (auto const& mount : mounts)
        (void)mount->file_system().sync(); // sync(2) has no way to tell
    return 0;
}

SyscallResult sys_sync_file_range(Task& task, GuestFd fd, i64 offset, i64 length, u32 flags)
{
    constexpr u32 known = 7;
    auto file = TRY(task.files().get(fd));
    if ((flags & ~known) || offset < 0 || length < 0 || offset > INT64_MAX - length) return err::inval;
    u32 mode = file->inode().mode();
    bool stored = abi::is_regular(mode) || abi::is_block_device(mode) || abi::is_directory(mode);
    if (!stored) return err::spipe;
    TRY(file->fsync(true));
    return 0;
}

// Nothing is read ahead or dropped on advice: pages come by use and go when memory is short.
SyscallResult sys_fadvise64(Task& task, GuestFd fd, i64 offset, i64 length, i32 advice)
{
    constexpr i32 last_advice = 5; // POSIX_FADV_NOREUSE
    (void)offset;
    auto file = TRY(task.files().get(fd));
    if (abi::is_fifo(file->inode().mode())) return err::spipe;
    return length < 0 || advice < 0 || advice > last_advice ? SyscallResult(err::inval) : 0;
}

SyscallResult sys_readahead(Task& task, GuestFd fd, i64 offset, u64 count)
{
    (void)offset, (void)count;
    auto file = TRY(task.files().get(fd));
    if (!file->is_readable()) return err::badf;
    return file->inode().is_regular() ? SyscallResult(0) : err::inval;
}

} // namespace umbra
