// SPDX-License-Identifier: GPL-2.0-or-later
// POSIX message queues (mq_overview(7)). A queue is an inode of the mqueue file system, of which each IPC namespace has
// one instance; its files are what mq_open(2) and open(2) below a mount of it give. References: the file system's root
// holds the queues, a file holds its queue and, as all do, the mount; all hold the MqueueLimits.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/abi/mqueue.h"
#include "core/abi/process.h"
#include "core/ipc/ipc-object.h"
#include "core/task/process.h"
#include "core/vfs/file.h"
#include "core/vfs/inode.h"
#include "core/vfs/path.h"

namespace umbra::ipc {

/// /proc/sys/fs/mqueue and what is used, of one IPC namespace.
struct MqueueLimits : RefCounted {
    i64 queues_max = 256, msg_max = 10, msgsize_max = 8192, msg_default = 10, msgsize_default = 8192;
    i64 queues = 0;
    bool ended = false; ///< the namespace has gone; a mount may stay
    Ref<IpcMemory> memory;

    explicit MqueueLimits(Ref<IpcMemory> memory)
        : memory(std::move(memory))
    {
    }
};

struct QueuedMessage {
    u32 priority = 0;
    std::vector<u8> data {};
};

class MessageQueue final : public vfs::Inode {
public:
    /// `size`: what `account` of the owner's bytes it counts as until it goes.
    MessageQueue(vfs::FileSystem& fs, u64 number, vfs::Attributes const& attributes, Ref<MqueueLimits> limits,
        abi::MqAttributes const& shape, u64 size);
    ~MessageQueue() override;

    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;

    i64 max_messages() const { return max_messages_; }
    i64 message_size() const { return message_size_; }
    i64 count() const { return i64(messages_.size()); }

    /// Waits for room until `deadline` (CLOCK_MONOTONIC). EAGAIN if `nonblocking`, ETIMEDOUT, ENOMEM.
    Result<void> send(Task& task, QueuedMessage message, bool nonblocking, Nanoseconds deadline);
    /// Waits for a message. The one of the highest priority, the oldest of those. Errors as above.
    Result<QueuedMessage> receive(Task& task, bool nonblocking, Nanoseconds deadline);
    /// SIGEV_THREAD of mq_notify(2): a datagram to a netlink socket, whose last byte says what came of it.
    struct Cookie {
        Ref<vfs::File> socket;
        std::vector<u8> bytes;
    };
    static constexpr u64 kCookieSize = 32;
    /// mq_notify(2); `cookie` with SIGEV_THREAD. EBUSY.
    Result<void> register_notification(Task& task, abi::SigEvent const& event, std::optional<Cookie> cookie);
    /// Ends what `process` has registered, if it has.
    void unregister_notification(Process const& process);

    /// What a read of its file gives.
    std::string status() const;
    u32 readiness() const;
    WaitQueue watchers; ///< poll(2)

private:
    /// Somebody who waits for a message (got is filled in) or for room (message is taken out).
    struct Waiting {
        QueuedMessage message {};
        bool done = false;
    };
    Result<void> wait(std::list<Waiting*>& line, Waiting& self, Nanoseconds deadline);
    /// ENOMEM. What is charged is held: queued, or a waiting sender's.
    Result<void> charge(QueuedMessage const& message);
    void uncharge(QueuedMessage const& message);
    void enqueue(QueuedMessage message);
    void notify(Task& sender);
    void send_cookie(u8 what);
    void changed();

    Ref<MqueueLimits> limits_;
    i64 max_messages_, message_size_;
    u64 accounted_;
    u32 account_;
    std::list<QueuedMessage> messages_; ///< in the order in which they are to be received
    u64 queued_bytes_ = 0;
    std::list<Waiting*> receivers_, senders_;
    WaitQueue waiters_;
    RefPtr<Process> notified_; ///< who registered, as the program that it was then
    u32 notified_program_ = 0;
    abi::SigEvent notification_ {};
    std::optional<Cookie> cookie_;
};

/// mq_open(2) after the name was read. `shape`: null for the default. EACCES, EEXIST, EINVAL, EMFILE (RLIMIT_MSGQUEUE),
/// ENAMETOOLONG, ENOENT, ENOSPC.
Result<Ref<vfs::File>> open_message_queue(
    Task& task, std::string const& name, u32 flags, u32 mode, abi::MqAttributes const* shape);
/// mq_unlink(2). EACCES, ENOENT, EPERM.
Result<void> unlink_message_queue(Task& task, std::string const& name);
/// The queue that a file is open on, or null.
MessageQueue* as_message_queue(vfs::File& file);

/// The file system of the IPC namespace of `mounter`, or of the first one for null. EPERM.
Result<Ref<vfs::FileSystem>> mount_message_queues(Kernel& kernel, Task* mounter);

/// What an IPC namespace has of it.
struct MqueueSpace {
    Ref<MqueueLimits> limits;
    RefPtr<vfs::Mount> mount; ///< where mq_open(2) looks; made on first use
};

} // namespace umbra::ipc
