// SPDX-License-Identifier: GPL-2.0-or-later
// mremap(2) of anonymous memory.
#include "abi-test.h"

#include <sys/mman.h>

namespace abi_test {
namespace {

void* map(void* address, size_t length)
{
    return ::mmap(address, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

TEST(Remap, grows_and_keeps_contents)
{
    auto* old = static_cast<char*>(map(nullptr, 4 * kPage));
    ASSERT_NE(old, MAP_FAILED);
    for (size_t i = 0; i < 4; i++)
        old[i * kPage] = char(i + 1);
    auto* grown = static_cast<char*>(::mremap(old, 4 * kPage, 512 * kPage, MREMAP_MAYMOVE));
    ASSERT_NE(grown, MAP_FAILED);
    for (size_t i = 0; i < 4; i++)
        EXPECT_EQ(grown[i * kPage], char(i + 1));
    EXPECT_EQ(grown[511 * kPage], 0);
    if (grown != old) {
        EXPECT_FALSE(can_read(old));
    }
    auto* shrunk = static_cast<char*>(::mremap(grown, 512 * kPage, kPage, 0));
    EXPECT_EQ(shrunk, grown);
    EXPECT_FALSE(can_read(grown + kPage));
}

TEST(Remap, in_place_fails_when_blocked)
{
    Mapping area(3 * kPage);
    EXPECT_EQ(::mremap(area.data(), kPage, 2 * kPage, 0), MAP_FAILED);
    EXPECT_EQ(errno, ENOMEM);
    ASSERT_EQ(::munmap(area.data() + kPage, kPage), 0);
    EXPECT_EQ(::mremap(area.data(), kPage, 2 * kPage, 0), area.data());
}

TEST(Remap, fixed_moves_and_replaces)
{
    Mapping from(2 * kPage), to(4 * kPage);
    from[0] = 1;
    from[kPage] = 2;
    std::memset(to.data(), 9, to.size());
    ASSERT_EQ(::mremap(from.data(), 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, to.data() + kPage),
        to.data() + kPage);
    EXPECT_EQ(to[0], 9);
    EXPECT_EQ(to[kPage], 1);
    EXPECT_EQ(to[2 * kPage], 2);
    EXPECT_EQ(to[3 * kPage], 9);
    EXPECT_FALSE(can_read(from.data()));
}

TEST(Remap, back_makes_one_area_again)
{
    Mapping area(8 * kPage), away(2 * kPage);
    std::memset(area.data(), 1, area.size());
    char* middle = area.data() + 3 * kPage;
    int const how = MREMAP_MAYMOVE | MREMAP_FIXED;
    ASSERT_EQ(::mremap(middle, 2 * kPage, 2 * kPage, how, away.data()), away.data());
    ASSERT_EQ(::mremap(away.data(), 2 * kPage, 2 * kPage, how, middle), middle);
    // A call that spans the seams works with one area only.
    ASSERT_NE(::mremap(area.data(), 8 * kPage, 7 * kPage, 0), MAP_FAILED);
    EXPECT_EQ(middle[0], 1);
    Mapping elsewhere(6 * kPage);
    ASSERT_EQ(::mremap(area.data() + kPage, 6 * kPage, 6 * kPage, how, elsewhere.data()), elsewhere.data());
    EXPECT_EQ(elsewhere[5 * kPage], 1);
}

TEST(Remap, cuts_several_areas_off)
{
    Mapping area(8 * kPage);
    ASSERT_EQ(::mprotect(area.data() + 2 * kPage, 2 * kPage, PROT_READ), 0);
    ASSERT_EQ(::munmap(area.data() + 5 * kPage, kPage), 0);
    area[0] = 'x';
    EXPECT_EQ(::mremap(area.data(), 8 * kPage, kPage, 0), area.data());
    EXPECT_TRUE(can_read(area.data()));
    for (size_t page = 1; page < 8; page++)
        EXPECT_FALSE(can_read(area.data() + page * kPage)) << page;
    EXPECT_EQ(::mremap(area.data(), kPage, kPage, 0), area.data()) << "the same length";
}

TEST(Remap, errors)
{
    Mapping area(2 * kPage);
    EXPECT_EQ(raw(SYS_mremap, area.data() + 1, kPage, kPage, 0, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_mremap, area.data(), kPage, 0, 0, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_mremap, area.data(), kPage, kPage, 0x80, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_mremap, area.data(), kPage, kPage, MREMAP_FIXED, area.data() + kPage), -EINVAL);
    EXPECT_EQ(
        raw(SYS_mremap, area.data(), 2 * kPage, kPage, MREMAP_FIXED | MREMAP_MAYMOVE, area.data()), -EINVAL);
    ASSERT_EQ(::munmap(area.data(), kPage), 0);
    EXPECT_EQ(raw(SYS_mremap, area.data(), kPage, 2 * kPage, MREMAP_MAYMOVE, 0), -EFAULT);
}

} // namespace
} // namespace abi_test
