// SPDX-License-Identifier: GPL-2.0-or-later
// Futexes: wait, wake, requeue, the priority-inheritance lock operations (ownership is right; priorities are not
// boosted: the scheduler is fair), and robust lists at exit.
#include "core/task/futex.h"

#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/mm/user.h"
#include "core/task/process-table.h"
#include "core/task/task.h"
#include "core/time/timekeeper.h"

namespace umbra {

using namespace abi;
using platform::Protection;

namespace {

FutexTable& table(Task& task) { return task.kernel().futexes(); }

Result<FutexKey> make_key(Task& task, GuestAddr address, bool is_private)
{
    if (address.value & 3) return err::inval;
    // The word must be accessible; this also brings the page in, which may wait.
    TRY(task.mm().kernel_view(address, Protection::read));
    mm::Vma* vma = task.mm().find(address.value);
    if (!is_private && vma && vma->shared && vma->object)
        return FutexKey { vma->object.get(), (vma->object_page << kPageShift) + (address.value - vma->start) };
    return FutexKey { &task.mm(), address.value };
}

/// The word, for an atomic access by the kernel while guests run: a pointer that is valid until the next wait.
Result<u32*> word(Task& task, GuestAddr address, Protection access)
{
    auto view = TRY(task.mm().kernel_view(address, access));
    // The guest's word is naturally aligned and lies within the page; atomics are made with __atomic builtins.
    return reinterpret_cast<u32*>(view.data());
}

u32 load(u32* p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
bool swap_if(u32* p, u32 expected, u32 desired)
{
    return __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void wake_waiter(FutexWaiter& waiter)
{
    waiter.unlink();
    waiter.woken = true;
    wake_task(*waiter.task);
}

u32 wake_key(Task& task, FutexKey const& key, u32 count, u32 bitset)
{
    auto* queue = table(task).find(key);
    if (!queue) return 0;
    u32 woken = 0;
    for (FutexWaiter& waiter : queue->waiters) {
        if (woken >= count) break;
        if (waiter.pi || !(waiter.bitset & bitset)) continue;
        wake_waiter(waiter);
        ++woken;
    }
    table(task).drop_if_empty(key);
    return woken;
}

/// Sleeps in the queue of waiter.key until woken.
Result<void> wait_in_queue(Task& task, FutexWaiter& waiter, Nanoseconds deadline)
{
    waiter.task = &task;
    table(task).queue(waiter.key).waiters.push_back(waiter);
    task.wake_pending = false;
    Result<void> result;
    while (!waiter.woken) {
        result = sleep_current(deadline, Interruption::allowed);
        if (result.is_error()) break;
    }
    if (waiter.is_linked()) {
        waiter.unlink();
        table(task).drop_if_empty(waiter.key);
    }
    return waiter.woken ? Result<void>() : result;
}

SyscallResult wait(Task& task, FutexCall const& c, bool is_private, u32 bitset)
{
    if (!bitset) return err::inval;
    FutexWaiter waiter;
    waiter.key = TRY(make_key(task, c.address, is_private));
    waiter.bitset = bitset;
    if (load(TRY(word(task, c.address, Protection::read))) != c.value) return err::again;
    auto result = wait_in_queue(task, waiter, c.deadline);
    if (result.ok()) return 0;
    if (result.error() == err::timedout) return err::timedout;
    if (c.deadline == kNever) return err::restart_sys;
    // Restart with the same absolute deadline.
    FutexCall again = c;
    task.restart_block = [again](Task& t) { return futex_call(t, again); };
    return err::restart_block;
}

SyscallResult requeue(Task& task, FutexCall const& c, bool is_private, bool compare)
{
    if (i32(c.value) < 0 || i32(c.value2) < 0) return err::inval;
    auto from = TRY(make_key(task, c.address, is_private));
    auto to = TRY(make_key(task, c.address2, is_private));
    if (compare && load(TRY(word(task, c.address, Protection::read))) != c.value3) return err::again;
    u32 done = wake_key(task, from, c.value, futex_bitset_any);
    u32 moved = 0;
    if (from == to) return i64(done);
    if (auto* queue = table(task).find(from)) {
        for (FutexWaiter& waiter : queue->waiters) {
            if (moved >= c.value2) break;
            if (waiter.pi) continue;
            waiter.unlink();
            waiter.key = to;
            table(task).queue(to).waiters.push_back(waiter);
            ++moved;
        }
        table(task).drop_if_empty(from);
    }
    return i64(done + (compare ? moved : 0));
}

/// FUTEX_WAKE_OP: changes the second word and wakes on both.
SyscallResult wake_op(Task& task, FutexCall const& c, bool is_private)
{
    auto key1 = TRY(make_key(task, c.address, is_private));
    auto key2 = TRY(make_key(task, c.address2, is_private));
    u32 code = c.value3;
    u32 op = code >> 28 & 7, cmp = code >> 24 & 15;
    i32 operand = i32(code << 8) >> 20, limit = i32(code << 20) >> 20;
    if (code >> 31) {
        if (operand < 0 || operand > 31) return err::inval;
        operand = i32(1u << operand);
    }
    u32* p = TRY(word(task, c.address2, Protection::write));
    u32 old, desired;
    do {
        old = load(p);
        switch (op) {
        case 0: desired = u32(operand); break;
        case 1: desired = old + u32(operand); break;
        case 2: desired = old | u32(operand); break;
        case 3: desired = old & ~u32(operand); break;
        case 4: desired = old ^ u32(operand); break;
        default: return err::nosys;
        }
    } while (!swap_if(p, old, desired));
    bool hit;
    switch (cmp) {
    case 0: hit = i32(old) == limit; break;
    case 1: hit = i32(old) != limit; break;
    case 2: hit = i32(old) < limit; break;
    case 3: hit = i32(old) <= limit; break;
    case 4: hit = i32(old) > limit; break;
    case 5: hit = i32(old) >= limit; break;
    default: return err::nosys;
    }
    u32 woken = wake_key(task, key1, c.value, futex_bitset_any);
    if (hit) woken += wake_key(task, key2, c.value2, futex_bitset_any);
    return i64(woken);
}

SyscallResult lock_pi(Task& task, FutexCall const& c, bool is_private, bool try_only)
{
    auto key = TRY(make_key(task, c.address, is_private));
    auto tid = u32(task.tid().value);
    for (;;) {
        u32* p = TRY(word(task, c.address, Protection::write));
        u32 value = load(p);
        u32 owner = value & futex_tid_mask;
        if (owner == 0) {
            auto* queue = table(task).find(key);
            u32 desired = tid | (value & futex_owner_died) | (queue && !queue->waiters.is_empty() ? futex_waiters : 0);
            if (swap_if(p, value, desired)) return 0;
            continue;
        }
        if (owner == tid) return err::deadlk;
        if (try_only) return err::again;
        if (!task.kernel().processes().find_task(Pid(i32(owner)))) return err::srch;
        if (!(value & futex_waiters) && !swap_if(p, value, value | futex_waiters)) continue;
        FutexWaiter waiter;
        waiter.key = key;
        waiter.pi = true;
        auto result = wait_in_queue(task, waiter, c.deadline);
        if (result.ok()) return 0; // the unlocker made us the owner
        return result.error() == err::timedout ? Errno::timedout : Errno::restart_nointr;
    }
}

SyscallResult unlock_pi(Task& task, FutexCall const& c, bool is_private)
{
    auto key = TRY(make_key(task, c.address, is_private));
    u32* p = TRY(word(task, c.address, Protection::write));
    for (;;) {
        u32 value = load(p);
        if ((value & futex_tid_mask) != u32(task.tid().value)) return err::perm;
        auto* queue = table(task).find(key);
        FutexWaiter* next = nullptr;
        u32 others = 0;
        if (queue)
            for (FutexWaiter& w : queue->waiters)
                if (w.pi) next ? void(++others) : void(next = &w);
        u32 desired = next ? u32(next->task->tid().value) | (others ? futex_waiters : 0) : 0;
        if (!swap_if(p, value, desired)) continue;
        if (next) {
            wake_waiter(*next);
            table(task).drop_if_empty(key);
        }
        return 0;
    }
}

/// One lock of a dying task's robust list.
void release_robust(Task& task, GuestAddr address, bool pi)
{
    if (address.value & 3) return;
    auto p = word(task, address, Protection::write);
    if (p.is_error()) return;
    for (;;) {
        u32 value = load(p.value());
        if ((value & futex_tid_mask) != u32(task.tid().value)) return;
        u32 desired = (value & futex_waiters) | futex_owner_died;
        if (!swap_if(p.value(), value, desired)) continue;
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
    case futex_wait: return wait(task, c, is_private, futex_bitset_any);
    case futex_wait_bitset: return wait(task, c, is_private, c.value3);
    case futex_wake: return i64(wake_key(task, TRY(make_key(task, c.address, is_private)), c.value, futex_bitset_any));
    case futex_wake_bitset:
        if (!c.value3) return err::inval;
        return i64(wake_key(task, TRY(make_key(task, c.address, is_private)), c.value, c.value3));
    case futex_requeue: return requeue(task, c, is_private, false);
    case futex_cmp_requeue: return requeue(task, c, is_private, true);
    case futex_wake_op: return wake_op(task, c, is_private);
    case futex_lock_pi:
    case futex_lock_pi2: return lock_pi(task, c, is_private, false);
    case futex_trylock_pi: return lock_pi(task, c, is_private, true);
    case futex_unlock_pi: return unlock_pi(task, c, is_private);
    default: return err::nosys;
    }
}

void futex_wake_address(Task& task, GuestAddr address, u32 count)
{
    for (bool is_private : { true, false }) {
        auto key = make_key(task, address, is_private);
        if (key.ok()) wake_key(task, key.value(), count, futex_bitset_any);
    }
}

void futex_exit(Task& task)
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
    // Bit 0 of an entry says that it is a PI lock. The list is the guest's: bounded as Linux bounds it.
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

} // namespace umbra
