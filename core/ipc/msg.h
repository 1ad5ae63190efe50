// SPDX-License-Identifier: GPL-2.0-or-later
// System V message queues (msgget(2), msgop(2), msgctl(2)).
#pragma once

#include <list>
#include <string>
#include <vector>

#include "core/ipc/ipc-object.h"
#include "core/sync/wait-queue.h"

namespace umbra::ipc {

class IpcNamespace;

struct MsgSettings {
    u64 max_message = 8192; ///< msgmax
    u64 max_queue = 16384; ///< msgmnb
    i64 max_queues = 32000; ///< msgmni
    u64 messages = 0, bytes = 0; ///< in all queues
};

struct Message {
    i64 type = 0;
    std::vector<u8> data {};
};

class MsgQueue final : public IpcObject {
public:
    explicit MsgQueue(IpcNamespace& owner);
    ~MsgQueue() override;

    /// Waits for room unless `flags` has IPC_NOWAIT. EAGAIN, EIDRM, ENOBUFS.
    Result<void> send(Task& task, Message message, u32 flags);
    /// Waits for a message that `type` selects (msgrcv(2)) unless IPC_NOWAIT. E2BIG, EIDRM, ENOMSG.
    Result<Message> receive(Task& task, u64 room, i64 type, u32 flags);
    /// Everybody who waits gets EIDRM.
    void end();
    abi::MsgStatus status() const;

    IpcNamespace& owner;
    u64 max_bytes; ///< what may be queued
    u64 bytes = 0;
    i64 send_time = 0, receive_time = 0;
    Pid last_sender {}, last_receiver {};
    WaitQueue senders, receivers;

private:
    bool has_room(u64 size) const { return bytes + size <= max_bytes && messages_.size() + 1 <= max_bytes; }
    std::list<Message>::iterator select(i64 type, u32 flags);
    void count(Message const& message, i64 sign);

    std::list<Message> messages_;
};

/// msgget(2). ENOSPC and those of get_or_create().
Result<i32> msg_get(Task& task, i32 key, u32 flags);
/// The text of /proc/sysvipc/msg.
std::string msg_listing(IpcNamespace const& ns);

} // namespace umbra::ipc
