// SPDX-License-Identifier: GPL-2.0-or-later
// pidfd_open(2): a process or one thread as a file, readable once it has ended. The file holds the Process, not its
// number: a pid that is used again is not the same process.
#pragma once

#include "core/vfs/pidfd.h"

namespace umbra::ipc {

constexpr u32 pidfd_thread = abi::o_excl; ///< PIDFD_THREAD

/// `flags`: O_NONBLOCK (waitid(2) then gives EAGAIN).
Ref<vfs::File> make_pidfd(Process& process, u32 flags);
/// The same of one thread.
Ref<vfs::File> make_thread_pidfd(Task& thread, u32 flags);
/// The process that a pidfd stands for, or that of its thread; EBADF where `file` is none.
Result<Ref<Process>> process_of_pidfd(vfs::File& file);
/// What a pidfd stands for, while it lives or is a zombie. ESRCH afterwards, EBADF where `file` is none.
struct PidfdTarget {
    Ref<Process> process;
    RefPtr<Task> thread; ///< of one with PIDFD_THREAD
};
Result<PidfdTarget> target_of_pidfd(vfs::File& file);

} // namespace umbra::ipc
