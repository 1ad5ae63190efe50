// SPDX-License-Identifier: GPL-2.0-or-later
// signalfd, signalfd4.
#include "core/ipc/signalfd.h"

#include "core/syscall/syscall.h"

namespace umbra {

SyscallResult sys_signalfd4(Task& task, GuestFd fd, UserIn<u64> mask, u64 mask_size, u32 flags)
{
    if (flags & ~(abi::o_cloexec | abi::o_nonblock)) return err::inval;
    if (mask_size != sizeof(u64)) return err::inval;
    u64 signals = TRY(mask.copy_in(task));
    if (fd.value == -1) {
        auto added = TRY(task.files().add(ipc::make_signalfd(task.kernel(), signals, flags),
            flags & abi::o_cloexec, task.limit(Resource::nofile)));
        return added.value;
    }
    auto file = TRY(task.files().get(fd));
    TRY(ipc::set_signalfd_signals(*file, signals));
    return fd.value;
}

SyscallResult sys_signalfd(Task& task, GuestFd fd, UserIn<u64> mask, u64 mask_size)
{
    return sys_signalfd4(task, fd, mask, mask_size, 0);
}

} // namespace umbra
