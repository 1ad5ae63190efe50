// SPDX-License-Identifier: GPL-2.0-or-later
// futex(2): waiting and waking, bit sets, requeueing, timeouts, priority inheritance, robust lists.
#include "abi-test.h"

#include <atomic>
#include <linux/futex.h>
#include <sys/mman.h>
#include <thread>
#include <time.h>
#include <vector>

namespace abi_test {
namespace {

using Word = std::atomic<uint32_t>;

long futex(Word* word, int operation, uint32_t value, void const* timeout = nullptr, Word* second = nullptr,
    uint32_t value3 = 0)
{
    return raw(SYS_futex, word, operation, value, timeout, second, value3);
}

/// Threads of this process that wait on a futex until woken.
class Waiters {
public:
    Waiters(Word* word, int count, int operation = FUTEX_WAIT_PRIVATE, uint32_t bits = 0)
    {
        for (int i = 0; i < count; i++) {
            std::atomic<pid_t> id = 0;
            threads_.emplace_back([&id, this, word, operation, bits] {
                id = ::gettid();
                if (futex(word, operation, 0, nullptr, nullptr, bits) == 0) woken_++;
            });
            while (id == 0)
                std::this_thread::yield();
            wait_until_sleeping(id);
        }
    }
    int join()
    {
        for (auto& thread : threads_)
            thread.join();
        return woken_;
    }

private:
    std::vector<std::thread> threads_;
    std::atomic<int> woken_ = 0;
};

TEST(Futex, wrong_value_returns_at_once)
{
    Word word = 5;
    EXPECT_EQ(futex(&word, FUTEX_WAIT, 4), -EAGAIN);
    EXPECT_EQ(futex(&word, FUTEX_WAIT_BITSET, 4, nullptr, nullptr, 1), -EAGAIN);
}

TEST(Futex, waking_nobody_returns_zero)
{
    Word word = 0;
    EXPECT_EQ(futex(&word, FUTEX_WAKE, 1), 0);
}

TEST(Futex, wakes_as_many_as_asked)
{
    Word word = 0;
    Waiters waiters(&word, 4);
    EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1), 1);
    EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 2), 2);
    EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 100), 1);
    EXPECT_EQ(waiters.join(), 4);
}

TEST(Futex, relative_timeout)
{
    Word word = 0;
    timespec wait { 0, 30'000'000 }, begin = monotonic_now();
    EXPECT_EQ(futex(&word, FUTEX_WAIT, 0, &wait), -ETIMEDOUT);
    EXPECT_GE(seconds_since(begin), 0.03);
}

TEST(Futex, absolute_timeouts)
{
    Word word = 0;
    timespec past = monotonic_now();
    EXPECT_EQ(futex(&word, FUTEX_WAIT_BITSET, 0, &past, nullptr, FUTEX_BITSET_MATCH_ANY), -ETIMEDOUT);
    timespec soon = monotonic_now(), begin = soon;
    soon.tv_nsec += 30'000'000;
    if (soon.tv_nsec >= 1'000'000'000) {
        soon.tv_nsec -= 1'000'000'000;
        soon.tv_sec++;
    }
    EXPECT_EQ(futex(&word, FUTEX_WAIT_BITSET, 0, &soon, nullptr, FUTEX_BITSET_MATCH_ANY), -ETIMEDOUT);
    EXPECT_GE(seconds_since(begin), 0.03);
    timespec wall { 1, 0 };
    EXPECT_EQ(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &wall, nullptr, 1), -ETIMEDOUT);
}

