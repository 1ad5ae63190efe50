// SPDX-License-Identifier: GPL-2.0-or-later
// shmget, shmat, shmdt, shmctl.
#include "core/syscall/ipc-status.h"

namespace umbra {

using namespace abi;

SyscallResult sys_shmget(Task& task, i32 key, u64 size, u32 flags)
{
    return TRY(ipc::shm_get(task, key, size, flags));
}

SyscallResult sys_shmat(Task& task, i32 id, u64 address, u32 flags)
{
    return i64(TRY(ipc::shm_attach(task, id, address, flags)).value);
}

SyscallResult sys_shmdt(Task& task, u64 address)
{
    TRY(ipc::shm_detach(task, address));
    return 0;
}

SyscallResult sys_shmctl(Task& task, i32 id, i32 command, GuestAddr argument)
{
    if (command < 0 || id < 0) return err::inval;
    auto& ns = ipc::ipc_namespace(task);
    switch (command) {
    case ipc_info:
        TRY(UserOut<ShmLimits> { argument }.copy_out(task, ipc::shm_limits(ns)));
        return ns.segments.highest_slot();
    case shm_info:
        TRY(UserOut<ShmUsage> { argument }.copy_out(task, ipc::shm_usage(ns)));
        return ns.segments.highest_slot();
    case ipc_stat:
        return give_ipc_status<ShmStatus>(task, ns.segments, id, StatusBy::id, argument);
    case shm_stat:
        return give_ipc_status<ShmStatus>(task, ns.segments, id, StatusBy::slot, argument);
    case shm_stat_any:
        return give_ipc_status<ShmStatus>(task, ns.segments, id, StatusBy::slot_unchecked, argument);
    case ipc_set: {
        auto wanted = TRY(UserIn<ShmStatus> { argument }.copy_in(task));
        TRY(ipc::shm_set(task, id, wanted.permission));
        return 0;
    }
    case ipc_rmid:
        TRY(ipc::shm_remove(task, id));
        return 0;
    case shm_lock:
    case shm_unlock:
        TRY(ipc::shm_set_locked(task, id, command == shm_lock));
        return 0;
    default:
        return err::inval;
    }
}

} // namespace umbra
