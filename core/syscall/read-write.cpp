// SPDX-License-Identifier: GPL-2.0-or-later
// read, write, their vector and positional forms, lseek.
#include "core/syscall/read-write.h"

#include <algorithm>
#include <optional>

#include "core/syscall/path-argument.h"
#include "core/vfs/notify.h"

namespace umbra {

namespace {

/// access_ok(): a buffer that reaches beyond user space is EFAULT before anything moves.
Result<void> check_user_range(Task& task, u64 address, u64 length)
{
    u64 end = task.kernel().platform().machine().task_size;
    return address <= end && length <= end - address ? Result<void>() : err::fault;
}

} // namespace

Result<IoBuffer> import_buffer(Task& task, GuestAddr address, u64 length)
{
    TRY(check_user_range(task, address.value, length));
    return IoBuffer::user(task, address, std::min(length, vfs::kMaxIoCount));
}

Result<IoBuffer> import_vector(Task& task, UserIn<IoBuffer::Segment> vector, u64 count)
{
    if (count > abi::iov_max) return err::inval;
    auto segments = TRY(vector.copy_in_array(task, count));
    u64 left = vfs::kMaxIoCount;
    for (auto& segment : segments) {
        if (i64(segment.length) < 0) return err::inval;
        TRY(check_user_range(task, segment.address, segment.length));
        // Linux cuts at MAX_RW_COUNT instead of failing when the sum overflows.
        segment.length = std::min(segment.length, left);
        left -= segment.length;
    }
    return IoBuffer::user(task, std::move(segments));
}

namespace {

SyscallResult read_permitted(vfs::File& file, IoBuffer buffer, u64 offset, bool no_wait)
{
    auto attempt = [&] { return vfs::read_file(file, buffer, offset); };
    auto result = no_wait ? attempt() : retry_until_ready(file, abi::pollin, attempt);
    return i64(TRY(moved_or_error(buffer, result)));
}

} // namespace

SyscallResult read_from(vfs::File& file, IoBuffer buffer, u64 offset, bool no_wait)
{
    TRY(vfs::ask_to_read(file));
    return read_permitted(file, std::move(buffer), offset, no_wait);
}

Result<vfs::Appending> appending_of(vfs::File const& file, u32 flags)
{
    if (!(flags & kRwfNoappend)) return vfs::Appending::as_opened;
    bool const appends = (file.flags() & abi::o_append) || (flags & kRwfAppend);
    if (appends && file.inode().is_append_only()) return err::perm;
    return vfs::Appending::never;
}

SyscallResult write_to(
    Task& task, vfs::File& file, IoBuffer buffer, u64& offset, bool no_wait, vfs::Appending appending)
{
    auto attempt = [&] { return vfs::write_file(task, file, buffer, offset, appending); };
    auto result = no_wait ? attempt() : retry_until_ready(file, abi::pollout, attempt);
    // What swallows its data without looking (null) moves nothing out of the buffer.
    if (result.ok() && result.value() > buffer.transferred()) return i64(result.value());
    return i64(TRY(moved_or_error(buffer, result)));
}

namespace {

bool has_locked_position(vfs::File const& file)
{
    return file.is_seekable() && (file.inode().is_regular() || file.inode().is_directory());
}

SyscallResult read_at_position(vfs::File& file, IoBuffer buffer, bool no_wait = false)
{
    TRY(vfs::ask_to_read(file));
    MutexHold lock;
    if (has_locked_position(file)) lock = MutexHold(file.position_mutex);
    i64 count = TRY(read_permitted(file, std::move(buffer), file.position, no_wait));
    if (file.is_seekable()) file.position += u64(count);
    return count;
}

SyscallResult write_at_position(Task& task, vfs::File& file, IoBuffer buffer, bool no_wait = false,
    vfs::Appending appending = vfs::Appending::as_opened)
{
    MutexHold lock;
    if (has_locked_position(file)) lock = MutexHold(file.position_mutex);
    u64 offset = file.position;
    i64 count = TRY(write_to(task, file, std::move(buffer), offset, no_wait, appending));
    if (file.is_seekable()) file.position = offset + u64(count);
    return count;
}

/// The file of a positional call.
Result<Ref<vfs::File>> seekable_file(Task& task, GuestFd fd, i64 offset)
{
    if (offset < 0) return err::inval;
    auto file = TRY(task.files().get(fd));
    if (!file->is_seekable()) return err::spipe;
    return file;
}

} // namespace

SyscallResult sys_read(Task& task, GuestFd fd, GuestAddr address, u64 count)
{
    auto file = TRY(task.files().get(fd));
    if (!file->is_readable()) return err::badf;
    return read_at_position(*file, TRY(import_buffer(task, address, count)));
}

SyscallResult sys_write(Task& task, GuestFd fd, GuestAddr address, u64 count)
{
    auto file = TRY(task.files().get(fd));
    if (!file->is_writable()) return err::badf;
    return write_at_position(task, *file, TRY(import_buffer(task, address, count)));
}

SyscallResult sys_readv(Task& task, GuestFd fd, UserIn<IoBuffer::Segment> vector, u64 count)
{
    auto file = TRY(task.files().get(fd));
    if (!file->is_readable()) return err::badf;
    return read_at_position(*file, TRY(import_vector(task, vector, count)));
}

SyscallResult sys_writev(Task& task, GuestFd fd, UserIn<IoBuffer::Segment> vector, u64 count)
{
    auto file = TRY(task.files().get(fd));
    if (!file->is_writable()) return err::badf;
    return write_at_position(task, *file, TRY(import_vector(task, vector, count)));
}

SyscallResult sys_pread64(Task& task, GuestFd fd, GuestAddr address, u64 count, i64 offset)
{
    auto file = TRY(seekable_file(task, fd, offset));
    if (!file->is_readable()) return err::badf;
    return read_from(*file, TRY(import_buffer(task, address, count)), u64(offset));
}

SyscallResult sys_pwrite64(Task& task, GuestFd fd, GuestAddr address, u64 count, i64 offset)
{
    auto file = TRY(seekable_file(task, fd, offset));
    if (!file->is_writable()) return err::badf;
    u64 at = u64(offset);
    return write_to(task, *file, TRY(import_buffer(task, address, count)), at);
}

SyscallResult sys_preadv(
    Task& task, GuestFd fd, UserIn<IoBuffer::Segment> vector, u64 count, i64 offset, u64 high)
{
    (void)high; // of a 32-bit caller's offset; `offset` holds all of it here
    auto file = TRY(seekable_file(task, fd, offset));
    return read_from(*file, TRY(import_vector(task, vector, count)), u64(offset));
}

SyscallResult sys_pwritev(
    Task& task, GuestFd fd, UserIn<IoBuffer::Segment> vector, u64 count, i64 offset, u64 high)
{
    (void)high;
    auto file = TRY(seekable_file(task, fd, offset));
    u64 at = u64(offset);
    return write_to(task, *file, TRY(import_vector(task, vector, count)), at);
}

SyscallResult sys_preadv2(
    Task& task, GuestFd fd, UserIn<IoBuffer::Segment> vector, u64 count, i64 offset, u64 high, u32 flags)
{
    (void)high;
    if (flags & ~(kRwfHipri | kRwfDsync | kRwfSync | kRwfNowait | kRwfNoappend)) return err::opnotsupp;
    bool no_wait = flags & kRwfNowait;
    if (offset == -1) {
        auto file = TRY(task.files().get(fd));
        return read_at_position(*file, TRY(import_vector(task, vector, count)), no_wait);
    }
    auto file = TRY(seekable_file(task, fd, offset));
    return read_from(*file, TRY(import_vector(task, vector, count)), u64(offset), no_wait);
}

SyscallResult sys_pwritev2(
    Task& task, GuestFd fd, UserIn<IoBuffer::Segment> vector, u64 count, i64 offset, u64 high, u32 flags)
{
    (void)high;
    if (flags & ~(kRwfHipri | kRwfDsync | kRwfSync | kRwfNowait | kRwfAppend | kRwfNoappend))
        return err::opnotsupp;
    bool no_wait = flags & kRwfNowait;
    bool at_position = offset == -1;
    auto file = at_position ? TRY(task.files().get(fd)) : TRY(seekable_file(task, fd, offset));
    auto buffer = TRY(import_vector(task, vector, count));
    auto const appending = TRY(appending_of(*file, flags));
    if (flags & kRwfNoappend) flags &= ~kRwfAppend;
    if ((flags & kRwfAppend) && file->is_seekable()) offset = i64(file->end_offset());
    u64 at = u64(offset);
    i64 written = at_position && !(flags & kRwfAppend)
        ? TRY(write_at_position(task, *file, std::move(buffer), no_wait, appending))
        : TRY(write_to(task, *file, std::move(buffer), at, no_wait, appending));
    if (at_position && (flags & kRwfAppend)) file->position = at + u64(written);
    if (flags & (kRwfDsync | kRwfSync)) TRY(file->fsync(!(flags & kRwfSync)));
    return written;
}

namespace {

Result<i64> seek_target(vfs::File& file, i64 offset, i32 whence)
{
    i64 base = 0;
    switch (whence) {
    case abi::seek_set:
        break;
    case abi::seek_cur:
        base = i64(file.position);
        break;
    case abi::seek_end:
        base = i64(file.end_offset());
        break;
    default:
        return i64(TRY(file.seek_special(offset, whence)));
    }
    i64 target;
    if (__builtin_add_overflow(base, offset, &target)) return err::overflow;
    return target < 0 ? Result<i64>(err::inval) : target;
}

} // namespace

SyscallResult sys_lseek(Task& task, GuestFd fd, i64 offset, i32 whence)
{
    auto file = TRY(task.files().get(fd));
    if (whence < abi::seek_set || whence > abi::seek_hole) return err::inval;
    if (!file->is_seekable()) return err::spipe;
    if (file->has_own_position()) return i64(TRY(file->seek_special(offset, whence)));
    if (whence != abi::seek_set && whence != abi::seek_cur) TRY(file->inode().refresh());
    MutexHold lock;
    if (has_locked_position(*file)) lock = MutexHold(file->position_mutex);
    i64 target = TRY(seek_target(*file, offset, whence));
    file->position = u64(target);
    return target;
}

} // namespace umbra
