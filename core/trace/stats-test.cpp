// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/trace/stats.h"

#include <gtest/gtest.h>

namespace umbra::trace {
namespace {

TEST(LatencyHistogram, counts_by_powers_of_four)
{
    LatencyHistogram times;
    for (Nanoseconds ns : { 0, 999, 1'000, 3'999, 4'000, 70'000 })
        times.add(ns);
    EXPECT_EQ(times.buckets()[0], 2u);
    EXPECT_EQ(times.buckets()[1], 2u);
    EXPECT_EQ(times.buckets()[2], 1u);
    EXPECT_EQ(times.buckets()[4], 1u) << "64 to 256 us";
    EXPECT_EQ(times.count(), 6u);
    EXPECT_EQ(times.total(), 79'998);
    EXPECT_EQ(times.longest(), 70'000);
}

TEST(LatencyHistogram, tells_shares_by_their_bounds)
{
    LatencyHistogram times;
    EXPECT_EQ(times.bound_of(0.5), 0) << "of nothing";
    for (int i = 0; i < 99; ++i)
        times.add(2'000);
    times.add(5'000'000'000'000);
    EXPECT_EQ(times.bound_of(0.5), 4'000);
    EXPECT_EQ(times.bound_of(0.99), 4'000);
    EXPECT_EQ(times.bound_of(1), 5'000'000'000'000) << "beyond the last bound: the longest";
    EXPECT_EQ(times.buckets().back(), 1u);
    times = {};
    times.add(1'500);
    EXPECT_EQ(times.bound_of(0.5), 1'500) << "no more than the longest";
}

} // namespace
} // namespace umbra::trace
