// SPDX-License-Identifier: GPL-2.0-or-later
// mseal(2): memory that stays as it is. Each test seals in a child, since nothing undoes it.
#include "abi-test.h"

#include <sys/mman.h>

namespace abi_test {
namespace {

constexpr long kMseal = 462;

long seal(void* address, size_t length, unsigned long flags = 0)
{
    return raw(kMseal, address, length, flags);
}

char* map(int protection, size_t pages = 4, int flags = MAP_PRIVATE | MAP_ANONYMOUS)
{
    void* at = ::mmap(nullptr, pages * kPage, protection, flags, -1, 0);
    EXPECT_NE(at, MAP_FAILED);
    return static_cast<char*>(at);
}

class Seal : public ::testing::Test {
protected:
    void SetUp() override
    {
        if (seal(nullptr, 0) == -ENOSYS) SKIP_AS_HOST_LACKS("mseal");
    }
};

TEST_F(Seal, sealed_memory_is_not_changed)
{
    in_child([] {
        char* at = map(PROT_READ | PROT_WRITE);
        ASSERT_EQ(seal(at + kPage, kPage), 0);
        EXPECT_ERROR(::mprotect(at, 4 * kPage, PROT_READ), EPERM);
        EXPECT_TRUE(!can_write(at) && can_write(at + 2 * kPage)) << "only what comes before was changed";
        EXPECT_ERROR(::munmap(at, 4 * kPage), EPERM);
        EXPECT_ERROR(::munmap(at + kPage, kPage), EPERM);
        EXPECT_EQ(::mremap(at + kPage, kPage, 2 * kPage, MREMAP_MAYMOVE), MAP_FAILED);
        EXPECT_EQ(errno, EPERM);
        EXPECT_EQ(::mremap(at, 4 * kPage, kPage, 0), MAP_FAILED) << "it would lose sealed memory";
        EXPECT_EQ(errno, EPERM);
        void* fixed = ::mmap(at, 4 * kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        EXPECT_EQ(fixed, MAP_FAILED);
        EXPECT_EQ(errno, EPERM);
        EXPECT_OK(::mprotect(at, kPage, PROT_READ)) << "what lies beside it is free";
        EXPECT_OK(::munmap(at + 2 * kPage, 2 * kPage));
        at[kPage] = 2;
        EXPECT_EQ(seal(at + kPage, kPage), 0) << "once more is nothing";
    });
}

TEST_F(Seal, what_cannot_be_written_is_not_discarded)
{
    in_child([] {
        char *writable = map(PROT_READ | PROT_WRITE), *read_only = map(PROT_READ);
        ASSERT_EQ(seal(writable, kPage), 0);
        ASSERT_EQ(seal(read_only, kPage), 0);
        writable[0] = 1;
        EXPECT_OK(::madvise(writable, kPage, MADV_DONTNEED));
        EXPECT_EQ(writable[0], 0);
        EXPECT_ERROR(::madvise(read_only, kPage, MADV_DONTNEED), EPERM);
        EXPECT_OK(::madvise(read_only, kPage, MADV_RANDOM));
        char* shared = map(PROT_READ, 1, MAP_SHARED | MAP_ANONYMOUS);
        ASSERT_EQ(seal(shared, kPage), 0);
        EXPECT_OK(::madvise(shared, kPage, MADV_DONTNEED));
    });
}

TEST_F(Seal, is_inherited)
{
    in_child([] {
        char* at = map(PROT_READ | PROT_WRITE);
        ASSERT_EQ(seal(at, kPage), 0);
        in_child([&] { EXPECT_ERROR(::munmap(at, kPage), EPERM); });
    });
}

TEST_F(Seal, errors)
{
    in_child([] {
        char* at = map(PROT_READ | PROT_WRITE);
        ASSERT_OK(::munmap(at + 2 * kPage, kPage));
        EXPECT_EQ(seal(at, kPage, 1), -EINVAL);
        EXPECT_EQ(seal(at + 1, kPage), -EINVAL);
        EXPECT_EQ(seal(at, ~size_t(0) - kPage + 2), -EINVAL);
        EXPECT_EQ(seal(at + kPage, 2 * kPage), -ENOMEM);
        EXPECT_EQ(seal(at + 2 * kPage, kPage), -ENOMEM);
        EXPECT_EQ(seal(at, 0), 0);
        EXPECT_OK(::munmap(at, 4 * kPage)) << "nothing was sealed";
    });
}

} // namespace
} // namespace abi_test
