// SPDX-License-Identifier: GPL-2.0-or-later
// Reading and writing an open file at an offset: what every file has in common before its own read or write
// is called (Linux: vfs_read, vfs_write, generic_write_checks).
#include <algorithm>

#include "core/task/task.h"
#include "core/vfs/notify.h"
#include "core/vfs/operations.h"

namespace umbra::vfs {

Result<u64> read_file(File& file, IoBuffer& buffer, u64 offset)
{
    if (!file.is_readable()) return err::badf;
    u64 count = TRY(file.read(buffer, offset));
    if (count > 0) notify_file(file, abi::in_access);
    return count;
}

namespace {

/// RLIMIT_FSIZE and the largest file: a write that begins below the limit is cut there, one beyond fails.
Result<void> limit_write(Task& task, IoBuffer& buffer, u64 offset)
{
    u64 limit = std::min(task.limit(Resource::fsize), kMaxFileSize);
    if (offset >= limit) {
        TRY(check_size_limit(task, offset + 1));
        return err::fbig;
    }
    buffer.truncate(std::min(buffer.remaining(), limit - offset));
    return {};
}

Result<u64> write_regular(Task& task, File& file, IoBuffer& buffer, u64& offset, Appending appending)
{
    MutexLock lock(file.inode().mutex);
    if ((file.flags() & abi::o_append) && appending == Appending::as_opened) offset = file.end_offset();
    if (buffer.remaining() == 0) return u64 { 0 };
    TRY(limit_write(task, buffer, offset));
    TRY(remove_privileges(task, file.inode()));
    return file.write(buffer, offset);
}

} // namespace

Result<u64> write_file(Task& task, File& file, IoBuffer& buffer, u64& offset, Appending appending)
{
    if (!file.is_writable()) return err::badf;
    // A file with its own position is the host's: the host applies O_APPEND and its limits.
    bool is_plain = file.inode().is_regular() && !file.has_own_position();
    u64 written
        = TRY(is_plain ? write_regular(task, file, buffer, offset, appending) : file.write(buffer, offset));
    if (written > 0) notify_file(file, abi::in_modify);
    if (!is_plain) return written;
    if (written > 0 && (file.flags() & abi::o_dsync))
        TRY(file.fsync((file.flags() & abi::o_sync) != abi::o_sync));
    return written;
}

} // namespace umbra::vfs
