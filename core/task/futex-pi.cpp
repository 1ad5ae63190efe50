// SPDX-License-Identifier: GPL-2.0-or-later
// PI locks: the owner's number is in the word, and the kernel hands the lock from owner to waiter, at unlocking and when
// the owner dies. Ownership is right; priorities are not lent: the scheduler is fair.
#include <optional>

#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/task/futex-words.h"
#include "core/task/process-table.h"
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

void tell_new_owner(FutexTable::Queue& queue, Pid owner)
{
    for (FutexWaiter& waiter : queue.waiters)
        if (waiter.pi) waiter.pi_owner = owner;
}

} // namespace

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
        waiter.pi = true, waiter.pi_owner = Pid(i32(owner));
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
            tell_new_owner(*queue, next->task->tid());
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
    ++table.pi_waiters;
    table.queue(waiter.key).waiters.push_back(waiter);
}

} // namespace

SyscallResult pi_requeue(Task& task, FutexCall const& c, bool is_private)
{
    if (c.value != 1 || i32(c.value2) < 0) return err::inval;
    auto from = TRY(futex_key(task, c.address, is_private));
    auto to = TRY(futex_key(task, c.address2, is_private));
    if (from == to) return err::inval;
    TRY(futex_word(task, c.address, Protection::read));
    u32* lock = TRY(futex_word(task, c.address2, Protection::write));
    if (futex_load(TRY(futex_word(task, c.address, Protection::read))) != c.value3) return err::again;
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
    Pid owner(i32(futex_load(lock) & futex_tid_mask));
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
    std::optional<FutexKey> found;
    futex_table(dying).for_each([&](FutexKey const& key, FutexTable::Queue& queue) {
        for (FutexWaiter& waiter : queue.waiters)
            if (waiter.pi && waiter.pi_owner == dying.tid()) found = key;
    });
    return found;
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
        if (owner != 0 && owner != u32(dead.value)) break;
        given = futex_swap_if(word.value(), value, owned_by(*heir, others) | futex_owner_died);
    }
    auto& queue = table.queue(key);
    if (!given) return tell_new_owner(queue, Pid(i32(owner))); // somebody took it in between
    tell_new_owner(queue, keep->tid());
    futex_wake_waiter(*heir);
    table.drop_if_empty(key);
}

} // namespace

void pi_hand_on_locks(Task& dying)
{
    auto& table = futex_table(dying);
    while (table.pi_waiters) {
        auto key = lock_held_by(dying);
        if (!key) return;
        inherit_lock(table, *key, dying.tid());
    }
}

} // namespace umbra