TEST(Futex, errors)
{
    Word words[2] = {};
    timespec bad { 0, 1'000'000'000 }, negative { -1, 0 };
    EXPECT_EQ(futex(words, FUTEX_WAIT, 0, &bad), -EINVAL);
    EXPECT_EQ(futex(words, FUTEX_WAIT, 0, &negative), -EINVAL);
    EXPECT_EQ(raw(SYS_futex, reinterpret_cast<char*>(words) + 1, FUTEX_WAIT, 0, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_futex, 8, FUTEX_WAIT, 0, 0), -EFAULT);
    EXPECT_EQ(futex(words, 99, 0), -ENOSYS);
    EXPECT_EQ(futex(words, FUTEX_WAIT_BITSET, 0, nullptr, nullptr, 0), -EINVAL);
    EXPECT_EQ(futex(words, FUTEX_WAKE_BITSET, 1, nullptr, nullptr, 0), -EINVAL);
}

TEST(Futex, bit_sets_select)
{
    Word word = 0;
    Waiters first(&word, 1, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 1);
    Waiters second(&word, 1, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 2);
    EXPECT_EQ(futex(&word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 10, nullptr, nullptr, 4), 0);
    EXPECT_EQ(futex(&word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 10, nullptr, nullptr, 2), 1);
    EXPECT_EQ(second.join(), 1);
    EXPECT_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 10), 1);
    EXPECT_EQ(first.join(), 1);
}

/// FUTEX_REQUEUE takes a number where the others take a timeout.
void const* number(uintptr_t n) { return reinterpret_cast<void const*>(n); }

TEST(Futex, requeue_moves_waiters)
{
    Word from = 0, to = 0;
    Waiters waiters(&from, 4);
    EXPECT_EQ(futex(&from, FUTEX_REQUEUE_PRIVATE, 1, number(2), &to), 3);
    EXPECT_EQ(futex(&from, FUTEX_WAKE_PRIVATE, 100), 1);
    EXPECT_EQ(futex(&to, FUTEX_WAKE_PRIVATE, 100), 2);
    EXPECT_EQ(waiters.join(), 4);
}

TEST(Futex, compare_and_requeue)
{
    Word from = 0, to = 0;
    Waiters waiters(&from, 2);
    EXPECT_EQ(futex(&from, FUTEX_CMP_REQUEUE_PRIVATE, 1, number(1), &to, 7), -EAGAIN);
    EXPECT_EQ(futex(&from, FUTEX_CMP_REQUEUE_PRIVATE, 1, number(1), &to, 0), 2);
    EXPECT_EQ(futex(&to, FUTEX_WAKE_PRIVATE, 1), 1);
    EXPECT_EQ(waiters.join(), 2);
}

TEST(Futex, wake_op_changes_the_second_word)
{
    Word one = 0, two = 3;
    Waiters first(&one, 1), second(&two, 0);
    // two += 4; wake on `two` as well if it was 3.
    int operation = FUTEX_OP(FUTEX_OP_ADD, 4, FUTEX_OP_CMP_EQ, 3);
    EXPECT_EQ(futex(&one, FUTEX_WAKE_OP_PRIVATE, 1, number(1), &two, uint32_t(operation)), 1);
    EXPECT_EQ(two, 7u);
    EXPECT_EQ(first.join(), 1);
}

TEST(Futex, shared_between_processes)
{
    Mapping page(kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    auto* word = page.as<Word>();
    pid_t child = start([&] { EXPECT_EQ(futex(word, FUTEX_WAIT, 0), 0); });
    wait_until_sleeping(child);
    EXPECT_EQ(futex(word, FUTEX_WAKE, 1), 1);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Futex, shared_through_a_file_mapped_at_two_addresses)
{
    ScratchDirectory scratch;
    Fd fd = new_file("f");
    ASSERT_EQ(::ftruncate(fd, kPage), 0);
    Mapping one(kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd),
        two(kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    pid_t child = start([&] { EXPECT_EQ(futex(one.as<Word>(), FUTEX_WAIT, 0), 0); });
    wait_until_sleeping(child);
    EXPECT_EQ(futex(two.as<Word>(), FUTEX_WAKE, 1), 1);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Futex, private_memory_is_not_shared_after_fork)
{
    Mapping page(kPage);
    auto* word = page.as<Word>();
    *word = 0;
    pid_t child = start([&] { futex(word, FUTEX_WAIT, 0); });
    wait_until_sleeping(child);
    EXPECT_EQ(futex(word, FUTEX_WAKE, 1), 0);
    EXPECT_EQ(process_state(child), 'S');
    ::kill(child, SIGKILL);
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
}

TEST(Futex, pi_lock_is_taken_without_a_waiter)
{
    Word word = 0;
    EXPECT_EQ(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0), 0);
    EXPECT_EQ(word & FUTEX_TID_MASK, uint32_t(::gettid()));
    EXPECT_EQ(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0), -EDEADLK);
    EXPECT_EQ(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0), 0);
    EXPECT_EQ(word, 0u);
    EXPECT_EQ(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0), -EPERM);
}

