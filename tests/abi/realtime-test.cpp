// SPDX-License-Identifier: GPL-2.0-or-later
// Who goes first: SCHED_FIFO, SCHED_RR, SCHED_DEADLINE and SCHED_IDLE on one CPU, and priorities lent through PI locks.
#include <algorithm>
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#include "abi-test.h"

namespace abi_test {
namespace {

/// What the children of a test tell each other.
struct Board {
    std::atomic<bool> stop;
    std::atomic<int> order[8]; ///< who came when, plus one
    std::atomic<int> places, arrived;
    std::atomic<uint64_t> rounds[8];
    pthread_mutex_t lock;
    std::atomic<bool> held;

    void arrive(int who)
    {
        order[places++] = who + 1;
        ++arrived; // it is written
    }
};

double cpu_seconds()
{
    timespec t;
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return double(t.tv_sec) + double(t.tv_nsec) / 1e9;
}

void use_cpu(double seconds)
{
    for (double const end = cpu_seconds() + seconds; cpu_seconds() < end;) { }
}

void be(int policy, int priority)
{
    sched_param parameters { priority };
    ASSERT_OK(::sched_setscheduler(0, policy, &parameters));
}

/// All on one CPU, and the test more urgent than what it starts.
class Realtime : public testing::Test {
protected:
    void SetUp() override
    {
        sched_param parameters { 90 };
        ASSERT_OK(::sched_getaffinity(0, sizeof before_, &before_));
        if (::sched_setscheduler(0, SCHED_FIFO, &parameters) != 0) GTEST_SKIP() << "needs CAP_SYS_NICE";
        cpu_set_t one;
        CPU_ZERO(&one);
        for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
            if (CPU_ISSET(i, &before_)) CPU_SET(i, &one);
        ASSERT_OK(::sched_setaffinity(0, sizeof one, &one));
    }
    void TearDown() override
    {
        board().stop = true;
        for (pid_t child : children_)
            EXPECT_EQ(wait_for(child), exited(0));
        sched_param parameters { 0 };
        ASSERT_OK(::sched_setscheduler(0, SCHED_OTHER, &parameters));
        ASSERT_OK(::sched_setaffinity(0, sizeof before_, &before_));
    }
    Board& board() { return *shared_.as<Board>(); }
    pid_t child(std::function<void()> const& body)
    {
        children_.push_back(start(body));
        return children_.back();
    }
    /// A child that sleeps at the gate; once it is open, the body runs.
    void child_behind(Gate const& gate, int policy, int priority, std::function<void()> const& body)
    {
        pid_t const pid = child([&] {
            be(policy, priority);
            gate.wait();
            body();
        });
        wait_until_sleeping(pid);
    }
    void spin(int who)
    {
        while (!board().stop)
            ++board().rounds[who];
    }
    /// Sleeping lets the others run.
    template <typename Condition> void wait_until(Condition condition)
    {
        while (!condition())
            ::usleep(1000);
    }
    std::string order()
    {
        std::string all;
        for (int i = 0; i < board().arrived; i++)
            all += char('a' + board().order[i] - 1);
        return all;
    }
    /// Two arrive, yield and arrive again.
    std::string order_of_yielding(int first, int second)
    {
        Gate gates[2];
        for (int i = 0; i < 2; i++)
            child_behind(gates[i], SCHED_FIFO, i ? second : first, [this, i] {
                board().arrive(i);
                ::sched_yield();
                board().arrive(i);
            });
        gates[0].open();
        gates[1].open();
        wait_until([&] { return board().arrived == 4; });
        return order();
    }

private:
    Mapping shared_ { sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS };
    std::vector<pid_t> children_;
    cpu_set_t before_;
};

TEST_F(Realtime, the_higher_priority_goes_first)
{
    Gate gates[4];
    int const priorities[4] = { 10, 30, 0, 20 };
    for (int i = 0; i < 4; i++)
        child_behind(gates[i], priorities[i] ? SCHED_FIFO : SCHED_OTHER, priorities[i],
            [this, i] { board().arrive(i); });
    for (Gate const& gate : gates)
        gate.open();
    wait_until([&] { return board().arrived == 4; });
    EXPECT_EQ(order(), "bdac");
}

TEST_F(Realtime, equals_go_in_the_order_of_their_waking_and_to_the_end)
{
    Gate gates[3];
    for (int i = 0; i < 3; i++)
        child_behind(gates[i], SCHED_FIFO, 20, [this, i] {
            use_cpu(0.02);
            board().arrive(i);
        });
    for (int i : { 2, 0, 1 })
        gates[i].open();
    wait_until([&] { return board().arrived == 3; });
    EXPECT_EQ(order(), "cab");
}

TEST_F(Realtime, a_fair_task_waits_while_one_with_a_priority_runs)
{
    Gate gate;
    child_behind(gate, SCHED_OTHER, 0, [this] { spin(0); });
    gate.open();
    uint64_t const before = board().rounds[0];
    use_cpu(0.05);
    EXPECT_EQ(board().rounds[0], before);
    wait_until([&] { return board().rounds[0] != before; });
}

TEST_F(Realtime, one_that_wakes_preempts_the_less_urgent_at_once)
{
    Gate gate;
    child_behind(gate, SCHED_FIFO, 60, [this] { board().arrive(0); });
    child([&] {
        be(SCHED_FIFO, 10);
        gate.open();
        board().arrive(1);
    });
    wait_until([&] { return board().arrived == 2; });
    EXPECT_EQ(order(), "ab");
}

TEST_F(Realtime, sched_yield_lets_equals_go_first) { EXPECT_EQ(order_of_yielding(20, 20), "abab"); }
TEST_F(Realtime, sched_yield_lets_nobody_less_urgent_go_first)
{
    EXPECT_EQ(order_of_yielding(20, 19), "aabb");
}

TEST_F(Realtime, round_robin_takes_turns)
{
    Gate gates[2];
    for (int i = 0; i < 2; i++)
        child_behind(gates[i], SCHED_RR, 20, [this, i] { spin(i); });
    gates[0].open();
    gates[1].open();
    // A task of SCHED_FIFO would spin for ever before the other began.
    wait_until([&] { return board().rounds[0] > 0 && board().rounds[1] > 0; });
    uint64_t const first = board().rounds[0];
    wait_until([&] { return board().rounds[0] > first; });
}

TEST_F(Realtime, first_in_first_out_takes_no_turns)
{
    Gate gates[2];
    child_behind(gates[0], SCHED_FIFO, 20, [this] {
        use_cpu(0.3);
        board().arrive(0);
    });
    child_behind(gates[1], SCHED_FIFO, 20, [this] { board().arrive(1); });
    gates[0].open();
    gates[1].open();
    wait_until([&] { return board().arrived == 2; });
    EXPECT_EQ(order(), "ab");
}

TEST_F(Realtime, a_change_of_priority_counts_at_once)
{
    Gate gates[2];
    pid_t pids[2];
    for (int i = 0; i < 2; i++) {
        pids[i] = child([&, i] {
            be(SCHED_FIFO, 20);
            gates[i].wait();
            board().arrive(i);
        });
        wait_until_sleeping(pids[i]);
    }
    gates[0].open();
    gates[1].open();
    // Both are runnable, and wait for this one.
    sched_param higher { 21 };
    ASSERT_OK(::sched_setparam(pids[1], &higher));
    wait_until([&] { return board().arrived == 2; });
    EXPECT_EQ(order(), "ba");
}

TEST_F(Realtime, the_others_get_a_part_of_each_second)
{
    Gate gate;
    child_behind(gate, SCHED_OTHER, 0, [this] { spin(0); });
    gate.open();
    uint64_t const before = board().rounds[0];
    while (board().rounds[0] == before) { } // without a call, and for ever if nobody limits it
}

TEST_F(Realtime, the_owner_of_a_lock_runs_with_the_priority_of_who_waits_for_it)
{
    pthread_mutexattr_t attributes;
    ASSERT_EQ(::pthread_mutexattr_init(&attributes), 0);
    ASSERT_EQ(::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), 0);
    ASSERT_EQ(::pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT), 0);
    ASSERT_EQ(::pthread_mutex_init(&board().lock, &attributes), 0);
    Gate medium, high;
    child_behind(medium, SCHED_FIFO, 20, [this] {
        use_cpu(0.05);
        board().arrive(1);
    });
    child_behind(high, SCHED_FIFO, 30, [this] {
        EXPECT_EQ(::pthread_mutex_lock(&board().lock), 0);
        board().arrive(2);
        EXPECT_EQ(::pthread_mutex_unlock(&board().lock), 0);
    });
    child([this] {
        be(SCHED_FIFO, 10);
        EXPECT_EQ(::pthread_mutex_lock(&board().lock), 0);
        board().held = true;
        use_cpu(0.02);
        board().arrive(0);
        EXPECT_EQ(::pthread_mutex_unlock(&board().lock), 0);
    });
    wait_until([&] { return board().held.load(); });
    medium.open();
    high.open();
    wait_until([&] { return board().arrived == 3; });
    // The medium one would keep the low one from running, and with it the high one.
    EXPECT_EQ(order(), "acb");
}

