// SPDX-License-Identifier: GPL-2.0-or-later
// One message queue: order, waiting, notification.
#include "core/ipc/mqueue.h"

#include <algorithm>

#include "core/abi/file.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/task/process-table.h"
#include "core/task/task.h"
#include "core/vfs/file-system.h"
#include "core/vfs/operations.h"

namespace umbra::ipc {

using namespace abi;

namespace {
constexpr u64 kMemoryShare = 8; ///< all queues may take an eighth of the memory limit beside it
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
    limits_->bytes_of_user[account_] += accounted_;
}

MessageQueue::~MessageQueue()
{
    limits_->held_bytes -= queued_bytes_;
    limits_->queues--;
    if ((limits_->bytes_of_user[account_] -= accounted_) == 0) limits_->bytes_of_user.erase(account_);
}

/// Stands in line until somebody serves it. The line's order is that of arrival.
Result<void> MessageQueue::wait(std::list<Waiting*>& line, Waiting& self, Nanoseconds deadline)
{
    line.push_back(&self);
    auto waited = waiters_.wait_until([&] { return self.done; }, deadline);
    if (!self.done) line.remove(&self);
    return self.done ? Result<void>() : waited;
}

Result<void> MessageQueue::enqueue(QueuedMessage message)
{
    auto& kernel = file_system().kernel();
    u64 const size = message.data.size();
    if (limits_->held_bytes + size > kernel.options().memory_limit / kMemoryShare) return err::nomem;
    limits_->held_bytes += size;
    queued_bytes_ += size;
    auto place = std::ranges::find_if(
        messages_, [&](QueuedMessage const& other) { return other.priority < message.priority; });
    messages_.insert(place, std::move(message));
    return {};
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
        Waiting self { .message = std::move(message) };
        TRY(wait(senders_, self, deadline));
        return {};
    }
    if (!receivers_.empty()) {
        Waiting& receiver = *receivers_.front();
        receivers_.pop_front();
        receiver.message = std::move(message);
        receiver.done = true;
    } else {
        TRY(enqueue(std::move(message)));
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
    limits_->held_bytes -= taken.data.size();
    queued_bytes_ -= taken.data.size();
    if (!senders_.empty()) {
        Waiting& sender = *senders_.front();
        // The place of the one that went: where memory is short the sender waits on.
        if (enqueue(sender.message).ok()) {
            senders_.pop_front();
            sender.done = true;
        }
    }
    touch(true, true, true);
    changed();
    return taken;
}

Result<void> MessageQueue::register_notification(Task& task, SigEvent const& event)
{
    if (notified_.value) return err::busy;
    notified_ = task.pid();
    notification_ = event;
    touch(true, false, true);
    return {};
}

void MessageQueue::unregister_notification(Process const& process)
{
    if (notified_ == process.id) notified_ = {};
}

/// A message came into an empty queue for which nobody waited: told once.
void MessageQueue::notify(Task& sender)
{
    constexpr i32 si_mesgq = -3;
    Pid const target = std::exchange(notified_, Pid {});
    Process* process = target.value ? file_system().kernel().processes().find_process(target) : nullptr;
    if (!process || notification_.notify != sigev_signal || !notification_.signo) return;
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
    bool const told = notified_.value;
    return fs::format_text("QSIZE:%-10llu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
        static_cast<unsigned long long>(queued_bytes_), told ? notification_.notify : 0,
        told && notification_.notify == sigev_signal ? notification_.signo : 0, notified_.value);
}

} // namespace umbra::ipc
