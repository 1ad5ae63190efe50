// SPDX-License-Identifier: GPL-2.0-or-later
// Where tasks wait for something to become true. Everything here runs under the kernel lock, so a check of
// the condition and the sleep that follows cannot miss a wake-up.
#pragma once

#include "core/base/error.h"
#include "core/base/list.h"
#include "core/base/types.h"

namespace umbra {

class Task;

/// Whether a pending signal ends a wait.
enum class Interruption : u8 {
    allowed, ///< any deliverable signal ends the wait with err::restart_sys
    killable, ///< only a fatal SIGKILL does
    refused, ///< nothing does; only for waits that the host ends soon
};

/// Something that is told when a queue is woken: a sleeping task, an epoll item.
class Waiter : public ListNode {
public:
    /// Runs inside wake(), under the kernel lock; must not wait. `events` is what the waker passed: poll(2)
    /// bits, or 0 for "anything may have changed".
    virtual void notify(u32 events) = 0;
    bool exclusive = false; ///< one wake_one() notifies one of these (and every non-exclusive waiter)

protected:
    ~Waiter() = default;
};

class WaitQueue {
public:
    WaitQueue() = default;
    WaitQueue(WaitQueue const&) = delete;

    void add(Waiter& waiter) { waiters_.push_back(waiter); }
    static void remove(Waiter& waiter) { waiter.unlink(); }
    bool has_waiters() const { return !waiters_.is_empty(); }

    void wake_all(u32 events = 0);
    /// Notifies every non-exclusive waiter and one exclusive one, in turn. Plain wait_until waiters are
    /// exclusive here.
    void wake_one(u32 events = 0);
    /// Notifies one exclusive waiter and nobody else: hands on a wake-up that its receiver did not use up.
    void pass_on(u32 events = 0);

    /// Sleeps until ready() is true. err::restart_sys on a signal (see Interruption), err::timedout once
    /// `deadline` (CLOCK_MONOTONIC) has passed with ready() still false. ready() runs under the kernel lock.
    template <typename Ready>
    Result<void> wait_until(
        Ready ready, Nanoseconds deadline = kNever, Interruption mode = Interruption::allowed);

private:
    List<Waiter> waiters_;
};

/// Makes the current task sleep until wake_task(); for building waits other than wait_until. Errors as above;
/// success says nothing but that somebody woke the task.
Result<void> sleep_current(Nanoseconds deadline, Interruption mode);
/// Makes a sleeping task runnable; on a running or runnable task its next sleep_current() returns at once.
void wake_task(Task& task);
/// For work that goes on for long in the kernel, now and then: what has arrived is looked at, other vCPUs get the kernel lock,
/// and others run here if it is their turn. A wait that signals do not end.
void give_way();
/// The task whose kernel stack this runs on. Panics outside a task (use only below a syscall or in a kernel
/// task).
Task& current();

/// A waiter that wakes the task that made it.
class TaskWaiter final : public Waiter {
public:
    TaskWaiter()
        : task_(current())
    {
    }
    void notify(u32) override { wake_task(task_); }

private:
    Task& task_;
};

template <typename Ready>
Result<void> WaitQueue::wait_until(Ready ready, Nanoseconds deadline, Interruption mode)
{
    if (ready()) return {};
    TaskWaiter waiter;
    waiter.exclusive = true;
    add(waiter);
    for (;;) {
        auto slept = sleep_current(deadline, mode);
        if (ready()) return {};
        if (slept.is_error()) return slept;
    }
}

} // namespace umbra
