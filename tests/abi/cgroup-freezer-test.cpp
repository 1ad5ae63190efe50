// SPDX-License-Identifier: GPL-2.0-or-later
// cgroup.freeze of cgroups(7): everybody stands still, wherever he is, until he is thawed or killed.
#include "cgroups.h"

#include <atomic>
#include <sys/mman.h>
#include <sys/ptrace.h>

namespace abi_test {
namespace {

struct CgroupFreezer : InOwnCgroup {
    /// A word that children count up in, without system calls.
    std::atomic<uint64_t>* shared = static_cast<std::atomic<uint64_t>*>(
        ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));

    pid_t start_spinner(std::string const& group) const
    {
        Gate ready;
        auto* word = shared;
        pid_t const child = start_in(group, [&] {
            ready.open();
            for (;;)
                word->fetch_add(1, std::memory_order_relaxed);
        });
        ready.wait();
        return child;
    }
    void freeze(std::string const& group) const
    {
        ASSERT_EQ(put(group + "/cgroup.freeze", "1"), 0);
        wait_for_value(group + "/cgroup.events", "frozen", 1);
    }
    void thaw(std::string const& group) const
    {
        ASSERT_EQ(put(group + "/cgroup.freeze", "0"), 0);
        wait_for_value(group + "/cgroup.events", "frozen", 0);
    }
    /// Returns once the word has moved on.
    void expect_running() const
    {
        uint64_t const before = *shared;
        while (*shared == before)
            ::usleep(1000);
    }
    void expect_still() const
    {
        uint64_t const before = *shared;
        for (int i = 0; i < 20; ++i)
            ::sched_yield();
        ::usleep(20'000);
        EXPECT_EQ(*shared, before);
    }
    static void end(pid_t child)
    {
        ASSERT_OK(::kill(child, SIGKILL));
        EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
    }
};

TEST_F(CgroupFreezer, stops_user_code_and_lets_it_go_on)
{
    ASSERT_EQ(make("a"), 0);
    pid_t const child = start_spinner("a");
    expect_running();
    freeze("a");
    expect_still();
    EXPECT_EQ(get("a/cgroup.freeze"), "1\n");
    thaw("a");
    expect_running();
    end(child);
}

TEST_F(CgroupFreezer, an_empty_group_is_frozen_at_once)
{
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(put("a/cgroup.freeze", "1"), 0);
    EXPECT_EQ(value("a/cgroup.events", "frozen"), 1);
    EXPECT_EQ(put("a/cgroup.freeze", "2"), ERANGE);
    EXPECT_EQ(put("a/cgroup.freeze", "x"), EINVAL);
}

TEST_F(CgroupFreezer, the_frozen_can_be_killed)
{
    ASSERT_EQ(make("a"), 0);
    pid_t const spinner = start_spinner("a"), sleeper = start_sleeper("a");
    freeze("a");
    end(spinner);
    end(sleeper);
    EXPECT_EQ(value("a/cgroup.events", "populated"), 0);
}

TEST_F(CgroupFreezer, a_group_below_is_frozen_as_well)
{
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(make("a/b"), 0);
    pid_t const child = start_spinner("a/b");
    freeze("a");
    EXPECT_EQ(value("a/b/cgroup.events", "frozen"), 1);
    EXPECT_EQ(get("a/b/cgroup.freeze"), "0\n");
    expect_still();
    thaw("a");
    expect_running();
    end(child);
}

TEST_F(CgroupFreezer, who_arrives_is_frozen_and_who_leaves_is_not)
{
    ASSERT_EQ(make("a"), 0);
    ASSERT_EQ(make("b"), 0);
    pid_t const child = start_spinner("b");
    freeze("a");
    ASSERT_EQ(put("a/cgroup.procs", std::to_string(child)), 0);
    wait_for_value("a/cgroup.events", "frozen", 1);
    expect_still();
    ASSERT_EQ(put("b/cgroup.procs", std::to_string(child)), 0);
    expect_running();
    EXPECT_EQ(value("a/cgroup.events", "frozen"), 1);
    end(child);
}

TEST_F(CgroupFreezer, a_sleeping_call_goes_on_afterwards)
{
    ASSERT_EQ(make("a"), 0);
    Pipe pipe;
    Gate ready;
    pid_t const child = start_in("a", [&] {
        ready.open();
        char byte;
        EXPECT_EQ(::read(pipe.read_end, &byte, 1), 1);
    });
    ready.wait();
    wait_until_sleeping(child);
    freeze("a");
    EXPECT_EQ(::write(pipe.write_end, "x", 1), 1);
    EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), 0);
    thaw("a");
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(CgroupFreezer, signals_wait_until_the_thaw)
{
    ASSERT_EQ(make("a"), 0);
    auto* word = shared;
    Gate ready;
    pid_t const child = start_in("a", [&] {
        set_handler(SIGUSR1, [](int) { ::_exit(7); });
        ready.open();
        for (;;)
            word->fetch_add(1, std::memory_order_relaxed);
    });
    ready.wait();
    freeze("a");
    ASSERT_OK(::kill(child, SIGUSR1));
    expect_still();
    EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), 0);
    thaw("a");
    EXPECT_EQ(wait_for(child), exited(7));
}

TEST_F(CgroupFreezer, the_stopped_count_as_frozen)
{
    ASSERT_EQ(make("a"), 0);
    pid_t const child = start_spinner("a");
    ASSERT_OK(::kill(child, SIGSTOP));
    EXPECT_EQ(wait_for(child, WUNTRACED), stopped_by(SIGSTOP));
    freeze("a");
    ASSERT_OK(::kill(child, SIGCONT));
    wait_for_value("a/cgroup.events", "frozen", 1);
    expect_still();
    thaw("a");
    expect_running();
    end(child);
}

TEST_F(CgroupFreezer, a_tracer_can_stop_and_look)
{
    ASSERT_EQ(make("a"), 0);
    pid_t const child = start_spinner("a");
    freeze("a");
    ASSERT_OK(::ptrace(PTRACE_SEIZE, child, nullptr, nullptr));
    ASSERT_OK(::ptrace(PTRACE_INTERRUPT, child, nullptr, nullptr));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, __WALL), child);
    EXPECT_TRUE(WIFSTOPPED(status));
    errno = 0;
    (void)::ptrace(PTRACE_PEEKDATA, child, shared, nullptr);
    EXPECT_EQ(errno, 0);
    ASSERT_OK(::ptrace(PTRACE_DETACH, child, nullptr, nullptr));
    wait_for_value("a/cgroup.events", "frozen", 1);
    expect_still();
    thaw("a");
    expect_running();
    end(child);
}

TEST_F(CgroupFreezer, a_fork_bomb_cannot_run_away)
{
    ASSERT_EQ(make("a"), 0);
    Gate ready;
    pid_t const child = start_in("a", [&] {
        ready.open();
        for (;;) {
            pid_t const one = ::fork();
            if (one == 0) ::_exit(0);
            ::waitpid(one, nullptr, 0);
        }
    });
    ready.wait();
    for (int i = 0; i < 10; ++i) {
        freeze("a");
        thaw("a");
    }
    ASSERT_EQ(put("a/cgroup.kill", "1"), 0);
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
    wait_for_value("a/cgroup.events", "populated", 0);
}

} // namespace
} // namespace abi_test
