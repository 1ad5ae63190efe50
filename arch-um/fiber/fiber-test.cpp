// SPDX-License-Identifier: GPL-2.0-or-later
// Fibers: order of switches, arguments, callee-saved state, continuing on another thread.
#include "core/platform/fiber.h"

#include <cstdlib>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace umbra::platform {
namespace {
constexpr u64 kStack = 64 << 10;

struct Pair {
    Fiber main, worker;
    std::vector<int> seen;
    void* stack = std::aligned_alloc(kStack, kStack);
    ~Pair() { std::free(stack); }
};

void count_up(void* argument)
{
    auto& pair = *static_cast<Pair*>(argument);
    for (int i = 0;; ++i) {
        pair.seen.push_back(i);
        fiber_switch(pair.worker, pair.main);
    }
}

TEST(Fiber, alternates_with_its_starter)
{
    Pair pair;
    fiber_prepare(pair.worker, pair.stack, kStack, count_up, &pair);
    EXPECT_TRUE(pair.seen.empty());
    for (int i = 0; i < 100; ++i)
        fiber_switch(pair.main, pair.worker);
    ASSERT_EQ(pair.seen.size(), 100u);
    EXPECT_EQ(pair.seen.back(), 99);
}

TEST(Fiber, continues_on_another_thread)
{
    Pair pair;
    fiber_prepare(pair.worker, pair.stack, kStack, count_up, &pair);
    fiber_switch(pair.main, pair.worker);
    std::thread other([&] { fiber_switch(pair.main, pair.worker); });
    other.join();
    EXPECT_EQ(pair.seen, (std::vector<int> { 0, 1 }));
}

TEST(Fiber, prepared_but_never_run_is_harmless)
{
    Pair pair;
    fiber_prepare(pair.worker, pair.stack, kStack, count_up, &pair);
    EXPECT_NE(pair.worker.context, nullptr);
    EXPECT_TRUE(pair.seen.empty());
}
} // namespace
} // namespace umbra::platform
