// SPDX-License-Identifier: GPL-2.0-or-later
// semget, semop, semtimedop, semctl.
#include <algorithm>

#include "core/syscall/ipc-status.h"
#include "core/syscall/wait-options.h"
#include "core/task/pid-namespace.h"

namespace umbra {

using namespace abi;

SyscallResult sys_semget(Task& task, i32 key, i32 count, u32 flags)
{
    return TRY(ipc::sem_get(task, key, count, flags));
}

namespace {

SyscallResult operate(Task& task, i32 id, UserIn<SemOperation> in, u32 count, Nanoseconds deadline)
{
    auto const operations = TRY(in.copy_in_array(task, count));
    auto set = TRY(ipc::ipc_namespace(task).semaphore_sets.get(id));
    for (auto const& op : operations)
        if (op.number >= set->semaphores.size()) return err::fbig;
    TRY(ipc::check_ipc_access(task, *set, set->alters_after(operations) ? 0222 : 0444));
    TRY(set->operate(task, operations, deadline));
    return 0;
}

Result<void> check_counts(i32 id, u32 count)
{
    if (count < 1 || id < 0) return err::inval;
    return count > u32(ipc::kMaxOperations) ? err::too_big : Result<void>();
}

SemLimits limits(ipc::IpcNamespace const& ns, bool usage)
{
    return { .map = ipc::kMaxSemaphores,
        .identifiers = ipc::kMaxSemaphoreSets,
        .semaphores = ipc::kMaxSemaphores,
        .undos = ipc::kMaxSemaphores,
        .per_set = ipc::kMaxPerSet,
        .per_call = ipc::kMaxOperations,
        .per_process = ipc::kMaxOperations,
        .undo_size = usage ? ns.semaphore_sets.size() : 20,
        .value = ipc::kMaxSemaphoreValue,
        .adjustment = usage ? ns.used_semaphores : ipc::kMaxSemaphoreValue };
}

/// GETVAL and its kin: what one semaphore shows.
SyscallResult give_value(Task& task, i32 id, i32 number, i32 command)
{
    auto set = TRY(ipc::ipc_namespace(task).semaphore_sets.get(id));
    TRY(ipc::check_ipc_access(task, *set, 0444));
    if (number < 0 || u32(number) >= set->semaphores.size()) return err::inval;
    auto const& semaphore = set->semaphores[size_t(number)];
    if (command == getval) return semaphore.value;
    if (command == getpid_) return pid_out(task, semaphore.last);
    return set->waiting(u64(number), command == getzcnt);
}

SyscallResult set_value(Task& task, i32 id, i32 number, i32 value)
{
    if (value < 0 || value > ipc::kMaxSemaphoreValue) return err::range;
    auto set = TRY(ipc::ipc_namespace(task).semaphore_sets.get(id));
    if (number < 0 || u32(number) >= set->semaphores.size()) return err::inval;
    TRY(ipc::check_ipc_access(task, *set, 0222));
    set->set(u64(number), value, task.pid());
    set->change_time = ipc::ipc_time(task);
    set->serve_waiting();
    return 0;
}

SyscallResult give_all(Task& task, i32 id, GuestAddr out)
{
    auto set = TRY(ipc::ipc_namespace(task).semaphore_sets.get(id));
    TRY(ipc::check_ipc_access(task, *set, 0444));
    std::vector<u16> values;
    for (auto const& semaphore : set->semaphores)
        values.push_back(u16(semaphore.value));
    TRY(copy_to_user(task, out, values.data(), values.size() * sizeof(u16)));
    return 0;
}

SyscallResult set_all(Task& task, i32 id, GuestAddr in)
{
    auto set = TRY(ipc::ipc_namespace(task).semaphore_sets.get(id));
    TRY(ipc::check_ipc_access(task, *set, 0222));
    auto values = TRY(UserIn<u16> { in }.copy_in_array(task, set->semaphores.size()));
    if (set->removed) return err::idrm;
    if (std::ranges::any_of(values, [](u16 v) { return v > ipc::kMaxSemaphoreValue; })) return err::range;
    for (size_t i = 0; i < values.size(); ++i)
        set->set(i, values[i], task.pid());
    set->change_time = ipc::ipc_time(task);
    set->serve_waiting();
    return 0;
}

SyscallResult change_owner(Task& task, i32 id, GuestAddr in)
{
    auto const wanted = TRY(UserIn<SemStatus> { in }.copy_in(task));
    auto set = TRY(ipc::ipc_namespace(task).semaphore_sets.get(id));
    TRY(ipc::check_ipc_owner(task, *set));
    TRY(ipc::set_ipc_permission(task, *set, wanted.permission));
    set->change_time = ipc::ipc_time(task);
    return 0;
}

SyscallResult remove(Task& task, i32 id)
{
    auto& sets = ipc::ipc_namespace(task).semaphore_sets;
    auto set = TRY(sets.get(id));
    TRY(ipc::check_ipc_owner(task, *set));
    sets.remove(*set);
    set->end();
    return 0;
}

} // namespace

SyscallResult sys_semop(Task& task, i32 id, UserIn<SemOperation> operations, u32 count)
{
    TRY(check_counts(id, count));
    return operate(task, id, operations, count, kNever);
}

SyscallResult sys_semtimedop(
    Task& task, i32 id, UserIn<SemOperation> operations, u32 count, UserIn<Timespec> timeout)
{
    Nanoseconds deadline = kNever;
    if (!timeout.is_null()) deadline = deadline_after(task, TRY(to_nanoseconds(TRY(timeout.copy_in(task)))));
    TRY(check_counts(id, count));
    return operate(task, id, operations, count, deadline);
}

SyscallResult sys_semctl(Task& task, i32 id, i32 number, i32 command, u64 argument)
{
    if (id < 0) return err::inval;
    auto& ns = ipc::ipc_namespace(task);
    switch (command) {
    case ipc_info:
    case sem_info:
        TRY(UserOut<SemLimits> { GuestAddr(argument) }.copy_out(task, limits(ns, command == sem_info)));
        return ns.semaphore_sets.highest_slot();
    case ipc_stat:
        return give_ipc_status<SemStatus>(task, ns.semaphore_sets, id, StatusBy::id, GuestAddr(argument));
    case sem_stat:
        return give_ipc_status<SemStatus>(task, ns.semaphore_sets, id, StatusBy::slot, GuestAddr(argument));
    case sem_stat_any:
        return give_ipc_status<SemStatus>(
            task, ns.semaphore_sets, id, StatusBy::slot_unchecked, GuestAddr(argument));
    case getval:
    case getpid_:
    case getncnt:
    case getzcnt:
        return give_value(task, id, number, command);
    case setval:
        return set_value(task, id, number, i32(argument));
    case getall:
        return give_all(task, id, GuestAddr(argument));
    case setall:
        return set_all(task, id, GuestAddr(argument));
    case ipc_set:
        return change_owner(task, id, GuestAddr(argument));
    case ipc_rmid:
        return remove(task, id);
    default:
        return err::inval;
    }
}

} // namespace umbra
