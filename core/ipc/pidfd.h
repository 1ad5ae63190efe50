// SPDX-License-Identifier: GPL-2.0-or-later
// pidfd_open(2): a process as a file, readable once it has ended. The file holds the Process, not its number:
// a pid that is used again is not the same process.
#pragma once

#include "core/vfs/pidfd.h"

namespace umbra::ipc {

/// `flags`: O_NONBLOCK (waitid(2) then gives EAGAIN).
Ref<vfs::File> make_pidfd(Process& process, u32 flags);
/// The process that a pidfd stands for; EBADF where `file` is none.
Result<Ref<Process>> process_of_pidfd(vfs::File& file);

} // namespace umbra::ipc
