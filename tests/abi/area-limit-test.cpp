// SPDX-License-Identifier: GPL-2.0-or-later
// vm.max_map_count: how many areas an address space may have.
#include "abi-test.h"

#include <string>
#include <sys/mman.h>

namespace abi_test {
namespace {

TEST(AreaLimit, areas_are_limited_however_they_come_about)
{
    long const most = std::stol(read_file("/proc/sys/vm/max_map_count"));
    if (most > 200'000) GTEST_SKIP() << "too many areas to make";
    in_child([most] {
        size_t const pages = size_t(most) + 16;
        void* mapped = ::mmap(nullptr, pages * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(mapped, MAP_FAILED);
        char* at = static_cast<char*>(mapped);
        size_t page = 1;
        while (page + 1 < pages && ::mprotect(at + page * kPage, kPage, PROT_READ) == 0)
            page += 2;
        ASSERT_LT(page + 1, pages);
        EXPECT_EQ(errno, ENOMEM);
        char* rest = at + (page + 2) * kPage;
        EXPECT_ERROR(::madvise(rest, kPage, MADV_DONTFORK), EAGAIN);
        EXPECT_ERROR(::mprotect(rest, kPage, PROT_READ), ENOMEM);
        EXPECT_OK(::mprotect(rest, kPage, PROT_NONE)) << "nothing changes";
        EXPECT_OK(::madvise(rest, kPage, MADV_DOFORK));
    });
}

} // namespace
} // namespace abi_test
