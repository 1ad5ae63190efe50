// SPDX-License-Identifier: GPL-2.0-or-later
// What the calls that read and write share: buffers as arguments, and the transfer itself.
#pragma once

#include "core/syscall/syscall.h"
#include "core/vfs/operations.h"

namespace umbra {

constexpr u32 kRwfHipri = 1, kRwfDsync = 2, kRwfSync = 4, kRwfNowait = 8, kRwfAppend = 16, kRwfNoappend = 32;

/// A length above SSIZE_MAX is EFAULT here, but EINVAL in a vector: Linux looks at the address first.
Result<IoBuffer> import_buffer(Task& task, GuestAddr address, u64 length);
Result<IoBuffer> import_vector(Task& task, UserIn<IoBuffer::Segment> vector, u64 count);

/// Bytes moved. Waits until the file is ready unless it does not block or `no_wait` (RWF_NOWAIT): EAGAIN.
SyscallResult read_from(vfs::File& file, IoBuffer buffer, u64 offset, bool no_wait = false);
/// The same; `offset` becomes where the write began.
SyscallResult write_to(Task& task, vfs::File& file, IoBuffer buffer, u64& offset, bool no_wait = false,
    vfs::Appending appending = vfs::Appending::as_opened);
/// RWF_APPEND and RWF_NOAPPEND of a write. EPERM: the file can only be appended to.
Result<vfs::Appending> appending_of(vfs::File const& file, u32 flags);

} // namespace umbra
