// SPDX-License-Identifier: GPL-2.0-or-later
// Frames that are set aside before they are used.
#include "core/mm/frame.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "core/mm/reservation.h"
#include "core/platform/fake/fake-platform.h"

namespace umbra::mm {
namespace {

constexpr u64 kLimitPages = 4096;

struct ReservedFrames : testing::Test {
    platform::fake::FakePlatform platform;
    PhysicalMemory memory { platform, kLimitPages << kPageShift };

    bool is_zero(Frame frame)
    {
        u8 const* p = memory.data(frame);
        return std::all_of(p, p + kPageSize, [](u8 byte) { return byte == 0; });
    }
};

TEST_F(ReservedFrames, cost_nothing_until_they_are_claimed)
{
    auto [base, order] = memory.reserve(kMaxOrder);
    ASSERT_FALSE(base.is_null());
    EXPECT_EQ(order, kMaxOrder);
    EXPECT_EQ(base.index() % (1u << kMaxOrder), 0u);
    EXPECT_EQ(memory.used(), 0u);
    ASSERT_TRUE(memory.claim(base + 32, 16).ok());
    EXPECT_EQ(memory.used(), 16u);
    EXPECT_EQ(memory.ref_count(base + 32), 1u);
    EXPECT_TRUE(is_zero(base + 47));
    // Nobody else gets one of the rest.
    for (u64 i = 0; i < kLimitPages - 16; ++i) {
        Frame other = memory.allocate().release_value();
        EXPECT_FALSE(other.value >= base.value && other.value < base.value + (1u << kMaxOrder));
    }
    EXPECT_EQ(memory.claim(base, 1).error(), err::nomem);
    EXPECT_EQ(memory.allocate().error(), err::nomem);
}

TEST_F(ReservedFrames, come_back_zeroed)
{
    Frame base = memory.reserve(5).base;
    ASSERT_TRUE(memory.claim(base + 3, 2).ok());
    std::memset(memory.data(base + 3), 0xee, 2 * kPageSize);
    memory.unref(base + 3);
    memory.unref(base + 4);
    memory.unreserve(base, 3);
    memory.unreserve(base + 5, 27);
    EXPECT_EQ(memory.used(), 0u);
    for (u64 i = 0; i < kLimitPages; ++i)
        EXPECT_TRUE(is_zero(memory.allocate().release_value()));
}

TEST_F(ReservedFrames, use_free_memory_first)
{
    // 1 MiB that was in use and is free now, dirty.
    Frame used = memory.allocate(8).release_value();
    std::memset(memory.data(used), 0xee, kPageSize << 8);
    for (u64 i = 0; i < 256; ++i)
        memory.unref(used + i);
    auto [base, order] = memory.reserve(kMaxOrder);
    EXPECT_EQ(order, kMaxOrder);
    EXPECT_EQ(base, used);
    ASSERT_TRUE(memory.claim(base + 5, 3).ok());
    EXPECT_TRUE(is_zero(base + 5) && is_zero(base + 7));
    EXPECT_FALSE(is_zero(base + 8));
    memory.unreserve(base, 5);
    memory.unreserve(base + 8, 504);
    for (u64 i = 0; i < kLimitPages - 3; ++i)
        EXPECT_TRUE(is_zero(memory.allocate().release_value()));
}

TEST_F(ReservedFrames, leave_no_table_behind)
{
    // More than is kept for reuse, so that the table goes back on the way already.
    PhysicalMemory big(platform, u64 { 256 } << 20);
    constexpr u64 kPages = 65536, kInfo = 16;
    std::vector<Frame> frames;
    for (int round = 0; round < 2; ++round) {
        platform.discarded = 0;
        while (frames.size() < kPages)
            frames.push_back(big.allocate(0, FrameContent::any).release_value());
        EXPECT_EQ(platform.discarded, 0u);
        // Once in order, so that whole blocks become free on the way, once not.
        if (round == 1) std::shuffle(frames.begin(), frames.end(), std::mt19937(4711));
        for (Frame frame : frames)
            big.unref(frame);
        frames.clear();
        if (round == 0) {
            EXPECT_GE(platform.discarded, kPages * kInfo / 2);
        }
        big.trim(0);
        EXPECT_GE(platform.discarded, kPages * kInfo);
    }
    // What is left is all there, in whole blocks.
    for (u64 i = 0; i < kPages >> kMaxOrder; ++i)
        EXPECT_TRUE(big.allocate(kMaxOrder).ok());
    EXPECT_EQ(big.allocate().error(), err::nomem);
}

TEST_F(ReservedFrames, keep_their_table_where_it_is_used)
{
    // One page in each block is in use: nothing of the table may go.
    std::vector<Frame> kept;
    for (u64 i = 0; i < kLimitPages >> kMaxOrder; ++i) {
        Frame block = memory.allocate(kMaxOrder).release_value();
        std::memset(memory.data(block), 0xee, kPageSize);
        kept.push_back(block);
        for (u64 j = 1; j < u64 { 1 } << kMaxOrder; ++j)
            memory.unref(block + j);
    }
    memory.trim(0);
    EXPECT_EQ(platform.discarded, 0u);
    for (Frame frame : kept)
        EXPECT_EQ(memory.ref_count(frame), 1u);
    for (u64 i = kept.size(); i < kLimitPages; ++i)
        EXPECT_TRUE(is_zero(memory.allocate().release_value()));
    EXPECT_EQ(memory.allocate().error(), err::nomem);
}

TEST_F(ReservedFrames, are_not_more_than_the_limit)
{
    u64 reserved = 0;
    while (!memory.reserve(kMaxOrder).base.is_null())
        reserved += u64 { 1 } << kMaxOrder;
    EXPECT_EQ(reserved, kLimitPages);
    // And they take nothing away from ordinary frames.
    EXPECT_TRUE(memory.allocate(kMaxOrder).ok());
}

/// Every page belongs to one owner, is zero when it is given out, and comes back, whatever the order of things.
TEST_F(ReservedFrames, storm)
{
    std::mt19937 random(4711);
    std::vector<Frame> owned;
    std::vector<Frame> set_aside;
    auto own = [&](Frame frame) {
        ASSERT_TRUE(is_zero(frame));
        std::memcpy(memory.data(frame), &frame.value, sizeof frame.value);
        owned.push_back(frame);
    };
    for (int step = 0; step < 20'000; ++step) {
        auto what = random() % 16;
        if (what < 5) {
            unsigned order = random() % 8;
            if (auto got = memory.allocate(order); got.ok())
                for (u64 i = 0; i < u64 { 1 } << order; ++i)
                    own(got.value() + i);
        } else if (what < 12 && !owned.empty()) {
            for (auto n = random() % 64; n > 0 && !owned.empty(); --n) {
                std::swap(owned[random() % owned.size()], owned.back());
                u64 seen;
                std::memcpy(&seen, memory.data(owned.back()), sizeof seen);
                ASSERT_EQ(seen, owned.back().value) << "somebody else had it";
                memory.unref(owned.back());
                owned.pop_back();
            }
        } else if (what < 13 && set_aside.size() < 2000) {
            auto [base, order] = memory.reserve(5 + random() % 5);
            for (u64 i = 0; !base.is_null() && i < u64 { 1 } << order; ++i)
                set_aside.push_back(base + i);
        } else if (what < 15 && !set_aside.empty()) {
            std::swap(set_aside[random() % set_aside.size()], set_aside.back());
            if (memory.claim(set_aside.back(), 1).ok()) {
                own(set_aside.back());
                set_aside.pop_back();
            }
        } else if (random() % 8 == 0) {
            for (Frame frame : set_aside)
                memory.unreserve(frame, 1);
            set_aside.clear();
        } else if (random() % 8 == 0) {
            memory.trim(random() % 512);
        }
        ASSERT_EQ(memory.used(), owned.size());
    }
    for (Frame frame : owned)
        memory.unref(frame);
    for (Frame frame : set_aside)
        memory.unreserve(frame, 1);
    memory.trim(0);
    // All of it is in one piece again.
    for (u64 i = 0; i < kLimitPages >> kMaxOrder; ++i)
        EXPECT_TRUE(memory.allocate(kMaxOrder).ok());
    EXPECT_EQ(memory.free(), 0u);
}

TEST_F(ReservedFrames, retire_by_ranges)
{
    ReservationTable table;
    u64 const first = 512;
    Frame base = memory.reserve(6).base;
    auto& r = table.add(first, 64, base);
    EXPECT_EQ(table.find(first - 1), nullptr);
    EXPECT_EQ(table.find(first + 63), &r);
    EXPECT_EQ(table.find(first + 64), nullptr);
    EXPECT_TRUE(table.overlaps(0, first + 1));
    EXPECT_FALSE(table.overlaps(0, first));
    EXPECT_FALSE(table.overlaps(first + 64, first + 100));
    ASSERT_TRUE(memory.claim(r.home(first + 8), 8).ok());
    for (u64 i = 8; i < 16; ++i)
        r.unclaimed.reset(i);
    EXPECT_TRUE(r.can_claim(first, first + 8));
    EXPECT_FALSE(r.can_claim(first, first + 9));
    EXPECT_FALSE(r.can_claim(first + 60, first + 65));

    EXPECT_TRUE(table.retire(memory, first + 4, first + 12));
    EXPECT_FALSE(table.retire(memory, first + 4, first + 12)) << "the stub maps nothing there any more";
    EXPECT_FALSE(r.is_mapped(first + 10));
    EXPECT_TRUE(r.is_mapped(first + 12));
    EXPECT_FALSE(r.can_claim(first, first + 5));
    EXPECT_TRUE(table.retire(memory, 0, 4096));
    EXPECT_EQ(table.find(first), nullptr);
    EXPECT_EQ(memory.used(), 8u);
    // Unclaimed frames are anybody's again, claimed ones are not.
    for (u64 i = 0; i < kLimitPages - 8; ++i) {
        Frame other = memory.allocate().release_value();
        EXPECT_FALSE(other.value >= base.value + 8 && other.value < base.value + 16);
    }
}

} // namespace
} // namespace umbra::mm