TEST_F(Realtime, the_more_urgent_gets_a_pi_lock_first)
{
    pthread_mutexattr_t attributes;
    ASSERT_EQ(::pthread_mutexattr_init(&attributes), 0);
    ASSERT_EQ(::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), 0);
    ASSERT_EQ(::pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT), 0);
    ASSERT_EQ(::pthread_mutex_init(&board().lock, &attributes), 0);
    ASSERT_EQ(::pthread_mutex_lock(&board().lock), 0);
    for (int i = 0; i < 3; i++) {
        pid_t const pid = child([this, i] {
            be(SCHED_FIFO, std::vector { 10, 30, 20 }[size_t(i)]);
            EXPECT_EQ(::pthread_mutex_lock(&board().lock), 0);
            board().arrive(i);
            EXPECT_EQ(::pthread_mutex_unlock(&board().lock), 0);
        });
        wait_until_sleeping(pid);
    }
    ASSERT_EQ(::pthread_mutex_unlock(&board().lock), 0);
    wait_until([&] { return board().arrived == 3; });
    EXPECT_EQ(order(), "bca");
}

/// struct sched_attr, first version.
struct SchedAttributes {
    uint32_t size = 48, policy = 0;
    uint64_t flags = 0;
    int32_t nice = 0;
    uint32_t priority = 0;
    uint64_t runtime = 0, deadline = 0, period = 0;
};

