// SPDX-License-Identifier: GPL-2.0-or-later
// futex(2): waiting on a word of guest memory. Keys are (address space, address) for private memory and
// (memory object, offset) for shared mappings, so that processes meet on the same page.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "core/base/error.h"
#include "core/base/list.h"
#include "core/base/types.h"
#include "core/sync/wait-queue.h"

namespace umbra {

class Kernel;
class Task;

namespace abi {
constexpr u32 futex_wait = 0, futex_wake = 1, futex_fd = 2, futex_requeue = 3, futex_cmp_requeue = 4,
              futex_wake_op = 5;
constexpr u32 futex_lock_pi = 6, futex_unlock_pi = 7, futex_trylock_pi = 8, futex_wait_bitset = 9;
constexpr u32 futex_wake_bitset = 10, futex_wait_requeue_pi = 11, futex_cmp_requeue_pi = 12,
              futex_lock_pi2 = 13;
constexpr u32 futex_private = 128, futex_clock_realtime = 256,
              futex_cmd_mask = ~(futex_private | futex_clock_realtime);
constexpr u32 futex_waiters = 0x80000000, futex_owner_died = 0x40000000, futex_tid_mask = 0x3fffffff;
constexpr u32 futex_bitset_any = ~u32 { 0 };
} // namespace abi

struct FutexKey {
    void const* object = nullptr; ///< mm::AddressSpace or mm::MemoryObject
    u64 offset = 0;
    bool operator==(FutexKey const&) const = default;
};
struct FutexKeyHash {
    size_t operator()(FutexKey const& k) const
    {
        return std::hash<void const*>()(k.object) ^ (k.offset * 0x9e3779b97f4a7c15);
    }
};

/// A task waiting on a futex; lives on its kernel stack.
struct FutexWaiter : ListNode {
    Task* task = nullptr;
    FutexKey key;
    GuestAddr address {}; ///< of the word in the task's own memory, for whoever makes it an owner
    u32 bitset = abi::futex_bitset_any;
    bool woken = false;
    bool pi = false; ///< waits for a PI lock: woken as its new owner
    Pid pi_owner {}; ///< who holds the lock
    bool requeue_pi = false; ///< FUTEX_WAIT_REQUEUE_PI: becomes a waiter for the PI lock at pi_key
    FutexKey pi_key {};
    GuestAddr pi_address {};
};

/// All waiters of a kernel.
class FutexTable {
public:
    struct Queue {
        List<FutexWaiter> waiters;
    };
    Queue& queue(FutexKey const& key) { return queues_[key]; }
    Queue* find(FutexKey const& key)
    {
        auto it = queues_.find(key);
        return it == queues_.end() ? nullptr : &it->second;
    }
    void drop_if_empty(FutexKey const& key)
    {
        auto it = queues_.find(key);
        if (it != queues_.end() && it->second.waiters.is_empty()) queues_.erase(it);
    }

    /// All that wait for PI locks, each once.
    std::vector<FutexWaiter*> pi_waiters;

private:
    std::unordered_map<FutexKey, Queue, FutexKeyHash> queues_;
};

struct FutexCall {
    GuestAddr address;
    u32 operation;
    u32 value;
    Nanoseconds deadline = kNever; ///< CLOCK_MONOTONIC
    u32 value2 = 0;
    GuestAddr address2 {};
    u32 value3 = 0;
};
/// futex(2) without its argument decoding. Waits.
SyscallResult futex_call(Task& task, FutexCall const& call);

/// One word of futex_waitv(2), futex_wait(2), futex_requeue(2).
struct FutexWord {
    GuestAddr address;
    u32 value;
    bool is_private;
};
/// Waits until one of the words is woken: its index. EAGAIN if one has another value already.
SyscallResult futex_wait_for_any(Task& task, std::span<FutexWord const> words, Nanoseconds deadline);
/// futex_requeue(2): wakes `wake` of the first word's waiters, moves `move` others to the second word.
SyscallResult futex_move_waiters(Task& task, FutexWord const& from, FutexWord const& to, u32 wake, u32 move);
/// Wakes up to `count` waiters (CLONE_CHILD_CLEARTID).
void futex_wake_address(Task& task, GuestAddr address, u32 count);
/// The robust list of a dying task: marks its locks FUTEX_OWNER_DIED and wakes waiters.
void futex_exit(Task& task);
/// The task's rank is another: its place among those who wait for a PI lock, and what it lends the lock's owner.
void futex_priority_changed(Task& task);

} // namespace umbra
