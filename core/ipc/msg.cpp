// SPDX-License-Identifier: GPL-2.0-or-later
// Message queues: choosing by type, waiting for room and for messages.
#include "core/ipc/msg.h"

#include <algorithm>

#include "core/fs/pseudo/text.h"
#include "core/ipc/ipc-namespace.h"
#include "core/kernel.h"
#include "core/task/pid-namespace.h"
#include "core/task/task.h"
#include "core/time/timekeeper.h"

namespace umbra::ipc {

using namespace abi;

namespace {
constexpr u64 kMemoryShare = 8; ///< all queues may take an eighth of the memory limit beside it
constexpr u64 kOverhead = 64; ///< of a message, so that empty ones count too
} // namespace

MsgQueue::MsgQueue(IpcNamespace& owner)
    : owner(owner)
    , max_bytes(owner.msg.max_queue)
{
}

MsgQueue::~MsgQueue() { end(); }

void MsgQueue::end()
{
    for (Message const& message : messages_)
        count(message, -1);
    messages_.clear();
    senders.wake_all();
    receivers.wake_all();
}

void MsgQueue::count(Message const& message, i64 sign)
{
    bytes += u64(sign) * message.data.size();
    owner.msg.bytes += u64(sign) * message.data.size();
    owner.msg.messages += u64(sign);
    owner.memory->message_bytes += u64(sign) * (message.data.size() + kOverhead);
}

namespace {

/// What a message takes while it is in no queue, but in the hands of one who waits for room.
class Charge {
public:
    Charge(IpcMemory& memory, u64 bytes)
        : memory_(memory)
        , bytes_(bytes)
    {
        memory_->message_bytes += bytes_;
    }
    ~Charge() { memory_->message_bytes -= bytes_; }
    Charge(Charge const&) = delete;

private:
    Ref<IpcMemory> memory_;
    u64 bytes_;
};

} // namespace

Result<void> MsgQueue::send(Task& task, Message message, u32 flags)
{
    u64 const size = message.data.size();
    u64 const all = owner.memory->message_bytes + size + kOverhead;
    if (all > owner.kernel.options().memory_limit / kMemoryShare) return err::nobufs;
    if (!has_room(size)) {
        if (flags & ipc_nowait) return err::again;
        Charge const charge(*owner.memory, size + kOverhead);
        auto waited = senders.wait_until([&] { return removed || has_room(size); });
        if (waited.is_error()) return err::restart_nohand;
        if (removed) return err::idrm;
    }
    count(message, 1);
    messages_.push_back(std::move(message));
    last_sender = task.pid();
    send_time = ipc_time(task);
    receivers.wake_all();
    return {};
}

std::list<Message>::iterator MsgQueue::select(i64 type, u32 flags)
{
    auto const first = messages_.begin(), end = messages_.end();
    if (flags & msg_copy) return type >= 0 && u64(type) < messages_.size() ? std::next(first, type) : end;
    if (type == 0) return first;
    if (type > 0)
        return std::find_if(
            first, end, [&](Message const& m) { return (m.type == type) != bool(flags & msg_except); });
    // The lowest type up to -type; of several the oldest.
    auto best = end;
    for (auto at = first; at != end; ++at)
        if (at->type <= (type == INT64_MIN ? INT64_MAX : -type) && (best == end || at->type < best->type))
            best = at;
    return best;
}

Result<Message> MsgQueue::receive(Task& task, u64 room, i64 type, u32 flags)
{
    auto found = select(type, flags);
    if (found == messages_.end()) {
        if (flags & ipc_nowait) return err::nomsg;
        auto waited = receivers.wait_until([&] { return removed || select(type, flags) != messages_.end(); });
        if (waited.is_error()) return err::restart_nohand;
        if (removed) return err::idrm;
        found = select(type, flags);
    }
    if (found->data.size() > room && !(flags & msg_noerror)) return err::too_big;
    if (flags & msg_copy) return *found;
    Message message = std::move(*found);
    messages_.erase(found);
    count(message, -1);
    last_receiver = task.pid();
    receive_time = ipc_time(task);
    senders.wake_all();
    return message;
}

MsgStatus MsgQueue::status() const
{
    return { .permission = permission(),
        .send_time = send_time,
        .receive_time = receive_time,
        .change_time = change_time,
        .bytes = bytes,
        .messages = messages_.size(),
        .max_bytes = max_bytes,
        .last_sender = pid_out(current(), last_sender),
        .last_receiver = pid_out(current(), last_receiver) };
}

Result<i32> msg_get(Task& task, i32 key, u32 flags)
{
    auto& ns = ipc_namespace(task);
    auto check = [](MsgQueue const&) { return Result<void>(); };
    auto create = [&]() -> Result<i32> {
        auto queue = make_ref<MsgQueue>(ns);
        TRY(ns.queues.add(task, queue, key, flags, i32(ns.msg.max_queues)));
        return queue->id;
    };
    return get_or_create(task, ns.queues, key, flags, check, create);
}

std::string msg_listing(IpcNamespace const& ns)
{
    std::string out
        = "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime "
          "     rtime      ctime\n";
    ns.queues.for_each([&](MsgQueue const& queue) {
        auto owner = queue.permission();
        translate_permission(current(), owner);
        auto const s = queue.status();
        out += fs::format_text("%10d %10d  %4o  %10llu %10llu %5d %5d %5u %5u %5u %5u %10lld %10lld %10lld\n",
            queue.key, queue.id, queue.mode & 0777, static_cast<unsigned long long>(s.bytes),
            static_cast<unsigned long long>(s.messages), s.last_sender, s.last_receiver, owner.uid, owner.gid,
            owner.cuid, owner.cgid, static_cast<long long>(s.send_time),
            static_cast<long long>(s.receive_time), static_cast<long long>(s.change_time));
    });
    return out;
}

} // namespace umbra::ipc
