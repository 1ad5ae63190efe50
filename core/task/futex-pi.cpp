// SPDX-License-Identifier: GPL-2.0-or-later
// PI locks: the owner's number is in the word, and the kernel hands the lock from owner to waiter, at unlocking and when
// the owner dies. Until then the owner runs with the priority of the most urgent who waits for it, directly or through
// other locks.
#include <algorithm>
#include <optional>

#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/task/futex-words.h"
#include "core/task/process-table.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"

namespace umbra {

using namespace abi;
using platform::Protection;

namespace {

/// Whether the lock can still be handed over by its owner: that lives, or has not let go of its locks yet.
bool owner_answers(Task& task, u32 owner)
{
    Task const* t = task.kernel().processes().find_task(pid_in(task, i32(owner)));
    return t && !t->futexes_released;
}

/// The first who waits for the PI lock, and how many others do.
FutexWaiter* first_heir(FutexTable::Queue* queue, u32& others)
{
    FutexWaiter* first = nullptr;
    others = 0;
    if (!queue) return nullptr;
    for (FutexWaiter& waiter : queue->waiters)
        if (waiter.pi) first ? void(++others) : void(first = &waiter);
    return first;
}

u32 owned_by(FutexWaiter const& waiter, bool more_waiters)
{
    return futex_tid(*waiter.task) | (more_waiters ? futex_waiters : 0);
}

/// What a waiter lends: 1 to 99, or 0. One with a deadline cannot lend that, and lends the highest priority.
i32 lends(Task const& waiter)
{
    u32 const rank = rank_of(waiter);
    return rank == Place::kDeadline ? 99 : i32(Place::kFair - rank);
}

/// Brings what the owner is lent up to date, and what those are lent for whom it waits itself.
void settle(Kernel& kernel, FutexTable const& table, Pid owner)
{
    // Tasks that wait for each other in a circle wait for ever, but the kernel does not go round with them.
    constexpr int kLongestChain = 1024;
    for (int i = 0; i < kLongestChain; ++i) {
        Task* task = kernel.processes().find_task(owner);
        if (!task) return;
        i32 lent = 0;
        FutexWaiter const* own_wait = nullptr;
        for (FutexWaiter const* waiter : table.pi_waiters) {
            if (waiter->task == task)
                own_wait = waiter;
            else if (waiter->pi_owner == owner)
                lent = std::max(lent, lends(*waiter->task));
        }
        if (lent == task->lent_priority) return;
        kernel.scheduler().change(*task, [&] { task->lent_priority = lent; });
        if (!own_wait || own_wait->pi_owner == owner) return;
        owner = own_wait->pi_owner;
    }
}

void tell_new_owner(FutexTable const& table, FutexTable::Queue& queue, Pid owner)
{
    Pid before = owner;
    Kernel* kernel = nullptr;
    for (FutexWaiter& waiter : queue.waiters)
        if (waiter.pi) before = std::exchange(waiter.pi_owner, owner), kernel = &waiter.task->kernel();
    if (!kernel || before == owner) return;
    settle(*kernel, table, before);
    settle(*kernel, table, owner);
}

} // namespace

void pi_begin_wait(FutexWaiter& waiter)
{
    auto& table = futex_table(*waiter.task);
    table.pi_waiters.push_back(&waiter);
    settle(waiter.task->kernel(), table, waiter.pi_owner);
}

void futex_priority_changed(Task& task)
{
    auto& table = futex_table(task);
    for (FutexWaiter* waiter : table.pi_waiters) {
        if (waiter->task != &task || !waiter->is_linked()) continue;
        waiter->unlink();
        futex_enqueue(table.queue(waiter->key), *waiter);
        return settle(task.kernel(), table, waiter->pi_owner);
    }
}

void pi_end_wait(FutexWaiter& waiter)
{
    auto& table = futex_table(*waiter.task);
    std::erase(table.pi_waiters, &waiter);
    settle(waiter.task->kernel(), table, waiter.pi_owner);
}

SyscallResult pi_lock(Task& task, FutexCall const& c, bool is_private, bool try_only)
{
    auto key = TRY(futex_key(task, c.address, is_private));
    auto tid = futex_tid(task);
    for (;;) {
        u32* p = TRY(futex_word(task, c.address, Protection::write));
        u32 value = futex_load(p);
        u32 owner = value & futex_tid_mask;
        if (owner == 0) {
            auto* queue = futex_table(task).find(key);
            u32 desired = tid | (value & futex_owner_died)
                | (queue && !queue->waiters.is_empty() ? futex_waiters : 0);
            if (futex_swap_if(p, value, desired)) return 0;
            continue;
        }
        if (owner == tid) return err::deadlk;
        if (try_only) return err::again;
        if (!owner_answers(task, owner)) return err::srch;
        if (!(value & futex_waiters) && !futex_swap_if(p, value, value | futex_waiters)) continue;
        FutexWaiter waiter;
        waiter.key = key, waiter.address = c.address;
        waiter.pi = true, waiter.pi_owner = pid_in(task, i32(owner));
        auto result = futex_sleep(task, waiter, c.deadline);
        if (result.ok()) return 0; // the unlocker made us the owner
        return result.error() == err::timedout ? Errno::timedout : Errno::restart_nointr;
    }
}

SyscallResult pi_unlock(Task& task, FutexCall const& c, bool is_private)
{
    auto key = TRY(futex_key(task, c.address, is_private));
    u32* p = TRY(futex_word(task, c.address, Protection::write));
    for (;;) {
        u32 value = futex_load(p);
        if ((value & futex_tid_mask) != futex_tid(task)) return err::perm;
        auto* queue = futex_table(task).find(key);
        u32 others = 0;
        FutexWaiter* next = first_heir(queue, others);
        if (!futex_swap_if(p, value, next ? owned_by(*next, others) : 0)) continue;
        if (next) {
            tell_new_owner(futex_table(task), *queue, next->task->tid());
            futex_wake_waiter(*next);
            futex_table(task).drop_if_empty(key);
        }
        return 0;
    }
}

SyscallResult pi_wait_requeue(Task& task, FutexCall const& c, bool is_private)
{
    FutexWaiter waiter;
    waiter.key = TRY(futex_key(task, c.address, is_private));
    waiter.pi_key = TRY(futex_key(task, c.address2, is_private));
    if (waiter.key == waiter.pi_key) return err::inval;
    waiter.requeue_pi = true;
    waiter.pi_address = c.address2;
    if (futex_load(TRY(futex_word(task, c.address, Protection::read))) != c.value) return err::again;
    auto result = futex_sleep(task, waiter, c.deadline);
    if (result.ok()) return 0;
    if (result.error() == err::timedout) return err::timedout;
    // Once it waits for the lock it cannot start again at the first word, which has changed.
    return waiter.pi ? Errno::again : Errno::restart_nointr;
}

namespace {

/// Gives the lock to the first waiter if it is free. True: it was.
Result<bool> give_free_lock(Task& task, u32* word, FutexWaiter& first, bool more_waiters)
{
    for (;;) {
        u32 value = futex_load(word);
        u32 owner = value & futex_tid_mask;
        if (owner == futex_tid(*first.task)) return err::deadlk;
        if (owner != 0) {
            if (!owner_answers(task, owner)) return err::srch;
            if ((value & futex_waiters) || futex_swap_if(word, value, value | futex_waiters)) return false;
            continue;
        }
        if (futex_swap_if(word, value, owned_by(first, more_waiters) | (value & futex_owner_died)))
            return true;
    }
}

void move_to_lock(Task& task, FutexWaiter& waiter, Pid owner)
{
    auto& table = futex_table(task);
    waiter.unlink();
    waiter.key = waiter.pi_key, waiter.address = waiter.pi_address;
    waiter.requeue_pi = false;
    waiter.pi = true, waiter.pi_owner = owner;
    futex_enqueue(table.queue(waiter.key), waiter);
    pi_begin_wait(waiter);
}

} // namespace

SyscallResult pi_requeue(Task& task, FutexCall const& c, bool is_private)
{
    if (c.value != 1 || i32(c.value2) < 0) return err::inval;
    auto from = TRY(futex_key(task, c.address, is_private));
    auto to = TRY(futex_key(task, c.address2, is_private));
    if (from == to) return err::inval;
    // The lock's word last: each of them may wait, and is valid until the next wait.
    TRY(futex_word(task, c.address2, Protection::write));
    if (futex_load(TRY(futex_word(task, c.address, Protection::read))) != c.value3) return err::again;
    u32* lock = TRY(futex_word(task, c.address2, Protection::write));
    auto* queue = futex_table(task).find(from);
    if (!queue) return 0;
    for (FutexWaiter& waiter : queue->waiters)
        if (!waiter.requeue_pi || !(waiter.pi_key == to)) return err::inval;
    FutexWaiter* first = queue->waiters.front();
    if (!first) return 0;
    auto* waiting = futex_table(task).find(to);
    bool more = queue->waiters.back() != first || (waiting && !waiting->waiters.is_empty());
    u64 done = 0;
    if (TRY(give_free_lock(task, lock, *first, more))) {
        futex_wake_waiter(*first);
        ++done;
    }
    Pid const owner = pid_in(task, i32(futex_load(lock) & futex_tid_mask));
    for (FutexWaiter& waiter : queue->waiters) {
        if (done > c.value2) break;
        move_to_lock(task, waiter, owner);
        ++done;
    }
    futex_table(task).drop_if_empty(from);
    return i64(done);
}

namespace {

/// A lock of the task's that others wait for.
std::optional<FutexKey> lock_held_by(Task& dying)
{
    for (FutexWaiter* waiter : futex_table(dying).pi_waiters)
        if (waiter->is_linked() && waiter->pi_owner == dying.tid()) return waiter->key;
    return {};
}

/// The first waiter becomes the owner of the dead task's lock, in its own memory.
void inherit_lock(FutexTable& table, FutexKey const& key, Pid dead)
{
    u32 others = 0;
    FutexWaiter* heir = first_heir(table.find(key), others);
    Ref<Task> keep(*heir->task);
    auto word = futex_word(*keep, heir->address, Protection::write);
    // Bringing the page in may have waited: whoever is first now is served on the next round.
    if (first_heir(table.find(key), others) != heir) return;
    bool given = word.is_error(); // a word that is gone keeps nobody asleep
    u32 owner = 0;
    while (!given) {
        u32 value = futex_load(word.value());
        owner = value & futex_tid_mask;
        if (owner != 0 && pid_in(*keep, i32(owner)) != dead) break;
        given = futex_swap_if(word.value(), value, owned_by(*heir, others) | futex_owner_died);
    }
    auto& queue = table.queue(key);
    if (!given) return tell_new_owner(table, queue, pid_in(*keep, i32(owner))); // taken in between
    tell_new_owner(table, queue, keep->tid());
    futex_wake_waiter(*heir);
    table.drop_if_empty(key);
}

} // namespace

void pi_hand_on_locks(Task& dying)
{
    auto& table = futex_table(dying);
    while (!table.pi_waiters.empty()) {
        auto key = lock_held_by(dying);
        if (!key) return;
        inherit_lock(table, *key, dying.tid());
    }
}

} // namespace umbra
