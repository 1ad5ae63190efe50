// SPDX-License-Identifier: GPL-2.0-or-later
// File locks: ranges, conflicts, conversions. Blocking and EDEADLK are tests/abi/lock-test.cpp's.
#include "core/vfs/locks.h"

#include <gtest/gtest.h>

namespace umbra::vfs {
namespace {

int const alice = 0, bob = 0;

FileLock posix(void const* owner, LockMode mode, u64 first, u64 last = FileLock::kEnd)
{
    return { .kind = LockKind::posix, .mode = mode, .owner = owner, .pid = 1, .first = first, .last = last };
}
FileLock flock(void const* owner, LockMode mode)
{
    return { .kind = LockKind::flock, .mode = mode, .owner = owner, .pid = 1 };
}
constexpr LockMode kShared = LockMode::shared, kExclusive = LockMode::exclusive;

TEST(FileLocks, shared_locks_coexist_and_exclusive_ones_do_not)
{
    FileLocks locks;
    EXPECT_TRUE(locks.try_lock(posix(&alice, kShared, 0, 9)).ok());
    EXPECT_TRUE(locks.try_lock(posix(&bob, kShared, 5, 14)).ok());
    EXPECT_EQ(locks.try_lock(posix(&bob, kExclusive, 9, 9)).error(), err::again);
    EXPECT_TRUE(locks.try_lock(posix(&bob, kExclusive, 10, 20)).ok());
    EXPECT_EQ(locks.try_lock(posix(&alice, kShared, 20, 20)).error(), err::again);
}

TEST(FileLocks, unlocking_the_middle_splits)
{
    FileLocks locks;
    ASSERT_TRUE(locks.try_lock(posix(&alice, kExclusive, 0, 99)).ok());
    locks.unlock(LockKind::posix, &alice, 40, 59);
    ASSERT_EQ(locks.locks().size(), 2u);
    EXPECT_EQ(locks.locks()[0].last, 39u);
    EXPECT_EQ(locks.locks()[1].first, 60u);
    EXPECT_TRUE(locks.try_lock(posix(&bob, kExclusive, 40, 59)).ok());
    EXPECT_EQ(locks.find_conflict(posix(&bob, kShared, 30, 80))->first, 0u);
}

TEST(FileLocks, neighbours_and_overlaps_of_one_mode_merge)
{
    FileLocks locks;
    ASSERT_TRUE(locks.try_lock(posix(&alice, kExclusive, 10, 19)).ok());
    ASSERT_TRUE(locks.try_lock(posix(&alice, kExclusive, 30, 39)).ok());
    ASSERT_TRUE(locks.try_lock(posix(&alice, kExclusive, 20, 29)).ok());
    ASSERT_EQ(locks.locks().size(), 1u);
    ASSERT_TRUE(locks.try_lock(posix(&alice, kExclusive, 35, FileLock::kEnd)).ok());
    ASSERT_EQ(locks.locks().size(), 1u);
    EXPECT_EQ(locks.locks()[0].first, 10u);
    EXPECT_EQ(locks.locks()[0].last, FileLock::kEnd);
}

TEST(FileLocks, a_new_mode_replaces_the_old_one_in_its_range)
{
    FileLocks locks;
    ASSERT_TRUE(locks.try_lock(posix(&alice, kExclusive, 0, 99)).ok());
    ASSERT_TRUE(locks.try_lock(posix(&alice, kShared, 10, 19)).ok());
    ASSERT_EQ(locks.locks().size(), 3u);
    EXPECT_TRUE(locks.try_lock(posix(&bob, kShared, 10, 19)).ok());
    EXPECT_EQ(locks.try_lock(posix(&bob, kShared, 9, 19)).error(), err::again);
}

TEST(FileLocks, record_and_flock_locks_do_not_meet)
{
    FileLocks locks;
    EXPECT_TRUE(locks.try_lock(posix(&alice, kExclusive, 0)).ok());
    EXPECT_TRUE(locks.try_lock(flock(&bob, kExclusive)).ok());
    FileLock ofd = posix(&bob, kShared, 5, 5);
    ofd.kind = LockKind::ofd;
    EXPECT_EQ(locks.try_lock(ofd).error(), err::again);
}

TEST(FileLocks, a_refused_flock_conversion_loses_the_lock)
{
    FileLocks locks;
    ASSERT_TRUE(locks.try_lock(flock(&alice, kShared)).ok());
    ASSERT_TRUE(locks.try_lock(flock(&bob, kShared)).ok());
    EXPECT_EQ(locks.try_lock(flock(&alice, kExclusive)).error(), err::again);
    EXPECT_TRUE(locks.try_lock(flock(&bob, kExclusive)).ok());
    locks.unlock(LockKind::flock, &bob);
    EXPECT_TRUE(locks.is_empty());
}

TEST(FileLocks, unlock_of_one_owner_leaves_the_others)
{
    FileLocks locks;
    ASSERT_TRUE(locks.try_lock(posix(&alice, kShared, 0, 9)).ok());
    ASSERT_TRUE(locks.try_lock(posix(&bob, kShared, 0, 9)).ok());
    locks.unlock(LockKind::posix, &alice);
    ASSERT_EQ(locks.locks().size(), 1u);
    EXPECT_EQ(locks.locks()[0].owner, &bob);
}

} // namespace
} // namespace umbra::vfs
