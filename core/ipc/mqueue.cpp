// SPDX-License-Identifier: GPL-2.0-or-later
// One message queue: order, waiting, notification.
#include "core/ipc/mqueue.h"

#include <iterator>
#include <utility>

#include "core/abi/file.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/net/netlink/netlink-socket.h"
#include "core/task/pid-namespace.h"
#include "core/task/task.h"
#include "core/vfs/file-system.h"
#include "core/vfs/operations.h"

namespace umbra::ipc {

using namespace abi;

namespace {
constexpr u64 kMemoryShare = 8; ///< all queues may take an eighth of the memory limit beside it
constexpr u8 kWokenUp = 1, kRemoved = 2; ///< in the last byte of a cookie
constexpr u64 kOverhead = 128; ///< bytes of a message beside its data

u64 cost_of(QueuedMessage const& message) { return kOverhead + message.data.size(); }
} // namespace

MessageQueue::MessageQueue(vfs::FileSystem& fs, u64 number, vfs::Attributes const& attributes,
    Ref<MqueueLimits> limits, MqAttributes const& shape, u64 size)
    : Inode(fs, number, attributes)
    , limits_(std::move(limits))
    , max_messages_(shape.max_messages)
    , message_size_(shape.message_size)
    , accounted_(size)
    , account_(attributes.uid)
{
    limits_->queues++;
    limits_->memory->mqueue_room[account_] += accounted_;
}

MessageQueue::~MessageQueue()
{
    for (auto const& message : messages_)
        uncharge(message);
    limits_->queues--;
    auto& room = limits_->memory->mqueue_room;
    if ((room[account_] -= accounted_) == 0) room.erase(account_);
}

/// Stands in line until somebody serves it. The line's order is that of arrival.
Result<void> MessageQueue::wait(std::list<Waiting*>& line, Waiting& self, Nanoseconds deadline)
{
    line.push_back(&self);
    auto waited = waiters_.wait_until([&] { return self.done; }, deadline);
    if (!self.done) line.remove(&self);
    return self.done ? Result<void>() : waited;
}

Result<void> MessageQueue::charge(QueuedMessage const& message)
{
    auto& kernel = file_system().kernel();
    u64 const cost = cost_of(message);
    u64& held = limits_->memory->mqueue_bytes;
    if (held + cost > kernel.options().memory_limit / kMemoryShare) return err::nomem;
    held += cost;
    return {};
}

void MessageQueue::uncharge(QueuedMessage const& message)
{
    limits_->memory->mqueue_bytes -= cost_of(message);
}

void MessageQueue::enqueue(QueuedMessage message)
{
    queued_bytes_ += message.data.size();
    auto place = messages_.end();
    while (place != messages_.begin() && std::prev(place)->priority < message.priority)
        --place;
    messages_.insert(place, std::move(message));
}

void MessageQueue::changed()
{
    waiters_.wake_all();
    watchers.wake_all(readiness());
}

Result<void> MessageQueue::send(Task& task, QueuedMessage message, bool nonblocking, Nanoseconds deadline)
{
    if (count() >= max_messages_) {
        if (nonblocking) return err::again;
        TRY(charge(message));
        Waiting self { .message = std::move(message) };
        auto waited = wait(senders_, self, deadline);
        if (waited.is_error()) uncharge(self.message);
        return waited;
    }
    if (!receivers_.empty()) {
        Waiting& receiver = *receivers_.front();
        receivers_.pop_front();
        receiver.message = std::move(message);
        receiver.done = true;
    } else {
        TRY(charge(message));
        enqueue(std::move(message));
        if (count() == 1) notify(task);
    }
    touch(true, true, true);
    changed();
    return {};
}

Result<QueuedMessage> MessageQueue::receive(Task&, bool nonblocking, Nanoseconds deadline)
{
    if (messages_.empty()) {
        if (nonblocking) return err::again;
        Waiting self;
        TRY(wait(receivers_, self, deadline));
        return std::move(self.message);
    }
    QueuedMessage taken = std::move(messages_.front());
    messages_.pop_front();
    uncharge(taken);
    queued_bytes_ -= taken.data.size();
    if (!senders_.empty()) {
        Waiting& sender = *senders_.front();
        senders_.pop_front();
        enqueue(std::move(sender.message));
        sender.done = true;
    }
    touch(true, true, true);
    changed();
    return taken;
}

Result<void> MessageQueue::register_notification(
    Task& task, SigEvent const& event, std::optional<Cookie> cookie)
{
    if (notified_ && notified_->state != ProcessState::zombie) return err::busy;
    notified_ = Ref<Process>(task.process());
    notified_program_ = notified_->programs_run;
    notification_ = event;
    cookie_ = std::move(cookie);
    touch(true, false, true);
    return {};
}

void MessageQueue::unregister_notification(Process const& process)
{
    if (notified_.get() != &process) return;
    notified_ = nullptr;
    send_cookie(kRemoved);
}

void MessageQueue::send_cookie(u8 what)
{
    auto cookie = std::exchange(cookie_, std::nullopt);
    if (!cookie) return;
    cookie->bytes.back() = what;
    // mq_notify(2) has taken no other.
    net::as_netlink_socket(*cookie->socket)->deliver({ .bytes = std::move(cookie->bytes) }, true);
}

/// A message came into an empty queue for which nobody waited: told once.
void MessageQueue::notify(Task& sender)
{
    constexpr i32 si_mesgq = -3;
    auto const process = std::exchange(notified_, nullptr);
    // Another program in the same process has not asked for it, and may have other rights.
    if (!process || process->programs_run != notified_program_) {
        cookie_.reset();
        return;
    }
    if (cookie_) return send_cookie(kWokenUp);
    if (notification_.notify != sigev_signal || !notification_.signo) return;
    SigInfo info;
    info.signo = notification_.signo;
    info.code = si_mesgq;
    info.kill = { sender.pid().value, sender.credentials().uid, notification_.value };
    (void)send_signal(*process, info).ok(); // a full queue of signals loses it, as on Linux
}

u32 MessageQueue::readiness() const
{
    u32 ready = messages_.empty() ? 0 : pollin | pollrdnorm;
    return count() < max_messages_ ? ready | pollout | pollwrnorm : ready;
}

std::string MessageQueue::status() const
{
    bool const told = bool(notified_);
    return fs::format_text("QSIZE:%-10llu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
        static_cast<unsigned long long>(queued_bytes_), told ? notification_.notify : 0,
        told && notification_.notify == sigev_signal ? notification_.signo : 0,
        told ? pid_out(current(), notified_->id) : 0);
}

} // namespace umbra::ipc
