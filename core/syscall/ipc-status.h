// SPDX-License-Identifier: GPL-2.0-or-later
// What shmctl, semctl and msgctl share: the *_STAT commands.
#pragma once

#include "core/ipc/ipc-namespace.h"
#include "core/syscall/syscall.h"

namespace umbra {

enum class StatusBy : u8 {
    id, ///< IPC_STAT
    slot, ///< SHM_STAT and kin, which give the identifier
    slot_unchecked, ///< SHM_STAT_ANY and kin: the same for everybody
};

/// Writes the status of an object of `table`. EINVAL, EACCES, EFAULT.
template <typename Status, typename T>
SyscallResult give_ipc_status(
    Task& task, ipc::IpcTable<T> const& table, i32 number, StatusBy how, GuestAddr out)
{
    auto object = TRY(how == StatusBy::id ? table.get(number) : table.get_slot(number));
    if (how != StatusBy::slot_unchecked) TRY(ipc::check_ipc_access(task, *object, 0444));
    Status status = object->status();
    ipc::translate_permission(task, status.permission);
    TRY(UserOut<Status> { out }.copy_out(task, status));
    return how == StatusBy::id ? 0 : object->id;
}

} // namespace umbra
