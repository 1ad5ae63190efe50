// SPDX-License-Identifier: GPL-2.0-or-later
// Advice about memory and questions about it: madvise(2), mincore(2), mlock(2).
#include "abi-test.h"

#include <sys/mman.h>

namespace abi_test {
namespace {

constexpr int kReadWrite = PROT_READ | PROT_WRITE;
constexpr int kShared = MAP_SHARED | MAP_ANONYMOUS;

TEST(Advice, dontneed_gives_zero_pages)
{
    Mapping area(4 * kPage);
    std::memset(area.data(), 1, area.size());
    ASSERT_EQ(::madvise(area.data() + kPage, 2 * kPage, MADV_DONTNEED), 0);
    EXPECT_EQ(area[0], 1);
    EXPECT_EQ(area[kPage], 0);
    EXPECT_EQ(area[3 * kPage - 1], 0);
    EXPECT_EQ(area[3 * kPage], 1);
}

TEST(Advice, dontneed_keeps_shared_anonymous_contents)
{
    Mapping area(kPage, kReadWrite, kShared);
    area[0] = 6;
    ASSERT_EQ(::madvise(area.data(), kPage, MADV_DONTNEED), 0);
    EXPECT_EQ(area[0], 6);
}

TEST(Advice, advice_that_changes_nothing)
{
    Mapping area(4 * kPage);
    area[0] = 1;
    for (int advice : { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTFORK, MADV_DOFORK,
             MADV_DONTDUMP, MADV_DODUMP })
        EXPECT_EQ(::madvise(area.data(), area.size(), advice), 0) << advice;
    EXPECT_EQ(area[0], 1);
}

TEST(Advice, madvise_errors)
{
    Mapping area(2 * kPage);
    EXPECT_ERROR(::madvise(area.data() + 1, kPage, MADV_NORMAL), EINVAL);
    EXPECT_ERROR(::madvise(area.data(), kPage, 9999), EINVAL);
    ASSERT_EQ(::munmap(area.data() + kPage, kPage), 0);
    EXPECT_ERROR(::madvise(area.data(), 2 * kPage, MADV_DONTNEED), ENOMEM);
    EXPECT_EQ(::madvise(area.data(), 0, MADV_NORMAL), 0);
}

TEST(Advice, dontfork_leaves_the_child_without)
{
    Mapping area(2 * kPage);
    ASSERT_EQ(::madvise(area.data(), kPage, MADV_DONTFORK), 0);
    area[0] = 1;
    EXPECT_FALSE(can_read(area.data()));
    EXPECT_TRUE(can_read(area.data() + kPage));
}

TEST(Advice, wipeonfork_gives_the_child_zeros)
{
    Mapping area(kPage);
    area[0] = 1;
    ASSERT_EQ(::madvise(area.data(), kPage, MADV_WIPEONFORK), 0);
    in_child([&] { EXPECT_EQ(area[0], 0); });
    EXPECT_EQ(area[0], 1);
}

TEST(Advice, mincore_tells_touched_pages)
{
    Mapping area(4 * kPage);
    unsigned char resident[4] = { 9, 9, 9, 9 };
    area[kPage] = 1;
    ASSERT_EQ(::mincore(area.data(), 4 * kPage, resident), 0);
    EXPECT_EQ(resident[1] & 1, 1);
    EXPECT_ERROR(::mincore(area.data() + 1, kPage, resident), EINVAL);
    ASSERT_EQ(::munmap(area.data() + 3 * kPage, kPage), 0);
    EXPECT_ERROR(::mincore(area.data(), 4 * kPage, resident), ENOMEM);
    EXPECT_EQ(raw(SYS_mincore, area.data(), kPage, 8), -EFAULT);
}

TEST(Advice, mlock_family)
{
    Mapping area(4 * kPage);
    EXPECT_EQ(::mlock(area.data(), kPage), 0);
    unsigned char resident = 0;
    ASSERT_EQ(::mincore(area.data(), kPage, &resident), 0);
    EXPECT_EQ(resident & 1, 1);
    EXPECT_EQ(::munlock(area.data(), kPage), 0);
    EXPECT_ERROR(::mlock2(area.data(), kPage, 0x80), EINVAL);
    EXPECT_EQ(::munlockall(), 0);
    EXPECT_ERROR(::mlockall(0), EINVAL);
    ASSERT_EQ(::munmap(area.data() + kPage, kPage), 0);
    EXPECT_ERROR(::mlock(area.data(), 2 * kPage), ENOMEM);
}

TEST(Advice, locked_pages_are_not_removed)
{
    Mapping shared(4 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    ASSERT_OK(::mlock(shared.data(), kPage));
    EXPECT_ERROR(::madvise(shared.data(), kPage, MADV_REMOVE), EINVAL);
    EXPECT_ERROR(::madvise(shared.data(), kPage, MADV_DONTNEED), EINVAL);
    EXPECT_OK(::munlock(shared.data(), kPage));
    EXPECT_OK(::madvise(shared.data(), kPage, MADV_REMOVE));
}

TEST(Advice, equal_pages_are_looked_for_or_the_advice_is_unknown)
{
    Mapping m(kPage);
    bool const has_ksm = exists("/sys/kernel/mm/ksm");
    for (int advice : { MADV_MERGEABLE, MADV_UNMERGEABLE })
        EXPECT_EQ(error_of(::madvise(m.data(), kPage, advice)), has_ksm ? 0 : EINVAL);
}

TEST(Advice, mlock_of_what_may_only_be_written)
{
    Mapping m(4 * kPage, PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    ASSERT_OK(::mlock(m.data(), 2 * kPage));
    unsigned char there[4] = {};
    ASSERT_OK(::mincore(m.data(), m.size(), there));
    EXPECT_TRUE(there[0] & 1 && there[1] & 1);
}

TEST(Advice, mlock2_on_fault_touches_nothing)
{
    Mapping m(4 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    ASSERT_OK(raw(SYS_mlock2, m.data(), 2 * kPage, 1));
    unsigned char there[4] = {};
    ASSERT_OK(::mincore(m.data(), m.size(), there));
    EXPECT_FALSE(there[0] & 1 || there[1] & 1);
    EXPECT_EQ(raw(SYS_mlock2, m.data(), kPage, 2), -EINVAL);
}

} // namespace
} // namespace abi_test
