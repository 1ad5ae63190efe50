// SPDX-License-Identifier: GPL-2.0-or-later
// Frames that are sent one after the other over a bad line.
#include "drivers-virtual/net/ethernet/impairment.h"

#include <vector>

#include <gtest/gtest.h>

namespace umbra::drivers {
namespace {

constexpr int kFrames = 10'000;
constexpr Nanoseconds kMillisecond = 1'000'000;

/// When frames of a hundred bytes arrive that are sent at once; -1: never.
std::vector<Nanoseconds> arrivals(Impairments const& impairments, int frames = kFrames)
{
    ImpairedLine line(impairments);
    std::vector<Nanoseconds> result;
    for (int i = 0; i < frames; ++i)
        result.push_back(line.arrival(0, 100).value_or(-1));
    return result;
}

int count(std::vector<Nanoseconds> const& arrivals, Nanoseconds value)
{
    return int(std::count(arrivals.begin(), arrivals.end(), value));
}

TEST(Impairment, AGoodLineChangesNothing)
{
    EXPECT_TRUE(Impairments {}.are_none());
    EXPECT_EQ(count(arrivals({}), 0), kFrames);
}

TEST(Impairment, LatencyIsAdded)
{
    EXPECT_EQ(count(arrivals({ .latency = kMillisecond }), kMillisecond), kFrames);
}

TEST(Impairment, SoManyAreLost)
{
    EXPECT_NEAR(count(arrivals({ .loss = kMillion / 10 }), -1), kFrames / 10, kFrames / 100);
    EXPECT_EQ(count(arrivals({ .loss = kMillion }), -1), kFrames);
}

TEST(Impairment, SoManyOvertake)
{
    auto const all = arrivals({ .latency = kMillisecond, .reorder = kMillion / 4 });
    EXPECT_NEAR(count(all, 0), kFrames / 4, kFrames / 50);
    EXPECT_EQ(count(all, kMillisecond), kFrames - count(all, 0));
}

TEST(Impairment, OneWaitsForTheOther)
{
    // A hundred bytes at 800,000 bits a second: a millisecond each.
    ImpairedLine line({ .latency = 5 * kMillisecond, .rate = 800'000 });
    EXPECT_EQ(line.arrival(0, 100), 6 * kMillisecond);
    EXPECT_EQ(line.arrival(0, 100), 7 * kMillisecond);
    EXPECT_EQ(line.arrival(10 * kMillisecond, 200), 17 * kMillisecond);
}

TEST(Impairment, TheSeedDecides)
{
    Impairments const one { .latency = kMillisecond, .loss = 100'000, .reorder = 100'000, .seed = 7 };
    auto other = one;
    other.seed = 8;
    EXPECT_EQ(arrivals(one), arrivals(one));
    EXPECT_NE(arrivals(one), arrivals(other));
}

TEST(Impairment, OneKindDoesNotChangeWhatTheOtherMeets)
{
    auto const lossy = arrivals({ .loss = 100'000 }),
               both = arrivals({ .latency = kMillisecond, .loss = 100'000, .reorder = 500'000 });
    for (size_t i = 0; i < lossy.size(); ++i)
        EXPECT_EQ(lossy[i] == -1, both[i] == -1) << i;
}

} // namespace
} // namespace umbra::drivers
