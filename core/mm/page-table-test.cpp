// SPDX-License-Identifier: GPL-2.0-or-later
// Tables come when they are needed and go when the range that is given up covers them.
#include "core/mm/page-table.h"

#include <vector>

#include <gtest/gtest.h>

namespace umbra::mm {
namespace {

constexpr u64 kEnd = u64 { 1 } << 35; // of 47 bits of address

TEST(PageTable, PruneFreesTablesInsideOnly)
{
    for (int level_bits : { 9, 18, 27 }) { // of a leaf, a middle and an upper table
        u64 const size = u64 { 1 } << level_bits;
        PageTable table;
        for (u64 page : { size - 1, size, 2 * size - 1, 2 * size })
            table.get(page);
        table.prune(size, 2 * size);
        EXPECT_NE(table.find(size - 1), nullptr) << level_bits;
        EXPECT_EQ(table.find(size), nullptr) << level_bits;
        EXPECT_EQ(table.find(2 * size - 1), nullptr) << level_bits;
        EXPECT_NE(table.find(2 * size), nullptr) << level_bits;
    }
}

TEST(PageTable, PruneKeepsWhatLiesPartlyOutside)
{
    PageTable table;
    u64 const size = u64 { 1 } << 18;
    for (u64 page : { u64 { 0 }, size - 1, size })
        table.get(page);
    table.prune(1, size); // without page 0: its leaf stays, the last one of that table goes
    EXPECT_NE(table.find(0), nullptr);
    EXPECT_EQ(table.find(size - 1), nullptr);
    table.prune(0, size + 1);
    EXPECT_EQ(table.find(0), nullptr);
    EXPECT_NE(table.find(size), nullptr);
}

TEST(PageTable, IsUsableAfterAllOfItWent)
{
    PageTable table;
    std::vector<u64> const pages = { 0, 511, 512, 1 << 20, kEnd - 1 };
    for (int round = 0; round < 2; ++round) {
        for (u64 page : pages)
            table.get(page).bits = Pte::kPresent;
        std::vector<u64> seen;
        table.for_each(0, kEnd, [&](u64 page, Pte& entry) {
            seen.push_back(page);
            entry = {};
        });
        EXPECT_EQ(seen, pages);
        table.prune(0, kEnd);
        for (u64 page : pages)
            EXPECT_EQ(table.find(page), nullptr);
    }
}

} // namespace
} // namespace umbra::mm