/// The affinity of who has a deadline is that of the machine: a CPU alone is for a set of its own.
class Bandwidth : public testing::Test {
protected:
    void SetUp() override
    {
        NEEDS_ROOT();
        pid_t const child = start([] {
            SchedAttributes a {
                .policy = 6, .runtime = 1'000'000, .deadline = 9'000'000, .period = 9'000'000
            };
            if (raw(SYS_sched_setattr, 0, &a, 0) != 0) ::_exit(7);
        });
        if (wait_for(child) == exited(7)) SKIP_AS_HOST_LACKS("CPUs that may be reserved");
    }
    static void reserve(uint64_t runtime, uint64_t period, uint64_t flags = 0, pid_t pid = 0)
    {
        SchedAttributes a {
            .policy = 6, .flags = flags, .runtime = runtime, .deadline = period, .period = period
        };
        ASSERT_EQ(raw(SYS_sched_setattr, pid, &a, 0), 0);
    }
};

TEST_F(Bandwidth, a_task_gets_no_more_than_its_share)
{
    in_child([] {
        reserve(10'000'000, 100'000'000);
        timespec const begin = monotonic_now();
        double const used_before = cpu_seconds();
        while (seconds_since(begin) < 1.0) { }
        // A tenth, and at the ends of the second a period's more; a machine with others on it gives less, and lets it go on longer.
        double const used = cpu_seconds() - used_before;
        EXPECT_LT(used, 0.1 * seconds_since(begin) + 0.2);
    });
}

TEST_F(Bandwidth, yielding_waits_for_the_next_period)
{
    in_child([] {
        reserve(5'000'000, 50'000'000);
        timespec const begin
            = monotonic_now(); // a machine that stands still after it does not make the rest shorter
        for (int i = 0; i < 5; i++)
            ::sched_yield(); // the first may be short
        EXPECT_GT(seconds_since(begin), 0.18);
    });
}

std::atomic<int> overruns;

TEST_F(Bandwidth, an_overrun_is_told_where_that_is_asked_for)
{
    in_child([] {
        set_handler(SIGXCPU, [](int) { ++overruns; });
        reserve(5'000'000, 50'000'000, 4 /* SCHED_FLAG_DL_OVERRUN */);
        while (overruns == 0) { }
    });
}

TEST_F(Bandwidth, leaving_the_policy_gives_all_of_the_cpu_back)
{
    Gate ready;
    Mapping shared(kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    auto* const is_reserved = reinterpret_cast<std::atomic<bool>*>(shared.data()); // in memory of both
    pid_t const spinner = start([&] {
        ready.open();
        while (!*is_reserved) { }
        use_cpu(0.3);
    });
    ready.wait();
    reserve(2'000, 4'000'000'000, 0, spinner); // 2 us in 4 s: it waits for its budget nearly always
    *is_reserved = true;
    use_cpu(0.02);
    sched_param parameters { 0 };
    ASSERT_OK(::sched_setscheduler(spinner, SCHED_OTHER, &parameters));
    EXPECT_EQ(wait_for(spinner), exited(0)); // and not after 600,000 s
}

TEST(IdlePolicy, gets_what_others_leave)
{
    Mapping shared(kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    auto* used = shared.as<std::atomic<uint64_t>>();
    in_child([&] {
        cpu_set_t cpus, one;
        ASSERT_OK(::sched_getaffinity(0, sizeof cpus, &cpus));
        CPU_ZERO(&one);
        for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
            if (CPU_ISSET(i, &cpus)) CPU_SET(i, &one);
        ASSERT_OK(::sched_setaffinity(0, sizeof one, &one));
        auto spin = [&](int who, int policy) {
            sched_param parameters { 0 };
            ASSERT_OK(::sched_setscheduler(0, policy, &parameters));
            while (used[2] == 0)
                used[who] = uint64_t(cpu_seconds() * 1e6);
        };
        pid_t const normal = start([&] { spin(0, SCHED_OTHER); });
        pid_t const idle = start([&] { spin(1, SCHED_IDLE); });
        while (used[0] + used[1] < 500'000)
            ::usleep(1000);
        EXPECT_GT(used[0], 10 * used[1]);
        used[2] = 1;
        EXPECT_EQ(wait_for(normal), exited(0));
        EXPECT_EQ(wait_for(idle), exited(0));
    });
}

} // namespace
} // namespace abi_test
