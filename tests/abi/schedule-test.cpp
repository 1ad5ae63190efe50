// SPDX-License-Identifier: GPL-2.0-or-later
// Who gets which CPU: balance over the CPUs, nice values, and tasks that spin beside others that wait.
#include <algorithm>
#include <atomic>
#include <functional>
#include <vector>

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "abi-test.h"

namespace abi_test {
namespace {

/// What spinning children and the test tell each other.
struct Board {
    std::atomic<bool> stop;
    std::atomic<int> cpu[8]; ///< where each child was last, plus one
    std::atomic<uint64_t> used[8]; ///< CPU time of each child in microseconds
};

class Schedule : public testing::Test {
protected:
    void TearDown() override
    {
        board().stop = true;
        for (pid_t child : children_)
            EXPECT_EQ(wait_for(child), exited(0));
    }
    Board& board() { return *shared_.as<Board>(); }

    void spin(
        int index, std::function<void()> before = [] {})
    {
        children_.push_back(start([this, index, before] {
            before();
            while (!board().stop) {
                board().cpu[index] = ::sched_getcpu() + 1;
                for (int i = 0; i < 10'000; i++)
                    asm volatile("");
                timespec t;
                ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
                board().used[index] = uint64_t(t.tv_sec) * 1'000'000 + uint64_t(t.tv_nsec) / 1000;
            }
        }));
    }
    static cpu_set_t usable()
    {
        cpu_set_t cpus;
        EXPECT_EQ(::sched_getaffinity(0, sizeof cpus, &cpus), 0);
        return cpus;
    }
    /// The test and its children stay on one CPU.
    static void stay_on_one_cpu()
    {
        cpu_set_t cpus = usable(), one;
        CPU_ZERO(&one);
        for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
            if (CPU_ISSET(i, &cpus)) CPU_SET(i, &one);
        ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    }

private:
    Mapping shared_ { sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS };
    std::vector<pid_t> children_;
};

TEST(Affinity, errors)
{
    cpu_set_t cpus;
    EXPECT_OK(::sched_getaffinity(0, sizeof cpus, &cpus));
    EXPECT_ERROR(::sched_getaffinity(-1, sizeof cpus, &cpus), ESRCH);
    EXPECT_ERROR(::sched_setaffinity(-1, sizeof cpus, &cpus), ESRCH);
    EXPECT_EQ(raw(SYS_sched_getaffinity, -1, 4, &cpus), -EINVAL);
    EXPECT_EQ(raw(SYS_sched_setaffinity, -1, sizeof cpus, nullptr), -EFAULT);
    CPU_ZERO(&cpus);
    EXPECT_ERROR(::sched_setaffinity(0, sizeof cpus, &cpus), EINVAL);
}

TEST_F(Schedule, spinning_tasks_spread_over_the_cpus)
{
    cpu_set_t const cpus = usable();
    if (CPU_COUNT(&cpus) < 2) GTEST_SKIP() << "needs two CPUs";
    for (int i = 0; i < 4; i++)
        spin(i);
    // Two on each of two CPUs, sooner or later.
    auto spread = [&] {
        int there[2] = { 0, 0 };
        for (int i = 0; i < 4; i++)
            if (int cpu = board().cpu[i]) ++there[cpu == board().cpu[0]];
        return CPU_COUNT(&cpus) == 2 ? there[0] == 2 && there[1] == 2 : there[0] > 0;
    };
    while (!spread())
        ::usleep(1000);
}

TEST_F(Schedule, a_nicer_task_gets_less)
{
    stay_on_one_cpu();
    spin(0);
    spin(1, [] { ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, 15), 0); });
    while (board().used[0] + board().used[1] < 500'000)
        ::usleep(1000);
    EXPECT_GT(board().used[0], 3 * board().used[1]);
}

TEST_F(Schedule, equals_get_equal_shares)
{
    stay_on_one_cpu();
    for (int i = 0; i < 3; i++)
        spin(i);
    // Each has a tenth of all at least, sooner or later: on a machine that is not ours alone, the first slice may
    // last as long as the host lets our CPU wait in it.
    auto shares_are_fair = [&] {
        uint64_t const total = board().used[0] + board().used[1] + board().used[2];
        bool fair = total >= 600'000;
        for (int i = 0; i < 3; i++)
            fair = fair && board().used[i] > total / 10;
        return fair;
    };
    while (!shares_are_fair())
        ::usleep(1000);
}

TEST_F(Schedule, a_waking_task_does_not_starve_beside_spinning_ones)
{
    stay_on_one_cpu();
    for (int i = 0; i < 3; i++)
        spin(i);
    Pipe to, from;
    pid_t echo = start([&] {
        char c;
        while (::read(to.read_end, &c, 1) == 1 && c != 'q')
            ASSERT_EQ(::write(from.write_end, &c, 1), 1);
    });
    int waited_for_all = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t before[3];
        std::copy_n(board().used, 3, before);
        char c = 'x';
        ASSERT_EQ(::write(to.write_end, &c, 1), 1);
        ASSERT_EQ(::read(from.read_end, &c, 1), 1);
        int ran = 0;
        for (int child = 0; child < 3; child++)
            ran += board().used[child] != before[child];
        waited_for_all += ran == 3;
    }
    // In a queue with the others, each turn would have waited for a slice of all three. By their number, and not
    // by time, in which a host's load would count.
    EXPECT_LT(waited_for_all, 50);
    ASSERT_EQ(::write(to.write_end, "q", 1), 1);
    EXPECT_EQ(wait_for(echo), exited(0));
}

} // namespace
} // namespace abi_test
