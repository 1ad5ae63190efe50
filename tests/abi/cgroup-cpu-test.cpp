// SPDX-License-Identifier: GPL-2.0-or-later
// The cpu controller of cgroups(7): what is used, what may be used in a period, who gets how much.
#include "cgroups.h"

#include <atomic>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <vector>

namespace abi_test {
namespace {

long long used_cpu_ns()
{
    timespec now;
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

void burn(long long nanoseconds)
{
    while (used_cpu_ns() < nanoseconds)
        ;
}

struct CgroupCpu : InOwnCgroup { };

TEST_F(CgroupCpu, time_used_is_counted_up_to_the_root)
{
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(make("a/b"), 0);
    EXPECT_EQ(value("a/cpu.stat", "usage_usec"), 0);
    EXPECT_EQ(wait_for(start_in("a/b",
                  [&] {
                      burn(50'000'000);
                      EXPECT_GE(value("a/b/cpu.stat", "usage_usec"), 20'000);
                  })),
        exited(0));
    // What was used stays after the task has gone.
    long long const usage = value("a/cpu.stat", "usage_usec");
    EXPECT_GE(usage, 20'000);
    EXPECT_GE(value("a/b/cpu.stat", "usage_usec"), 20'000);
    EXPECT_LE(std::abs(value("a/cpu.stat", "user_usec") + value("a/cpu.stat", "system_usec") - usage), 2);
    EXPECT_TRUE(exists(root() + "/cpu.stat"));
}

TEST_F(CgroupCpu, files_say_what_was_written)
{
    NEEDS_CONTROLLER("cpu");
    ASSERT_EQ(make("a"), 0);
    EXPECT_EQ(get("a/cpu.max"), "max 100000\n");
    EXPECT_EQ(get("a/cpu.weight"), "100\n");
    EXPECT_EQ(get("a/cpu.weight.nice"), "0\n");
    EXPECT_EQ(get("a/cpu.idle"), "0\n");
    ASSERT_EQ(put("a/cpu.max", "20000"), 0);
    EXPECT_EQ(get("a/cpu.max"), "20000 100000\n");
    ASSERT_EQ(put("a/cpu.max", "max 50000"), 0);
    EXPECT_EQ(get("a/cpu.max"), "max 50000\n");
    ASSERT_EQ(put("a/cpu.weight", "200"), 0);
    EXPECT_EQ(get("a/cpu.weight"), "200\n");
    EXPECT_EQ(get("a/cpu.weight.nice"), "-3\n");
    ASSERT_EQ(put("a/cpu.weight.nice", "5"), 0);
    EXPECT_EQ(get("a/cpu.weight.nice"), "5\n");
    EXPECT_EQ(get("a/cpu.weight"), "33\n");
    ASSERT_EQ(put("a/cpu.idle", "1"), 0);
    EXPECT_EQ(put("a/cpu.weight", "100"), EINVAL);
    ASSERT_EQ(put("a/cpu.idle", "0"), 0);
    EXPECT_EQ(value("a/cpu.stat", "nr_throttled"), 0);
}

TEST_F(CgroupCpu, wrong_values_are_refused)
{
    NEEDS_CONTROLLER("cpu");
    ASSERT_EQ(make("a"), 0);
    for (char const* wrong : { "x", "500", "10000 500", "10000 2000000", "-1" })
        EXPECT_EQ(put("a/cpu.max", wrong), EINVAL) << wrong;
    EXPECT_EQ(put("a/cpu.weight", "0"), ERANGE);
    EXPECT_EQ(put("a/cpu.weight", "10001"), ERANGE);
    EXPECT_EQ(put("a/cpu.weight.nice", "20"), ERANGE);
    EXPECT_EQ(put("a/cpu.idle", "2"), EINVAL);
}

TEST_F(CgroupCpu, a_quota_holds_back_those_below)
{
    NEEDS_CONTROLLER("cpu");
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(make("a/b"), 0);
    ASSERT_EQ(put("a/cpu.max", "5000 50000"), 0);
    timespec const begin = monotonic_now();
    EXPECT_EQ(wait_for(start_in("a/b", [] { burn(60'000'000); })), exited(0));
    // 60 ms at 5 ms in 50 take at least ten periods, whatever else the machine does.
    EXPECT_GE(seconds_since(begin), 0.4);
    EXPECT_GE(value("a/cpu.stat", "nr_throttled"), 5);
    EXPECT_GE(value("a/cpu.stat", "nr_periods"), value("a/cpu.stat", "nr_throttled"));
    EXPECT_GE(value("a/cpu.stat", "throttled_usec"), 100'000);
}

TEST_F(CgroupCpu, who_is_held_back_can_be_killed_and_let_go)
{
    NEEDS_CONTROLLER("cpu");
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(put("a/cpu.max", "1000 1000000"), 0);
    auto spin = [] {
        for (;;)
            ;
    };
    pid_t const killed = start_in("a", spin);
    while (value("a/cpu.stat", "nr_throttled") == 0)
        ::usleep(1000);
    ASSERT_OK(::kill(killed, SIGKILL));
    EXPECT_EQ(wait_for(killed), killed_by(SIGKILL));
    pid_t const freed = start_in("a", [] { burn(20'000'000); });
    ASSERT_EQ(put("a/cpu.max", "max"), 0);
    EXPECT_EQ(wait_for(freed), exited(0));
}

TEST_F(CgroupCpu, groups_share_by_weight_and_not_by_tasks)
{
    NEEDS_CONTROLLER("cpu");
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(make("b"), 0);
    ASSERT_EQ(put("a/cpu.weight", "300"), 0);
    std::vector<pid_t> children;
    auto spin_on_one_cpu = [] {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(0, &one);
        ASSERT_OK(::sched_setaffinity(0, sizeof one, &one));
        for (;;)
            ;
    };
    children.push_back(start_in("a", spin_on_one_cpu));
    for (int i = 0; i < 3; ++i)
        children.push_back(start_in("b", spin_on_one_cpu));
    long long a = 0, b = 0;
    // 3 : 1 it should be, and 1 : 3 it were without groups. What a busy host takes from one of them is made up for later.
    while (a + b < 800'000 || (a <= b && a + b < 10'000'000)) {
        ::usleep(20'000);
        a = value("a/cpu.stat", "usage_usec"), b = value("b/cpu.stat", "usage_usec");
    }
    EXPECT_GT(a, b) << a << " " << b;
    for (pid_t child : children)
        ::kill(child, SIGKILL);
    for (pid_t child : children)
        wait_for(child);
}

} // namespace
} // namespace abi_test
