// SPDX-License-Identifier: GPL-2.0-or-later
// Which of two busy vCPUs on one CPU leaves it, how often, and where to.
#include "arch-um/common/cpu-spread.h"

#include <gtest/gtest.h>

namespace umbra::um {
namespace {

constexpr Nanoseconds kStart = 1'000'000'000;

TEST(CpuSpread, TheHigherIndexLeavesASharedCpu)
{
    CpuSpread spread(3);
    EXPECT_FALSE(spread.should_move(1, 0, kStart)); // nobody else is busy
    EXPECT_FALSE(spread.should_move(0, 0, kStart + 1));
    EXPECT_TRUE(spread.should_move(1, 0, kStart + 2));
    EXPECT_FALSE(spread.should_move(2, 1, kStart + 3)); // on another CPU
}

TEST(CpuSpread, WhoFoundNoPlaceWaitsBeforeTryingAgain)
{
    CpuSpread spread(2);
    Nanoseconds now = kStart;
    spread.should_move(0, 3, now);
    EXPECT_TRUE(spread.should_move(1, 3, now));
    now += CpuSpread::kBetweenMoves - 1;
    spread.should_move(0, 3, now);
    EXPECT_FALSE(spread.should_move(1, 3, now));
    EXPECT_TRUE(spread.should_move(1, 3, now + 1));
}

TEST(CpuSpread, AnIdleOneIsNoNeighbour)
{
    CpuSpread spread(2);
    spread.should_move(0, 0, kStart);
    EXPECT_FALSE(spread.should_move(1, 0, kStart + CpuSpread::kFresh));
}

TEST(CpuSpread, IsCrowdedWhileAnotherIsBusy)
{
    CpuSpread spread(2);
    spread.should_move(1, 1, kStart);
    EXPECT_TRUE(spread.is_crowded(0, kStart));
    EXPECT_FALSE(spread.is_crowded(1, kStart));
    EXPECT_FALSE(spread.is_crowded(0, kStart + CpuSpread::kFresh));
}

TEST(CpuSpread, CpusOfBusyOnesAreTaken)
{
    CpuSpread spread(4);
    spread.should_move(0, 0, kStart - CpuSpread::kFresh); // idle since
    spread.should_move(1, 2, kStart);
    spread.should_move(2, 2, kStart);
    spread.should_move(3, 1, kStart);
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    for (int cpu : { 0, 1, 2, 5 })
        CPU_SET(cpu, &cpus);
    cpu_set_t const left = spread.free_of(cpus, 2, kStart);
    EXPECT_EQ(CPU_COUNT(&left), 2);
    EXPECT_TRUE(CPU_ISSET(0, &left));
    EXPECT_TRUE(CPU_ISSET(5, &left));
}

} // namespace
} // namespace umbra::um
