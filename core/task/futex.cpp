// SPDX-License-Identifier: GPL-2.0-or-later
// Futexes: wait, wake, requeue, waiting for several, and the end of a task. PI locks are in futex-pi.cpp.
#include "core/task/futex.h"

#include <algorithm>
#include <vector>

#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/mm/user.h"
#include "core/task/futex-words.h"
#include "core/task/process-table.h"
#include "core/task/task.h"
#include "core/time/timekeeper.h"

namespace umbra {

using namespace abi;
using platform::Protection;

FutexTable& futex_table(Task& task) { return task.kernel().futexes(); }

Result<FutexKey> futex_key(Task& task, GuestAddr address, bool is_private)
{
    if (address.value & 3) return err::inval;
    // The word must be accessible; this also brings the page in, which may wait.
    TRY(task.mm().kernel_view(address, Protection::read));
    mm::Vma* vma = task.mm().find(address.value);
    if (!is_private && vma && vma->shared && vma->object)
        return FutexKey { vma->object.get(),
            (vma->object_page << kPageShift) + (address.value - vma->start) };
    return FutexKey { &task.mm(), address.value };
}

Result<u32*> futex_word(Task& task, GuestAddr address, Protection access)
{
    auto view = TRY(task.mm().kernel_view(address, access));
    // The guest's word is naturally aligned and lies within the page; atomics are made with __atomic builtins.
    return reinterpret_cast<u32*>(view.data());
}

void futex_wake_waiter(FutexWaiter& waiter)
{
    waiter.unlink();
    waiter.woken = true;
    wake_task(*waiter.task);
}

void futex_enqueue(FutexTable::Queue& queue, FutexWaiter& waiter)
{
    if (u32 const rank = rank_of(*waiter.task); rank < Place::kFair)
        for (FutexWaiter& other : queue.waiters)
            if (rank < rank_of(*other.task)) return queue.waiters.insert_before(other, waiter);
    queue.waiters.push_back(waiter);
}

Result<void> futex_sleep(Task& task, FutexWaiter& waiter, Nanoseconds deadline)
{
    auto& table = futex_table(task);
    waiter.task = &task;
    futex_enqueue(table.queue(waiter.key), waiter);
    if (waiter.pi) pi_begin_wait(waiter);
    task.wake_pending = false;
    Result<void> result;
    while (!waiter.woken) {
        result = sleep_current(deadline, Interruption::allowed);
        if (result.is_error()) break;
    }
    if (waiter.is_linked()) {
        waiter.unlink();
        table.drop_if_empty(waiter.key);
    }
    if (waiter.pi) pi_end_wait(waiter);
    return waiter.woken ? Result<void>() : result;
}

namespace {

/// EINVAL, as Linux: who waits for a PI lock is woken by its owner and by nobody else.
SyscallResult wake_key(Task& task, FutexKey const& key, u32 count, u32 bitset)
{
    auto* queue = futex_table(task).find(key);
    if (!queue) return 0;
    u32 woken = 0;
    bool wrong_kind = false;
    for (FutexWaiter& waiter : queue->waiters) {
        if (woken >= count) break;
        if (waiter.pi || waiter.requeue_pi) {
            wrong_kind = true;
            break;
        }
        if (!(waiter.bitset & bitset)) continue;
        futex_wake_waiter(waiter);
        ++woken;
    }
    futex_table(task).drop_if_empty(key);
    if (wrong_kind) return err::inval;
    return i64(woken);
}

SyscallResult wait(Task& task, FutexCall const& c, bool is_private, u32 bitset)
{
    if (!bitset) return err::inval;
    FutexWaiter waiter;
    waiter.key = TRY(futex_key(task, c.address, is_private));
    waiter.bitset = bitset;
    if (futex_load(TRY(futex_word(task, c.address, Protection::read))) != c.value) return err::again;
    auto result = futex_sleep(task, waiter, c.deadline);
    if (result.ok()) return 0;
    if (result.error() == err::timedout) return err::timedout;
    if (c.deadline == kNever) return err::restart_sys;
    // Restart with the same absolute deadline.
    FutexCall again = c;
    task.restart_block = [again](Task& t) { return futex_call(t, again); };
    return err::restart_block;
}

/// Moves up to `count` waiters. EINVAL for one that waits for a PI lock.
SyscallResult move_waiters(Task& task, FutexKey const& from, FutexKey const& to, u32 count)
{
    auto* queue = futex_table(task).find(from);
    if (!queue || from == to) return 0;
    u32 moved = 0;
    bool wrong_kind = false;
    for (FutexWaiter& waiter : queue->waiters) {
        if (moved >= count) break;
        if (waiter.pi || waiter.requeue_pi) {
            wrong_kind = true;
            break;
        }
        waiter.unlink();
        waiter.key = to;
        futex_enqueue(futex_table(task).queue(to), waiter);
        ++moved;
    }
    futex_table(task).drop_if_empty(from);
    if (wrong_kind) return err::inval;
    return i64(moved);
}

SyscallResult requeue(Task& task, FutexCall const& c, bool is_private, bool compare)
{
    if (i32(c.value) < 0 || i32(c.value2) < 0) return err::inval;
    auto from = TRY(futex_key(task, c.address, is_private));
    auto to = TRY(futex_key(task, c.address2, is_private));
    if (compare && futex_load(TRY(futex_word(task, c.address, Protection::read))) != c.value3)
        return err::again;
    i64 woken = TRY(wake_key(task, from, c.value, futex_bitset_any));
    return woken + TRY(move_waiters(task, from, to, c.value2));
}

/// FUTEX_WAKE_OP: changes the second word and wakes on both.
SyscallResult wake_op(Task& task, FutexCall const& c, bool is_private)
{
    auto key1 = TRY(futex_key(task, c.address, is_private));
    auto key2 = TRY(futex_key(task, c.address2, is_private));
    u32 code = c.value3;
    u32 op = code >> 28 & 7, cmp = code >> 24 & 15;
    i32 operand = i32(code << 8) >> 20, limit = i32(code << 20) >> 20;
    if (code >> 31) {
        if (operand < 0 || operand > 31) return err::inval;
        operand = i32(1u << operand);
    }
    u32* p = TRY(futex_word(task, c.address2, Protection::write));
    u32 old, desired;
    do {
        old = futex_load(p);
        switch (op) {
        case 0:
            desired = u32(operand);
            break;
        case 1:
            desired = old + u32(operand);
            break;
        case 2:
            desired = old | u32(operand);
            break;
        case 3:
            desired = old & ~u32(operand);
            break;
        case 4:
            desired = old ^ u32(operand);
            break;
        default:
            return err::nosys;
        }
    } while (!futex_swap_if(p, old, desired));
    bool hit;
    switch (cmp) {
    case 0:
        hit = i32(old) == limit;
        break;
    case 1:
        hit = i32(old) != limit;
        break;
    case 2:
        hit = i32(old) < limit;
        break;
    case 3:
        hit = i32(old) <= limit;
        break;
    case 4:
        hit = i32(old) > limit;
        break;
    case 5:
        hit = i32(old) >= limit;
        break;
    default:
        return err::nosys;
    }
    i64 woken = TRY(wake_key(task, key1, c.value, futex_bitset_any));
    if (hit) woken += TRY(wake_key(task, key2, c.value2, futex_bitset_any));
    return woken;
}

/// One lock of a dying task's robust list.
void release_robust(Task& task, GuestAddr address, bool pi)
{
    if (address.value & 3) return;
    auto p = futex_word(task, address, Protection::write);
    if (p.is_error()) return;
    for (;;) {
        u32 value = futex_load(p.value());
        if ((value & futex_tid_mask) != futex_tid(task)) return;
        u32 desired = (value & futex_waiters) | futex_owner_died;
        if (!futex_swap_if(p.value(), value, desired)) continue;
        if (pi || !(value & futex_waiters)) return;
        futex_wake_address(task, address, 1);
        return;
    }
}

} // namespace

SyscallResult futex_call(Task& task, FutexCall const& c)
{
    bool is_private = c.operation & futex_private;
    switch (c.operation & futex_cmd_mask) {
    case futex_wait:
        return wait(task, c, is_private, futex_bitset_any);
    case futex_wait_bitset:
        return wait(task, c, is_private, c.value3);
    case futex_wake:
        return wake_key(task, TRY(futex_key(task, c.address, is_private)), c.value, futex_bitset_any);
    case futex_wake_bitset:
        if (!c.value3) return err::inval;
        return wake_key(task, TRY(futex_key(task, c.address, is_private)), c.value, c.value3);
    case futex_requeue:
        return requeue(task, c, is_private, false);
    case futex_cmp_requeue:
        return requeue(task, c, is_private, true);
    case futex_wake_op:
        return wake_op(task, c, is_private);
    case futex_lock_pi:
    case futex_lock_pi2:
        return pi_lock(task, c, is_private, false);
    case futex_trylock_pi:
        return pi_lock(task, c, is_private, true);
    case futex_unlock_pi:
        return pi_unlock(task, c, is_private);
    case futex_wait_requeue_pi:
        return pi_wait_requeue(task, c, is_private);
    case futex_cmp_requeue_pi:
        return pi_requeue(task, c, is_private);
    default:
        return err::nosys;
    }
}

namespace {

/// EAGAIN if a word has another value than expected.
Result<void> check_words(Task& task, std::span<FutexWord const> words)
{
    for (FutexWord const& word : words)
        if (futex_load(TRY(futex_word(task, word.address, Protection::read))) != word.value)
            return err::again;
    return {};
}

} // namespace

SyscallResult futex_wait_for_any(Task& task, std::span<FutexWord const> words, Nanoseconds deadline)
{
    std::vector<FutexWaiter> waiters(words.size());
    for (size_t i = 0; i < words.size(); ++i)
        waiters[i].key = TRY(futex_key(task, words[i].address, words[i].is_private));
    for (FutexWaiter& waiter : waiters) {
        waiter.task = &task;
        futex_table(task).queue(waiter.key).waiters.push_back(waiter);
    }
    auto woken = [&] {
        return std::find_if(waiters.begin(), waiters.end(), [](FutexWaiter const& w) { return w.woken; });
    };
    task.wake_pending = false;
    // Looking at a word may wait for its page: only now, so that no change of another one is missed meanwhile.
    Result<void> result = check_words(task, words);
    while (woken() == waiters.end() && result.ok())
        result = sleep_current(deadline, Interruption::allowed);
    for (FutexWaiter& waiter : waiters) {
        waiter.unlink();
        futex_table(task).drop_if_empty(waiter.key);
    }
    if (woken() != waiters.end()) return woken() - waiters.begin();
    return result.error();
}

SyscallResult futex_move_waiters(Task& task, FutexWord const& from, FutexWord const& to, u32 wake, u32 move)
{
    auto from_key = TRY(futex_key(task, from.address, from.is_private));
    auto to_key = TRY(futex_key(task, to.address, to.is_private));
    if (futex_load(TRY(futex_word(task, from.address, Protection::read))) != from.value) return err::again;
    i64 woken = TRY(wake_key(task, from_key, wake, futex_bitset_any));
    return woken + TRY(move_waiters(task, from_key, to_key, move));
}

void futex_wake_address(Task& task, GuestAddr address, u32 count)
{
    for (bool is_private : { true, false }) {
        auto key = futex_key(task, address, is_private);
        if (key.ok())
            (void)wake_key(task, key.value(), count, futex_bitset_any)
                .ok(); // a dying task has nobody to tell
    }
}

namespace {

/// Walks the robust list, which is the guest's: bounded as Linux bounds it.
void release_robust_list(Task& task)
{
    struct Head {
        u64 next;
        i64 offset;
        u64 pending;
    };
    if (task.robust_list.is_null()) return;
    u64 const list_head = task.robust_list.value;
    auto head = UserIn<Head> { task.robust_list }.copy_in(task);
    task.robust_list = GuestAddr(0);
    if (head.is_error()) return;
    // Bit 0 of an entry says that it is a PI lock.
    u64 entry = head.value().next, end = head.value().pending;
    for (int i = 0; i < 2048 && (entry & ~u64 { 1 }) != list_head; ++i) {
        GuestAddr at(entry & ~u64 { 1 });
        auto next = UserIn<u64> { at }.copy_in(task);
        if (entry != end) release_robust(task, at + u64(head.value().offset), entry & 1);
        if (next.is_error()) return;
        entry = next.value();
    }
    if (end) release_robust(task, GuestAddr((end & ~u64 { 1 }) + u64(head.value().offset)), end & 1);
}

} // namespace

void futex_exit(Task& task)
{
    release_robust_list(task);
    pi_hand_on_locks(task);
    task.futexes_released = true;
}

} // namespace umbra
