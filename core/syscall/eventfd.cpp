// SPDX-License-Identifier: GPL-2.0-or-later
// eventfd, eventfd2.
#include "core/ipc/eventfd.h"

#include "core/syscall/syscall.h"

namespace umbra {

SyscallResult sys_eventfd2(Task& task, u32 initial, u32 flags)
{
    if (flags & ~(abi::o_cloexec | abi::o_nonblock | ipc::efd_semaphore)) return err::inval;
    auto fd = TRY(task.files().add(ipc::make_eventfd(task.kernel(), initial, flags), flags & abi::o_cloexec,
        task.limit(Resource::nofile)));
    return fd.value;
}

SyscallResult sys_eventfd(Task& task, u32 initial) { return sys_eventfd2(task, initial, 0); }

} // namespace umbra
