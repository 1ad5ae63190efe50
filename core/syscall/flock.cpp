// SPDX-License-Identifier: GPL-2.0-or-later
// flock.
#include "core/abi/lock.h"
#include "core/syscall/syscall.h"
#include "core/vfs/locks.h"

namespace umbra {

SyscallResult sys_flock(Task& task, GuestFd fd, u32 operation)
{
    u32 kind = operation & ~abi::lock_nb;
    if (kind != abi::lock_sh && kind != abi::lock_ex && kind != abi::lock_un) return err::inval;
    auto file = TRY(task.files().get(fd));
    if (kind == abi::lock_un) {
        if (file->inode().has_locks()) file->inode().locks().unlock(vfs::LockKind::flock, file.get());
        return 0;
    }
    vfs::FileLock request {
        .kind = vfs::LockKind::flock,
        .mode = kind == abi::lock_ex ? vfs::LockMode::exclusive : vfs::LockMode::shared,
        .owner = file.get(),
        .pid = task.pid().value,
    };
    auto& locks = file->inode().locks();
    TRY(operation & abi::lock_nb ? locks.try_lock(request) : locks.lock(request));
    return 0;
}

} // namespace umbra
