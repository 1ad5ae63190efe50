// SPDX-License-Identifier: GPL-2.0-or-later
// personality(2): the bits that have an effect on x86-64.
#include "abi-test.h"

#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/select.h>

namespace abi_test {
namespace {

/// Where the stack and the break of a new program are.
std::string layout(unsigned long persona)
{
    Pipe pipe;
    pid_t child = start([&] {
        ::personality(persona);
        ::dup2(pipe.write_end, 1);
        ::execl("/proc/self/exe", "abi-tests", "--helper", "layout", nullptr);
    });
    pipe.write_end.reset();
    std::string text = read_all(pipe.read_end);
    EXPECT_EQ(wait_for(child), exited(0));
    return text;
}

/// The permissions of a mapping, as /proc/self/maps has them.
std::string permissions(void const* where)
{
    char start[32];
    std::snprintf(start, sizeof start, "%lx-", reinterpret_cast<unsigned long>(where));
    std::string maps = "\n" + read_file("/proc/self/maps");
    size_t line = maps.find("\n" + std::string(start));
    if (line == std::string::npos) return "none";
    return maps.substr(maps.find(' ', line) + 1, 3);
}

TEST(Personality, is_kept_and_inherited)
{
    EXPECT_EQ(::personality(0xffffffff), 0);
    EXPECT_EQ(::personality(ADDR_NO_RANDOMIZE), 0);
    EXPECT_EQ(::personality(0xffffffff), ADDR_NO_RANDOMIZE);
    in_child([] { EXPECT_EQ(::personality(0xffffffff), ADDR_NO_RANDOMIZE); });
    EXPECT_EQ(read_file("/proc/self/personality"), "00040000\n");
}

TEST(Personality, addresses_stay_where_they_are)
{
    std::string const first = layout(ADDR_NO_RANDOMIZE);
    EXPECT_FALSE(first.empty());
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(layout(ADDR_NO_RANDOMIZE), first);
}

TEST(Personality, addresses_move_otherwise)
{
    std::string const first = layout(0);
    bool moved = false;
    for (int i = 0; i < 8; i++)
        moved = moved || layout(0) != first;
    EXPECT_TRUE(moved);
}

TEST(Personality, what_can_be_read_can_be_executed)
{
    ::personality(READ_IMPLIES_EXEC);
    Mapping mapped(2 * kPage, PROT_READ);
    EXPECT_EQ(permissions(mapped.data()), "r-x");
    ASSERT_OK(::mprotect(mapped.data(), kPage, PROT_READ | PROT_WRITE));
    EXPECT_EQ(permissions(mapped.data()), "rwx");
    ASSERT_OK(::mprotect(mapped.data(), kPage, PROT_NONE));
    EXPECT_EQ(permissions(mapped.data()), "---");
    ::personality(0);
    ASSERT_OK(::mprotect(mapped.data(), kPage, PROT_READ));
    EXPECT_EQ(permissions(mapped.data()), "r--");
}

TEST(Personality, timeouts_stay_as_they_were)
{
    timeval timeout { 0, 2000 };
    EXPECT_EQ(::select(0, nullptr, nullptr, nullptr, &timeout), 0);
    EXPECT_EQ(timeout.tv_usec, 0);
    ::personality(STICKY_TIMEOUTS);
    timeout = { 0, 2000 };
    EXPECT_EQ(::select(0, nullptr, nullptr, nullptr, &timeout), 0);
    EXPECT_EQ(timeout.tv_usec, 2000);
}

} // namespace
} // namespace abi_test
