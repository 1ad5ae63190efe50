// SPDX-License-Identifier: GPL-2.0-or-later
// Waking. The sleeping half is the scheduler's (core/task/scheduler.cpp).
#include "core/sync/wait-queue.h"

namespace umbra {

void WaitQueue::wake_all(u32 events)
{
    for (Waiter& waiter : waiters_)
        waiter.notify(events);
}

void WaitQueue::wake_one(u32 events)
{
    Waiter* chosen = nullptr;
    for (Waiter& waiter : waiters_) {
        if (!waiter.exclusive)
            waiter.notify(events);
        else if (!chosen)
            chosen = &waiter;
    }
    if (!chosen) return;
    // To the back: two wakes before the first waiter runs must reach two waiters.
    chosen->unlink();
    waiters_.push_back(*chosen);
    chosen->notify(events);
}

void WaitQueue::pass_on(u32 events)
{
    for (Waiter& waiter : waiters_) {
        if (!waiter.exclusive) continue;
        waiter.unlink();
        waiters_.push_back(waiter);
        waiter.notify(events);
        return;
    }
}

} // namespace umbra