TEST(Futex, pi_lock_is_handed_over)
{
    Word word = uint32_t(::gettid());
    std::atomic<pid_t> id = 0;
    std::thread waiter([&] {
        id = ::gettid();
        EXPECT_EQ(futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0), -EAGAIN);
        EXPECT_EQ(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0), 0);
        EXPECT_EQ(word & FUTEX_TID_MASK, uint32_t(::gettid()));
        EXPECT_EQ(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0), 0);
    });
    while (!(word & FUTEX_WAITERS))
        std::this_thread::yield();
    EXPECT_EQ(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0), 0);
    waiter.join();
}

TEST(Futex, pi_lock_times_out)
{
    Word word = uint32_t(::gettid());
    std::thread([&] {
        timespec past { 1, 0 };
        EXPECT_EQ(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, &past), -ETIMEDOUT);
    }).join();
}

TEST(Futex, pi_lock_of_nobody)
{
    Word word = 0x3fff'ffff;
    EXPECT_EQ(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0), -ESRCH);
}

struct RobustLock {
    robust_list list {};
    Word word = 0;
};

TEST(Futex, robust_lock_of_a_dead_thread_is_marked)
{
    static RobustLock lock;
    static robust_list_head head;
    std::thread([] {
        head.list.next = &lock.list;
        lock.list.next = &head.list;
        head.futex_offset = offsetof(RobustLock, word);
        head.list_op_pending = nullptr;
        lock.word = uint32_t(::gettid());
        ASSERT_EQ(raw(SYS_set_robust_list, &head, sizeof head), 0);
        raw(SYS_exit, 0);
    }).join();
    EXPECT_EQ(lock.word, uint32_t(FUTEX_OWNER_DIED));
}

