// SPDX-License-Identifier: GPL-2.0-or-later
// Waiting for the kernel lock: asleep, even while events wait to be dispatched, and no release is missed.
#include "core/sync/kernel-lock.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace umbra {
namespace {

/// A port in which an event lies all the time: wait() would return at once.
class BusyPort final : public platform::VcpuPort {
public:
    void wait(Nanoseconds) override { ++waits; }
    void wait_for_wake() override
    {
        ++sleeps;
        std::unique_lock lock(mutex_);
        condition_.wait(lock, [this] { return woken_; });
        woken_ = false;
    }
    void dispatch() override { }
    void wake() override
    {
        std::lock_guard lock(mutex_);
        woken_ = true;
        condition_.notify_one();
    }
    int waits = 0, sleeps = 0;

private:
    std::mutex mutex_;
    std::condition_variable condition_;
    bool woken_ = false;
};

TEST(KernelLock, WaiterSleepsBesideEvents)
{
    KernelLock lock;
    BusyPort holder, waiter;
    lock.acquire(holder);
    std::thread thread([&] {
        lock.acquire(waiter);
        lock.release();
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    lock.release();
    thread.join();
    EXPECT_EQ(waiter.waits, 0);
    EXPECT_LE(waiter.sleeps, 2);
}

TEST(KernelLock, ManyTakeTurns)
{
    KernelLock lock;
    int count = 0; // guarded by the lock
    BusyPort ports[4]; // they outlive every acquire(): a release may wake one that needs it no more
    std::vector<std::thread> threads;
    for (BusyPort& port : ports) {
        threads.emplace_back([&] {
            for (int i = 0; i < 2000; ++i) {
                lock.acquire(port);
                int const before = count;
                if (i % 100 == 0) std::this_thread::sleep_for(std::chrono::microseconds(20));
                count = before + 1;
                lock.release();
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(count, 4 * 2000);
}

} // namespace
} // namespace umbra
