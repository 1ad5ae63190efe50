// SPDX-License-Identifier: GPL-2.0-or-later
// What the parts of the futex code share: words in guest memory, and the queues behind them. For core/task only.
#pragma once

#include "core/platform/platform.h"
#include "core/task/futex.h"
#include "core/task/pid-namespace.h"
#include "core/task/task.h"

namespace umbra {

FutexTable& futex_table(Task& task);
/// EINVAL for a word that is not aligned, EFAULT. May wait, since the page is brought in.
Result<FutexKey> futex_key(Task& task, GuestAddr address, bool is_private);
/// The word, for an atomic access by the kernel while guests run: a pointer that is valid until the next wait.
Result<u32*> futex_word(Task& task, GuestAddr address, platform::Protection access);

inline u32 futex_load(u32* p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
inline bool futex_swap_if(u32* p, u32 expected, u32 desired)
{
    return __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/// What a task writes into the locks it holds: its number as it knows it.
inline u32 futex_tid(Task const& task) { return u32(pid_out(task, task.tid())); }

/// Urgent tasks stand before others, by their priority; the rest in the order of their coming.
void futex_enqueue(FutexTable::Queue& queue, FutexWaiter& waiter);
/// Sleeps in the queue of waiter.key (or where the waiter is moved to) until woken.
Result<void> futex_sleep(Task& task, FutexWaiter& waiter, Nanoseconds deadline);
void futex_wake_waiter(FutexWaiter& waiter);

// --- PI locks (futex-pi.cpp) ---
SyscallResult pi_lock(Task& task, FutexCall const& call, bool is_private, bool try_only);
SyscallResult pi_unlock(Task& task, FutexCall const& call, bool is_private);
SyscallResult pi_wait_requeue(Task& task, FutexCall const& call, bool is_private);
SyscallResult pi_requeue(Task& task, FutexCall const& call, bool is_private);
/// The waiter lends its priority to the lock's owner, until it has stopped waiting or the owner is another.
void pi_begin_wait(FutexWaiter& waiter);
void pi_end_wait(FutexWaiter& waiter);
/// The PI locks of a dying task that others wait for go to the first of those, marked FUTEX_OWNER_DIED.
void pi_hand_on_locks(Task& dying);

} // namespace umbra
