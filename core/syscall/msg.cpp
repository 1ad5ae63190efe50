// SPDX-License-Identifier: GPL-2.0-or-later
// msgget, msgsnd, msgrcv, msgctl.
#include "core/syscall/ipc-status.h"

namespace umbra {

using namespace abi;

SyscallResult sys_msgget(Task& task, i32 key, u32 flags) { return TRY(ipc::msg_get(task, key, flags)); }

SyscallResult sys_msgsnd(Task& task, i32 id, GuestAddr buffer, u64 size, u32 flags)
{
    i64 const type = TRY(UserIn<i64> { buffer }.copy_in(task));
    auto& ns = ipc::ipc_namespace(task);
    if (id < 0 || size > ns.msg.max_message || type < 1) return err::inval;
    ipc::Message message { type, TRY(UserIn<u8> { buffer + sizeof type }.copy_in_array(task, size)) };
    auto queue = TRY(ns.queues.get(id));
    TRY(ipc::check_ipc_access(task, *queue, 0222));
    TRY(queue->send(task, std::move(message), flags));
    return 0;
}

SyscallResult sys_msgrcv(Task& task, i32 id, GuestAddr buffer, u64 size, i64 type, u32 flags)
{
    if (id < 0 || size > u64(INT64_MAX)) return err::inval;
    if ((flags & msg_copy) && ((flags & msg_except) || !(flags & ipc_nowait))) return err::inval;
    auto queue = TRY(ipc::ipc_namespace(task).queues.get(id));
    TRY(ipc::check_ipc_access(task, *queue, 0444));
    auto const message = TRY(queue->receive(task, size, type, flags));
    u64 const given = std::min<u64>(size, message.data.size());
    TRY(UserOut<i64> { buffer }.copy_out(task, message.type));
    TRY(copy_to_user(task, buffer + sizeof message.type, message.data.data(), given));
    return i64(given);
}

namespace {

MsgLimits limits(ipc::IpcNamespace const& ns, bool usage)
{
    i32 const queue_bytes = i32(ns.msg.max_queue);
    return { .pool = usage ? ns.queues.size() : i32(ns.msg.max_queues) * (queue_bytes / 1024),
        .map = usage ? i32(ns.msg.messages) : queue_bytes,
        .max = i32(ns.msg.max_message),
        .queue_bytes = queue_bytes,
        .queues = i32(ns.msg.max_queues),
        .segment_size = 16,
        .total = usage ? i32(ns.msg.bytes) : queue_bytes,
        .segments = 0xffff };
}

SyscallResult change(Task& task, i32 id, GuestAddr in)
{
    auto const wanted = TRY(UserIn<MsgStatus> { in }.copy_in(task));
    auto& ns = ipc::ipc_namespace(task);
    auto queue = TRY(ns.queues.get(id));
    TRY(ipc::check_ipc_owner(task, *queue));
    if (wanted.max_bytes > ns.msg.max_queue && !ipc::rules_ipc(task, Capability::sys_resource))
        return err::perm;
    TRY(ipc::set_ipc_permission(task, *queue, wanted.permission));
    queue->max_bytes = wanted.max_bytes;
    queue->change_time = ipc::ipc_time(task);
    // Others may receive now, and there may be more room.
    queue->receivers.wake_all();
    queue->senders.wake_all();
    return 0;
}

SyscallResult remove(Task& task, i32 id)
{
    auto& queues = ipc::ipc_namespace(task).queues;
    auto queue = TRY(queues.get(id));
    TRY(ipc::check_ipc_owner(task, *queue));
    queues.remove(*queue);
    queue->end();
    return 0;
}

} // namespace

SyscallResult sys_msgctl(Task& task, i32 id, i32 command, GuestAddr argument)
{
    if (id < 0 || command < 0) return err::inval;
    auto& ns = ipc::ipc_namespace(task);
    switch (command) {
    case ipc_info:
    case msg_info:
        TRY(UserOut<MsgLimits> { argument }.copy_out(task, limits(ns, command == msg_info)));
        return ns.queues.highest_slot();
    case ipc_stat:
        return give_ipc_status<MsgStatus>(task, ns.queues, id, StatusBy::id, argument);
    case msg_stat:
        return give_ipc_status<MsgStatus>(task, ns.queues, id, StatusBy::slot, argument);
    case msg_stat_any:
        return give_ipc_status<MsgStatus>(task, ns.queues, id, StatusBy::slot_unchecked, argument);
    case ipc_set:
        return change(task, id, argument);
    case ipc_rmid:
        return remove(task, id);
    default:
        return err::inval;
    }
}

} // namespace umbra
