// SPDX-License-Identifier: GPL-2.0-or-later
// splice(2) and tee(2): moving bytes between pipes and files without passing guest memory. Between two pipes
// pages change hands; to and from a file each byte is copied once. All may wait unless told not to; bytes
// that moved count more than what stopped them. A pipe without readers gives EPIPE and SIGPIPE.
#pragma once

#include "core/ipc/pipe.h"

namespace umbra::ipc {

enum class Blocking : u8 { yes, no };

/// From `in` (at `offset`, which is advanced; ignored by streams) into the pipe: what it has room for.
Result<u64> splice_to_pipe(
    Task& task, vfs::File& in, u64& offset, PipeFile& out, u64 length, Blocking blocking);
/// From the pipe into `out`. 0 when the pipe has no writers left.
Result<u64> splice_from_pipe(
    Task& task, PipeFile& in, vfs::File& out, u64& offset, u64 length, Blocking blocking);
/// From pipe to pipe. EINVAL where both are the same.
Result<u64> splice_pipes(PipeFile& in, PipeFile& out, u64 length, Blocking blocking);
/// Duplicates what is in one pipe into another, without taking it.
Result<u64> tee(PipeFile& in, PipeFile& out, u64 length, Blocking blocking);

/// Waits until there is something to read or no writer is left.
Result<void> wait_for_data(PipeFile& in, Blocking blocking);
/// Waits until there is room. EPIPE (and SIGPIPE) without readers.
Result<void> wait_for_room(PipeFile& out, Blocking blocking);

} // namespace umbra::ipc