TEST(Futex, robust_lock_over_processes_wakes_a_waiter)
{
    Mapping page(kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    auto* lock = new (page.data()) RobustLock;
    auto* head = reinterpret_cast<robust_list_head*>(page.data() + 1024);
    Gate taken;
    pid_t owner = start([&] {
        head->list.next = &lock->list;
        lock->list.next = &head->list;
        head->futex_offset = offsetof(RobustLock, word);
        head->list_op_pending = nullptr;
        lock->word = uint32_t(::gettid()) | FUTEX_WAITERS;
        ASSERT_EQ(raw(SYS_set_robust_list, head, sizeof *head), 0);
        taken.open();
        ::pause();
    });
    taken.wait();
    uint32_t held = lock->word;
    pid_t waiter = start([&] {
        EXPECT_EQ(futex(&lock->word, FUTEX_WAIT, held), 0);
        EXPECT_TRUE(lock->word & FUTEX_OWNER_DIED);
    });
    wait_until_sleeping(waiter);
    ASSERT_EQ(::kill(owner, SIGKILL), 0);
    EXPECT_EQ(wait_for(owner), killed_by(SIGKILL));
    EXPECT_EQ(wait_for(waiter), exited(0));
}

TEST(Futex, robust_list_is_checked_and_returned)
{
    static robust_list_head head;
    EXPECT_EQ(raw(SYS_set_robust_list, &head, 8), -EINVAL);
    std::thread([] {
        ASSERT_EQ(raw(SYS_set_robust_list, &head, sizeof head), 0);
        void* got = nullptr;
        size_t length = 0;
        EXPECT_EQ(raw(SYS_get_robust_list, 0, &got, &length), 0);
        EXPECT_EQ(got, &head);
        EXPECT_EQ(length, sizeof head);
        raw(SYS_set_robust_list, nullptr, sizeof head);
    }).join();
    EXPECT_EQ(raw(SYS_get_robust_list, 0x3fffffff, &head, &head), -ESRCH);
}

struct WaitBlock {
    uint64_t value;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};

TEST(Futex, waiting_for_several)
{
    Word words[2] = {};
    WaitBlock blocks[2] = { { 0, reinterpret_cast<uintptr_t>(&words[0]), 0x82, 0 },
        { 0, reinterpret_cast<uintptr_t>(&words[1]), 0x82, 0 } };
    std::atomic<pid_t> id = 0;
    long result = 0;
    std::thread waiter([&] {
        id = ::gettid();
        result = raw(SYS_futex_waitv, blocks, 2, 0, nullptr, CLOCK_MONOTONIC);
    });
    while (id == 0)
        std::this_thread::yield();
    wait_until_sleeping(id);
    EXPECT_EQ(futex(&words[1], FUTEX_WAKE_PRIVATE, 1), 1);
    waiter.join();
    EXPECT_EQ(result, 1);
    words[0] = 1;
    EXPECT_EQ(raw(SYS_futex_waitv, blocks, 2, 0, nullptr, CLOCK_MONOTONIC), -EAGAIN);
}

TEST(Futex, waiting_for_several_checks_its_arguments)
{
    Word word = 0;
    auto address = reinterpret_cast<uintptr_t>(&word);
    WaitBlock good { 0, address, 0x82, 0 }, no_size { 0, address, 0x80, 0 }, reserved { 0, address, 0x82, 1 };
    WaitBlock wide { uint64_t(1) << 32, address, 0x82, 0 }, crooked { 0, address + 1, 0x82, 0 };
    auto waitv = [](WaitBlock* blocks, unsigned count, unsigned flags, timespec* timeout = nullptr,
                     int clock = 1) { return raw(SYS_futex_waitv, blocks, count, flags, timeout, clock); };
    EXPECT_EQ(waitv(&good, 0, 0), -EINVAL);
    EXPECT_EQ(waitv(&good, 129, 0), -EINVAL);
    EXPECT_EQ(waitv(&good, 1, 1), -EINVAL);
    for (WaitBlock* bad : { &no_size, &reserved, &wide, &crooked })
        EXPECT_EQ(waitv(bad, 1, 0), -EINVAL);
    timespec past { 1, 0 };
    EXPECT_EQ(waitv(&good, 1, 0, &past), -ETIMEDOUT);
    EXPECT_EQ(waitv(&good, 1, 0, &past, CLOCK_REALTIME), -ETIMEDOUT);
    EXPECT_EQ(waitv(&good, 1, 0, &past, CLOCK_BOOTTIME), -EINVAL);
}

constexpr long kFutexWake = 454, kFutexWait = 455, kFutexRequeue = 456;
constexpr unsigned kPrivateWord = 0x82; ///< FUTEX2_SIZE_U32 | FUTEX2_PRIVATE

TEST(Futex, one_call_per_operation)
{
    Word word = 0, other = 0;
    if (raw(kFutexWake, &word, FUTEX_BITSET_MATCH_ANY, 1, kPrivateWord) == -ENOSYS)
        SKIP_AS_HOST_LACKS("futex_wake");
    timespec past { 1, 0 };
    EXPECT_EQ(raw(kFutexWait, &word, 1, 1, kPrivateWord, nullptr, CLOCK_MONOTONIC), -EAGAIN);
    EXPECT_EQ(raw(kFutexWait, &word, 0, 0, kPrivateWord, nullptr, CLOCK_MONOTONIC), -EINVAL);
    EXPECT_EQ(raw(kFutexWait, &word, 0, 1, kPrivateWord, &past, CLOCK_MONOTONIC), -ETIMEDOUT);
    EXPECT_EQ(raw(kFutexWait, &word, 0, 1, 0x80, nullptr, CLOCK_MONOTONIC), -EINVAL);
    Waiters waiters(&word, 3);
    WaitBlock blocks[2] = { { 1, reinterpret_cast<uintptr_t>(&word), kPrivateWord, 0 },
        { 0, reinterpret_cast<uintptr_t>(&other), kPrivateWord, 0 } };
    EXPECT_EQ(raw(kFutexRequeue, blocks, 0, 1, 1), -EAGAIN);
    blocks[0].value = 0;
    EXPECT_EQ(raw(kFutexRequeue, blocks, 0, 1, 1), 2);
    EXPECT_EQ(raw(kFutexWake, &word, FUTEX_BITSET_MATCH_ANY, 10, kPrivateWord), 1);
    EXPECT_EQ(raw(kFutexWake, &other, FUTEX_BITSET_MATCH_ANY, 10, kPrivateWord), 1);
    EXPECT_EQ(waiters.join(), 3);
}

/// A thread that waits on `condition` and shall own `lock` when it returns.
std::thread wait_for_lock(Word& condition, Word& lock)
{
    std::atomic<pid_t> id = 0;
    std::thread thread([&] {
        id = ::gettid();
        EXPECT_EQ(futex(&condition, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, nullptr, &lock), 0);
        EXPECT_EQ(lock & FUTEX_TID_MASK, uint32_t(::gettid()));
        EXPECT_EQ(futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0), 0);
    });
    while (id == 0)
        std::this_thread::yield();
    wait_until_sleeping(id);
    return thread;
}

