// SPDX-License-Identifier: GPL-2.0-or-later
// Descriptors of processes, pidfd_open(2). Implemented in core/ipc/pidfd.cpp.
#pragma once

#include "core/base/error.h"
#include "core/task/task.h"

namespace umbra::vfs {

/// An inode that stands for a process: its directory in proc, which pidfd_send_signal(2) takes in place of a pidfd.
class ProcessPlace {
public:
    /// ESRCH when it is gone.
    virtual Result<Ref<Process>> process() = 0;

protected:
    ~ProcessPlace() = default;
};

/// The process that a descriptor stands for; EBADF for any other file.
Result<Pid> pidfd_process(File& file);

} // namespace umbra::vfs
