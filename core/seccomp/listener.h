// SPDX-License-Identifier: GPL-2.0-or-later
// SECCOMP_RET_USER_NOTIF: calls that wait for a supervisor's word, and the file on which it gives it
// (seccomp_unotify(2)). The filter and the listener's file share a Notifications; either may go first.
// Guarded by the kernel lock.
#pragma once

#include <deque>

#include "core/abi/seccomp.h"
#include "core/base/error.h"
#include "core/base/ref.h"
#include "core/sync/wait-queue.h"
#include "core/vfs/file.h"

namespace umbra::seccomp {

/// A call that waits. It lives on the waiting task's stack.
struct Notification {
    enum class State : u8 { waiting, received, replied };

    u64 id;
    Task* task;
    abi::SeccompData data;
    State state = State::waiting;
    abi::SeccompNotifResponse response {};
    WaitQueue changed;
};

class Notifications final : public RefCounted {
public:
    Notifications(u64 first_id, bool wait_killable)
        : next_id_(first_id)
        , wait_killable_(wait_killable)
    {
    }

    /// Waits for the supervisor's answer. ERESTARTSYS on a signal, unless the supervisor has received the call and asked
    /// that only fatal ones count.
    Result<abi::SeccompNotifResponse> ask(Task& task, abi::SeccompData const& data);

    /// For the supervisor. Waits for a call; ENOENT once no task has the filter any more.
    Result<Notification*> receive();
    Notification* find(u64 id) const;
    void reply(Notification& notification, abi::SeccompNotifResponse const& response);
    /// The supervisor could not take what it received: the next receive() gives it again.
    void take_back(Notification& notification);

    /// The listener's file is closed: every call fails with ENOSYS.
    void close();
    /// No task has the filter any more.
    void orphan();

    u32 readiness() const;
    WaitQueue& queue() { return queue_; }

private:
    Notification* first_waiting() const;
    void forget(Notification& notification);

    std::deque<Notification*> notifications_; ///< oldest first
    WaitQueue queue_; ///< supervisors, and those who poll
    u64 next_id_;
    bool wait_killable_;
    bool closed_ = false, orphaned_ = false;
};

/// The file of SECCOMP_FILTER_FLAG_NEW_LISTENER.
Ref<vfs::File> make_listener(Kernel& kernel, Ref<Notifications> notifications);

} // namespace umbra::seccomp