TEST(Futex, waiter_is_moved_to_a_pi_lock_that_is_held)
{
    Word condition = 0, lock = 0;
    ASSERT_EQ(futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0), 0);
    std::thread waiter = wait_for_lock(condition, lock);
    EXPECT_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI_PRIVATE, 2, number(1), &lock, 0), -EINVAL);
    EXPECT_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, number(1), &condition, 0), -EINVAL);
    EXPECT_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, number(1), &lock, 5), -EAGAIN);
    EXPECT_EQ(futex(&condition, FUTEX_WAKE_PRIVATE, 1), -EINVAL);
    EXPECT_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, number(1), &lock, 0), 1);
    EXPECT_TRUE(lock & FUTEX_WAITERS);
    EXPECT_EQ(futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0), 0);
    waiter.join();
}

TEST(Futex, waiter_gets_a_free_pi_lock_at_once)
{
    Word condition = 0, lock = 0;
    std::thread waiter = wait_for_lock(condition, lock);
    EXPECT_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, number(1), &lock, 0), 1);
    waiter.join();
    timespec past { 1, 0 };
    EXPECT_EQ(futex(&condition, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &past, &lock), -ETIMEDOUT);
    EXPECT_EQ(futex(&condition, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 1, nullptr, &lock), -EAGAIN);
    EXPECT_EQ(futex(&condition, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &past, &condition), -EINVAL);
}

TEST(Futex, pi_lock_of_a_dead_owner_goes_to_the_waiter)
{
    Word word = 0;
    std::thread owner([&] {
        EXPECT_EQ(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0), 0);
        while (!(word & FUTEX_WAITERS))
            std::this_thread::yield();
        raw(SYS_exit, 0);
    });
    while (word == 0)
        std::this_thread::yield();
    EXPECT_EQ(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0), 0);
    EXPECT_EQ(word & FUTEX_TID_MASK, uint32_t(::gettid()));
    EXPECT_TRUE(word & FUTEX_OWNER_DIED);
    EXPECT_EQ(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0), 0);
    owner.join();
}

TEST(Futex, ping_pong_ten_thousand_times)
{
    Word turn = 0;
    std::thread other([&] {
        for (uint32_t i = 0; i < 10'000; i++) {
            while (turn != 2 * i + 1)
                futex(&turn, FUTEX_WAIT_PRIVATE, 2 * i);
            turn = 2 * i + 2;
            futex(&turn, FUTEX_WAKE_PRIVATE, 1);
        }
    });
    for (uint32_t i = 0; i < 10'000; i++) {
        turn = 2 * i + 1;
        futex(&turn, FUTEX_WAKE_PRIVATE, 1);
        while (turn != 2 * i + 2)
            futex(&turn, FUTEX_WAIT_PRIVATE, 2 * i + 1);
    }
    other.join();
}

} // namespace
} // namespace abi_test
