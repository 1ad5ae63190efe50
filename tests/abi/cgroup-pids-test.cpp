// SPDX-License-Identifier: GPL-2.0-or-later
// The pids controller of cgroups(7), and how controllers are given to children.
#include "cgroups.h"

#include <thread>
#include <vector>

namespace abi_test {
namespace {

struct CgroupPids : InOwnCgroup { };

TEST_F(CgroupPids, counts_processes_threads_and_zombies)
{
    NEEDS_CONTROLLER("pids");
    ASSERT_EQ(make("a"), 0);
    EXPECT_EQ(get("a/pids.max"), "max\n");
    EXPECT_EQ(get("a/pids.current"), "0\n");
    Gate go;
    pid_t const child = start_in("a", [&] {
        EXPECT_EQ(get("a/pids.current"), "1\n");
        std::thread([&] { EXPECT_EQ(get("a/pids.current"), "2\n"); }).join();
        pid_t const zombie = start([] {});
        siginfo_t info;
        ASSERT_OK(::waitid(P_PID, id_t(zombie), &info, WEXITED | WNOWAIT));
        EXPECT_EQ(get("a/pids.current"), "2\n");
        EXPECT_EQ(get("pids.current"), "2\n");
        wait_for(zombie);
        EXPECT_EQ(get("a/pids.current"), "1\n");
    });
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_EQ(get("a/pids.current"), "0\n");
    EXPECT_EQ(get("a/pids.peak"), "2\n");
}

TEST_F(CgroupPids, a_fork_beyond_the_limit_fails)
{
    NEEDS_CONTROLLER("pids");
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(put("a/pids.max", "3"), 0);
    EXPECT_EQ(get("a/pids.max"), "3\n");
    EXPECT_EQ(wait_for(start_in("a",
                  [&] {
                      Gate done;
                      std::vector<pid_t> children;
                      for (int i = 0; i < 2; ++i)
                          children.push_back(start([&] { done.wait(); }));
                      EXPECT_ERROR(::fork(), EAGAIN);
                      EXPECT_ERROR(::fork(), EAGAIN);
                      for (size_t i = 0; i < children.size(); ++i)
                          done.open();
                      for (pid_t child : children)
                          EXPECT_EQ(wait_for(child), exited(0));
                      in_child([] {});
                  })),
        exited(0));
    EXPECT_EQ(value("a/pids.events", "max"), 2);
}

TEST_F(CgroupPids, limits_hold_for_all_below_and_moves_pass_them)
{
    NEEDS_CONTROLLER("pids");
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(put("a/cgroup.subtree_control", "+pids"), 0);
    ASSERT_EQ(make("a/b"), 0);
    ASSERT_EQ(put("a/pids.max", "1"), 0);
    pid_t const first = start_sleeper("a/b"), second = start_sleeper("a/b");
    EXPECT_EQ(get("a/pids.current"), "2\n");
    EXPECT_EQ(get("a/b/pids.current"), "2\n");
    EXPECT_EQ(wait_for(start_in("a/b", [&] { EXPECT_ERROR(::fork(), EAGAIN); })), exited(0));
    EXPECT_EQ(value("a/pids.events", "max"), 1);
    EXPECT_EQ(value("a/b/pids.events", "max"), 0);
    ASSERT_EQ(put("a/cgroup.kill", "1"), 0);
    wait_for(first), wait_for(second);
}

TEST_F(CgroupPids, wrong_limits_are_refused)
{
    NEEDS_CONTROLLER("pids");
    ASSERT_EQ(make("a"), 0);
    for (char const* wrong : { "-1", "x", "4194305" })
        EXPECT_EQ(put("a/pids.max", wrong), EINVAL) << wrong;
    EXPECT_EQ(put("a/pids.max", "0"), 0);
    EXPECT_EQ(put("a/pids.max", "max\n"), 0);
}

TEST_F(CgroupPids, a_controller_comes_from_above)
{
    NEEDS_CONTROLLER("pids");
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(make("a/b"), 0);
    EXPECT_FALSE(exists(path("a/b/pids.max")));
    EXPECT_EQ(get("a/b/cgroup.controllers"), "");
    EXPECT_EQ(put("a/b/cgroup.subtree_control", "+pids"), ENOENT);
    ASSERT_EQ(put("a/cgroup.subtree_control", "+pids"), 0);
    EXPECT_TRUE(exists(path("a/b/pids.max")));
    EXPECT_EQ(get("a/b/cgroup.controllers"), "pids\n");
    ASSERT_EQ(put("a/b/cgroup.subtree_control", "+pids"), 0);
    EXPECT_EQ(put("a/cgroup.subtree_control", "-pids"), EBUSY);
    ASSERT_EQ(put("a/b/cgroup.subtree_control", "-pids"), 0);
    ASSERT_EQ(put("a/b/pids.max", "7"), 0);
    ASSERT_EQ(put("a/cgroup.subtree_control", "-pids"), 0);
    EXPECT_FALSE(exists(path("a/b/pids.max")));
    ASSERT_EQ(put("a/cgroup.subtree_control", "+pids"), 0);
    EXPECT_EQ(get("a/b/pids.max"), "max\n");
}

TEST_F(CgroupPids, threads_may_compete_with_children)
{
    NEEDS_CONTROLLER("pids");
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(make("a/b"), 0);
    pid_t const child = start_sleeper("a");
    // pids can tell threads apart, so that the group becomes the root of threaded ones.
    EXPECT_EQ(put("a/cgroup.subtree_control", "+pids"), 0);
    EXPECT_EQ(get("a/cgroup.type"), "domain threaded\n");
    EXPECT_EQ(get("a/b/cgroup.type"), "domain invalid\n");
    EXPECT_EQ(put("a/b/cgroup.procs", "0"), EOPNOTSUPP);
    ASSERT_OK(::kill(child, SIGKILL));
    wait_for(child);
    EXPECT_EQ(get("a/cgroup.type"), "domain\n");
    pid_t const below = start_sleeper("a/b");
    EXPECT_EQ(put("a/cgroup.procs", "0"), EBUSY);
    ASSERT_OK(::kill(below, SIGKILL));
    wait_for(below);
}

} // namespace
} // namespace abi_test
