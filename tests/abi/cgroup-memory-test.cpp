// SPDX-License-Identifier: GPL-2.0-or-later
// The memory controller of cgroups(7): what is charged, and what happens at a limit.
#include "cgroups.h"

#include <sys/mman.h>
#include <vector>

namespace abi_test {
namespace {

constexpr size_t kMebi = 1 << 20;

struct CgroupMemory : InOwnCgroup {
    long long number(std::string const& name) const { return std::atoll(get(name).c_str()); }
};

void touch(size_t bytes)
{
    char* memory = static_cast<char*>(
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(memory, MAP_FAILED);
    for (size_t i = 0; i < bytes; i += kPage)
        memory[i] = 1;
}

TEST_F(CgroupMemory, files_say_what_was_written)
{
    NEEDS_CONTROLLER("memory");
    ASSERT_EQ(make("a"), 0);
    EXPECT_EQ(get("a/memory.current"), "0\n");
    for (char const* name : { "a/memory.max", "a/memory.high" }) {
        EXPECT_EQ(get(name), "max\n") << name;
        ASSERT_EQ(put(name, "8M"), 0);
        EXPECT_EQ(get(name), "8388608\n") << name;
        ASSERT_EQ(put(name, "max"), 0);
        EXPECT_EQ(put(name, "x"), EINVAL) << name;
    }
    for (char const* name : { "a/memory.min", "a/memory.low" }) {
        EXPECT_EQ(get(name), "0\n") << name;
        ASSERT_EQ(put(name, "4097"), 0);
        EXPECT_EQ(get(name), "4096\n") << name;
    }
    EXPECT_EQ(get("a/memory.events"), "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n");
    EXPECT_EQ(put("a/memory.oom.group", "2"), EINVAL);
    EXPECT_EQ(put("a/memory.oom.group", "1"), 0);
    EXPECT_EQ(get("a/memory.oom.group"), "1\n");
}

TEST_F(CgroupMemory, memory_is_charged_while_it_lasts)
{
    NEEDS_CONTROLLER("memory");
    ASSERT_EQ(make("a"), 0);
    EXPECT_EQ(wait_for(start_in("a",
                  [&] {
                      long long const before = number("a/memory.current");
                      {
                          Mapping memory(8 * kMebi);
                          for (size_t i = 0; i < memory.size(); i += kPage)
                              memory[i] = 1;
                          EXPECT_GE(number("a/memory.current"), before + long(8 * kMebi));
                          EXPECT_GE(value("a/memory.stat", "anon"), long(8 * kMebi));
                          EXPECT_GE(number("memory.current"), long(8 * kMebi));
                      }
                      EXPECT_LT(number("a/memory.current"), before + long(8 * kMebi));
                  })),
        exited(0));
    EXPECT_GE(number("a/memory.peak"), long(8 * kMebi));
    EXPECT_LT(number("a/memory.current"), long(kMebi));
}

TEST_F(CgroupMemory, shared_memory_stays_charged_to_who_wrote_first)
{
    NEEDS_CONTROLLER("memory");
    ASSERT_EQ(make("a"), 0);
    Fd const file = ::memfd_create("x", 0);
    EXPECT_EQ(wait_for(start_in("a",
                  [&] {
                      std::string const text(4 * kMebi, 'x');
                      EXPECT_EQ(::write(file, text.data(), text.size()), ssize_t(text.size()));
                  })),
        exited(0));
    EXPECT_GE(value("a/memory.stat", "shmem"), long(4 * kMebi));
    // A group that has gone keeps what it was charged until it is free.
    EXPECT_EQ(remove("a"), 0);
    EXPECT_GE(value("memory.stat", "shmem"), long(4 * kMebi));
    ASSERT_OK(::ftruncate(file, 0));
    EXPECT_LT(value("memory.stat", "shmem"), long(kMebi));
}

TEST_F(CgroupMemory, who_exceeds_the_limit_is_killed)
{
    NEEDS_CONTROLLER("memory");
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(make("b"), 0);
    pid_t const other = start_sleeper("b");
    ASSERT_EQ(put("a/memory.max", "16M"), 0);
    EXPECT_EQ(wait_for(start_in("a", [] { touch(64 * kMebi); })), killed_by(SIGKILL));
    EXPECT_GE(value("a/memory.events", "max"), 1);
    EXPECT_GE(value("a/memory.events", "oom_kill"), 1);
    EXPECT_EQ(value("b/memory.events", "oom_kill"), 0);
    EXPECT_LE(number("a/memory.peak"), long(17 * kMebi));
    EXPECT_EQ(wait_for(start_in("a", [] { touch(4 * kMebi); })), exited(0));
    ASSERT_OK(::kill(other, 0));
    ASSERT_OK(::kill(other, SIGKILL));
    wait_for(other);
}

TEST_F(CgroupMemory, the_largest_of_the_group_goes)
{
    NEEDS_CONTROLLER("memory");
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(put("a/memory.max", "32M"), 0);
    Gate ready;
    pid_t const large = start_in("a", [&] {
        touch(20 * kMebi);
        ready.open();
        for (;;)
            ::pause();
    });
    ready.wait();
    EXPECT_EQ(wait_for(start_in("a", [] { touch(16 * kMebi); })), exited(0));
    EXPECT_EQ(wait_for(large), killed_by(SIGKILL));
}

TEST_F(CgroupMemory, a_call_at_the_limit_kills_as_well)
{
    NEEDS_CONTROLLER("memory");
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(put("a/memory.max", "16M"), 0);
    Fd const file = ::memfd_create("x", 0);
    EXPECT_EQ(wait_for(start_in("a",
                  [&] {
                      std::string const text(kMebi, 'x');
                      for (int i = 0; i < 64; ++i)
                          if (::write(file, text.data(), text.size()) <= 0) return;
                  })),
        killed_by(SIGKILL));
}

TEST_F(CgroupMemory, a_group_may_die_as_one)
{
    NEEDS_CONTROLLER("memory");
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(put("a/memory.max", "16M"), 0);
    ASSERT_EQ(put("a/memory.oom.group", "1"), 0);
    pid_t const bystander = start_sleeper("a");
    EXPECT_EQ(wait_for(start_in("a", [] { touch(64 * kMebi); })), killed_by(SIGKILL));
    EXPECT_EQ(wait_for(bystander), killed_by(SIGKILL));
    EXPECT_GE(value("a/memory.events", "oom_group_kill"), 1);
}

TEST_F(CgroupMemory, a_limit_below_the_use_makes_room)
{
    NEEDS_CONTROLLER("memory");
    ASSERT_EQ(make("a"), 0);
    Gate ready;
    pid_t const large = start_in("a", [&] {
        touch(20 * kMebi);
        ready.open();
        for (;;)
            ::pause();
    });
    ready.wait();
    ASSERT_EQ(put("a/memory.max", "4M"), 0);
    EXPECT_EQ(wait_for(large), killed_by(SIGKILL));
    EXPECT_LE(number("a/memory.current"), long(4 * kMebi));
}

TEST_F(CgroupMemory, what_cannot_be_reclaimed_is_told)
{
    NEEDS_CONTROLLER("memory");
    ASSERT_EQ(make("a"), 0);
    pid_t const child = start_sleeper("a");
    EXPECT_EQ(put("a/memory.reclaim", "x"), EINVAL);
    EXPECT_EQ(put("a/memory.reclaim", "1G"), EAGAIN);
    ASSERT_OK(::kill(child, SIGKILL));
    wait_for(child);
}

} // namespace
} // namespace abi_test
