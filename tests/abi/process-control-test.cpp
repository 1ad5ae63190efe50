// SPDX-License-Identifier: GPL-2.0-or-later
// What a process may say about itself and others to the scheduler and to the kernel: sched_setattr(2), sched(7)'s
// policies, ioprio_set(2), the smaller options of prctl(2), limits that are enforced elsewhere.
#include "abi-test.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <thread>

namespace abi_test {
namespace {

/// struct sched_attr, first version and the two words of the second.
struct SchedAttributes {
    uint32_t size = 48, policy = 0;
    uint64_t flags = 0;
    int32_t nice = 0;
    uint32_t priority = 0;
    uint64_t runtime = 0, deadline = 0, period = 0;
};
static_assert(sizeof(SchedAttributes) == 48);

long set_attributes(SchedAttributes& a, pid_t pid = 0) { return raw(SYS_sched_setattr, pid, &a, 0); }
SchedAttributes attributes_of(pid_t pid)
{
    SchedAttributes a;
    EXPECT_EQ(raw(SYS_sched_getattr, pid, &a, sizeof a, 0), 0);
    return a;
}

TEST(Scheduling, attributes_are_what_the_older_calls_say)
{
    in_child([] {
        ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, 7), 0);
        SchedAttributes now = attributes_of(0);
        EXPECT_GE(now.size, 48u);
        EXPECT_EQ(now.policy, uint32_t(SCHED_OTHER));
        EXPECT_EQ(now.nice, 7);
        SchedAttributes batch { .policy = SCHED_BATCH, .nice = 9 };
        ASSERT_EQ(set_attributes(batch), 0);
        EXPECT_EQ(::sched_getscheduler(0), SCHED_BATCH);
        EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), 9);
        pid_t child = start([] { EXPECT_EQ(attributes_of(0).nice, 9); });
        EXPECT_EQ(wait_for(child), exited(0));
    });
}

TEST(Scheduling, attribute_errors)
{
    SchedAttributes a;
    EXPECT_EQ(raw(SYS_sched_setattr, 0, 0, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_sched_setattr, 0, &a, 1), -EINVAL);
    EXPECT_EQ(raw(SYS_sched_setattr, -1, &a, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_sched_setattr, 0x3fffffff, &a, 0), -ESRCH);
    EXPECT_EQ(raw(SYS_sched_getattr, 0, &a, 16, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_sched_getattr, 0, &a, sizeof a, 1), -EINVAL);
    EXPECT_EQ(raw(SYS_sched_getattr, 0, 0, sizeof a, 0), -EINVAL);
    SchedAttributes unknown { .policy = 77 }, flagged { .flags = uint64_t(1) << 40 };
    EXPECT_EQ(set_attributes(unknown), -EINVAL);
    EXPECT_EQ(set_attributes(flagged), -EINVAL);
    SchedAttributes small { .size = 20 };
    EXPECT_EQ(set_attributes(small), -E2BIG);
    EXPECT_GE(small.size, 48u) << "the kernel tells its size";
    as_ordinary_user([] {
        SchedAttributes fifo { .policy = SCHED_FIFO, .priority = 1 };
        EXPECT_EQ(set_attributes(fifo), -EPERM);
        SchedAttributes nice { .nice = -5 };
        EXPECT_EQ(set_attributes(nice), -EPERM);
    });
}

TEST(Scheduling, realtime_policies_and_reset_on_fork)
{
    NEEDS_ROOT();
    in_child([] {
        sched_param one { 1 };
        if (::sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &one) != 0) {
            // A container's host may keep realtime to itself; the guest has it.
            ASSERT_EQ(errno, EPERM);
            ASSERT_FALSE(std::getenv("UMBRA_ABI_STRICT"));
            return;
        }
        EXPECT_EQ(::sched_getscheduler(0), SCHED_RR | SCHED_RESET_ON_FORK);
        EXPECT_EQ(attributes_of(0).priority, 1u);
        EXPECT_EQ(attributes_of(0).flags & 1, 1u);
        in_child([] {
            EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
            sched_param now { 5 };
            EXPECT_EQ(::sched_getparam(0, &now), 0);
            EXPECT_EQ(now.sched_priority, 0);
        });
    });
}

TEST(Scheduling, idle_policy_keeps_the_nice_value)
{
    in_child([] {
        sched_param zero {};
        ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, 3), 0);
        ASSERT_EQ(::sched_setscheduler(0, SCHED_IDLE, &zero), 0);
        EXPECT_EQ(::sched_getscheduler(0), SCHED_IDLE);
        EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), 3);
        sched_param one { 1 };
        EXPECT_ERROR(::sched_setscheduler(0, SCHED_OTHER, &one), EINVAL);
        EXPECT_ERROR(::sched_setscheduler(0, 99, &zero), EINVAL);
    });
}

TEST(Scheduling, affinity_is_inherited_and_checked)
{
    in_child([] {
        cpu_set_t all, one;
        ASSERT_EQ(::sched_getaffinity(0, sizeof all, &all), 0);
        int first = 0;
        while (!CPU_ISSET(first, &all))
            first++;
        CPU_ZERO(&one);
        CPU_SET(first, &one);
        ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
        EXPECT_EQ(::sched_getcpu(), first);
        in_child([&] {
            cpu_set_t now;
            ASSERT_EQ(::sched_getaffinity(0, sizeof now, &now), 0);
            EXPECT_TRUE(CPU_EQUAL(&now, &one));
            EXPECT_EQ(::sched_getcpu(), first);
        });
        cpu_set_t none;
        CPU_ZERO(&none);
        EXPECT_ERROR(::sched_setaffinity(0, sizeof none, &none), EINVAL);
        EXPECT_ERROR(::sched_setaffinity(0x3fffffff, sizeof one, &one), ESRCH);
        EXPECT_EQ(raw(SYS_sched_getaffinity, 0, 0, &one), -EINVAL);
    });
}

/// ioprio_set(2): class in the upper bits.
constexpr long io_priority(int io_class, int level) { return io_class << 13 | level; }
constexpr int kIoProcess = 1, kIoGroup = 2, kIoUser = 3;
constexpr int kIoRealtime = 1, kIoBestEffort = 2, kIoIdle = 3;

TEST(IoPriority, is_kept_and_inherited)
{
    in_child([] {
        ASSERT_EQ(raw(SYS_ioprio_set, kIoProcess, 0, io_priority(kIoBestEffort, 6)), 0);
        EXPECT_EQ(raw(SYS_ioprio_get, kIoProcess, 0), io_priority(kIoBestEffort, 6));
        in_child([] { EXPECT_EQ(raw(SYS_ioprio_get, kIoProcess, 0), io_priority(kIoBestEffort, 6)); });
        ASSERT_EQ(raw(SYS_ioprio_set, kIoProcess, 0, io_priority(kIoIdle, 0)), 0);
        EXPECT_EQ(raw(SYS_ioprio_get, kIoProcess, ::getpid()), io_priority(kIoIdle, 0));
        ::setpgid(0, 0);
        EXPECT_EQ(raw(SYS_ioprio_get, kIoGroup, 0), io_priority(kIoIdle, 0));
        EXPECT_GE(raw(SYS_ioprio_get, kIoUser, 0), 0);
    });
}

TEST(IoPriority, errors)
{
    EXPECT_EQ(raw(SYS_ioprio_set, 9, 0, io_priority(kIoBestEffort, 0)), -EINVAL);
    EXPECT_EQ(raw(SYS_ioprio_get, 9, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_ioprio_get, kIoProcess, 0x3fffffff), -ESRCH);
    EXPECT_EQ(raw(SYS_ioprio_set, kIoProcess, 0x3fffffff, io_priority(kIoBestEffort, 0)), -ESRCH);
    EXPECT_EQ(raw(SYS_ioprio_set, kIoProcess, 0, io_priority(7, 0)), -EINVAL);
    EXPECT_EQ(raw(SYS_ioprio_set, kIoProcess, 0, io_priority(0, 1)), -EINVAL);
    as_ordinary_user(
        [] { EXPECT_EQ(raw(SYS_ioprio_set, kIoProcess, 0, io_priority(kIoRealtime, 0)), -EPERM); });
}

TEST(Prctl, transparent_huge_pages_can_be_switched_off)
{
    in_child([] {
        EXPECT_EQ(::prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
        EXPECT_EQ(::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
        EXPECT_EQ(::prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
        in_child([] { EXPECT_EQ(::prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1); });
        EXPECT_ERROR(::prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0), EINVAL);
    });
}

TEST(Prctl, timer_slack)
{
    in_child([] {
        long before = ::prctl(PR_GET_TIMERSLACK);
        EXPECT_GT(before, 0);
        ASSERT_EQ(::prctl(PR_SET_TIMERSLACK, 12345), 0);
        EXPECT_EQ(::prctl(PR_GET_TIMERSLACK), 12345);
        in_child([&] {
            EXPECT_EQ(::prctl(PR_GET_TIMERSLACK), 12345) << "inherited";
            ASSERT_EQ(::prctl(PR_SET_TIMERSLACK, 1), 0);
            ASSERT_EQ(::prctl(PR_SET_TIMERSLACK, 0), 0);
            EXPECT_EQ(::prctl(PR_GET_TIMERSLACK), 12345) << "0 is the value it was created with";
        });
    });
}

TEST(Prctl, of_a_kind_that_x86_has_or_lacks)
{
    int value = -1;
    EXPECT_EQ(::prctl(PR_GET_TSC, &value), 0);
    EXPECT_EQ(value, PR_TSC_ENABLE);
    EXPECT_EQ(::prctl(PR_GET_TIMING), PR_TIMING_STATISTICAL);
    EXPECT_EQ(::prctl(PR_SET_TIMING, PR_TIMING_STATISTICAL), 0);
    EXPECT_ERROR(::prctl(PR_SET_TIMING, PR_TIMING_TIMESTAMP), EINVAL);
    EXPECT_ERROR(::prctl(PR_GET_ENDIAN, &value), EINVAL);
    EXPECT_ERROR(::prctl(PR_GET_FPEMU, &value), EINVAL);
    EXPECT_EQ(::prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_DEFAULT);
}

TEST(Limit, file_size_gives_sigxfsz_or_efbig)
{
    ScratchDirectory scratch;
    in_child([] {
        Fd fd = new_file("f");
        rlimit ten { 10, 100 };
        ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &ten), 0);
        set_handler(SIGXFSZ, SIG_IGN);
        EXPECT_EQ(::write(fd, "0123456789abcdef", 16), 10);
        EXPECT_ERROR(::write(fd, "x", 1), EFBIG);
        EXPECT_ERROR(::ftruncate(fd, 11), EFBIG);
        EXPECT_EQ(::pwrite(fd, "y", 1, 3), 1);
        pid_t child = start([&] {
            set_handler(SIGXFSZ, SIG_DFL);
            (void)::write(fd, "x", 1);
        });
        EXPECT_EQ(wait_for(child), killed_by(SIGXFSZ));
    });
}

TEST(Limit, open_files_are_counted_by_number)
{
    in_child([] {
        rlimit few { 16, 64 };
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
        EXPECT_ERROR(::dup2(0, 16), EBADF);
        EXPECT_ERROR(::fcntl(0, F_DUPFD, 16), EINVAL);
        int last = -1, fd;
        while ((fd = ::dup(1)) >= 0)
            last = fd;
        EXPECT_EQ(errno, EMFILE);
        EXPECT_EQ(last, 15);
        int ends[2];
        EXPECT_ERROR(::pipe(ends), EMFILE);
        rlimit more { 20, 64 };
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &more), 0);
        EXPECT_EQ(::dup(1), 16);
    });
}

TEST(Limit, locked_memory)
{
    as_ordinary_user([] {
        rlimit four { 4 * kPage, 4 * kPage };
        ASSERT_EQ(::setrlimit(RLIMIT_MEMLOCK, &four), 0);
        Mapping area(8 * kPage);
        EXPECT_EQ(::mlock(area.data(), 4 * kPage), 0);
        EXPECT_ERROR(::mlock(area.data(), 8 * kPage), ENOMEM);
        rlimit none { 0, 0 };
        ASSERT_EQ(::munlock(area.data(), 8 * kPage), 0);
        ASSERT_EQ(::setrlimit(RLIMIT_MEMLOCK, &none), 0);
        EXPECT_ERROR(::mlock(area.data(), kPage), EPERM);
        EXPECT_ERROR(::mlockall(MCL_CURRENT), EPERM);
    });
}

TEST(Limit, nice_limit_lets_an_ordinary_user_go_down_to_it)
{
    NEEDS_ROOT();
    in_child([] {
        rlimit nice { 25, 25 }; // down to -5
        if (::setrlimit(RLIMIT_NICE, &nice) != 0) return; // a host that keeps this to itself
        become_ordinary_user();
        EXPECT_EQ(::setpriority(PRIO_PROCESS, 0, -5), 0);
        EXPECT_ERROR(::setpriority(PRIO_PROCESS, 0, -6), EACCES);
    });
}

TEST(Priority, by_group_and_user)
{
    in_child([] {
        ASSERT_EQ(::setpgid(0, 0), 0);
        Gate ready;
        pid_t child = start([&] {
            ready.open();
            ::pause();
        });
        ready.wait();
        ASSERT_EQ(::setpriority(PRIO_PGRP, 0, 5), 0);
        EXPECT_EQ(::getpriority(PRIO_PROCESS, child), 5);
        ASSERT_EQ(::setpriority(PRIO_PROCESS, child, 8), 0);
        EXPECT_EQ(::getpriority(PRIO_PGRP, 0), 5) << "the best of the group";
        EXPECT_ERROR(::getpriority(PRIO_PROCESS, 0x3fffffff), ESRCH);
        EXPECT_ERROR(::setpriority(9, 0, 0), EINVAL);
        ::kill(child, SIGKILL);
        wait_for(child);
    });
}

TEST(Priority, is_a_threads_own)
{
    in_child([] {
        int before = ::getpriority(PRIO_PROCESS, 0);
        std::thread([] { EXPECT_EQ(::setpriority(PRIO_PROCESS, 0, 19), 0); }).join();
        EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), before);
    });
}

TEST(Kcmp, tells_what_is_shared)
{
    constexpr int kFile = 0, kVm = 1, kFiles = 2, kFs = 3, kSighand = 4, kSysvSem = 6;
    pid_t me = ::getpid();
    if (raw(SYS_kcmp, me, me, kVm, 0, 0) == -ENOSYS) SKIP_AS_HOST_LACKS("kcmp");
    Fd one = ::open("/dev/null", O_RDONLY), two = ::dup(one), other = ::open("/dev/null", O_RDONLY);
    EXPECT_EQ(raw(SYS_kcmp, me, me, kFile, int(one), int(two)), 0);
    EXPECT_NE(raw(SYS_kcmp, me, me, kFile, int(one), int(other)), 0);
    EXPECT_EQ(raw(SYS_kcmp, me, me, kFile, int(one), 999), -EBADF);
    pid_t child = start([] { ::pause(); });
    for (int type : { kVm, kFiles, kFs, kSighand }) {
        EXPECT_EQ(raw(SYS_kcmp, me, me, type, 0, 0), 0) << type;
        long order = raw(SYS_kcmp, me, child, type, 0, 0);
        EXPECT_TRUE(order == 1 || order == 2) << type;
        EXPECT_EQ(raw(SYS_kcmp, child, me, type, 0, 0), 3 - order) << type;
    }
    EXPECT_EQ(raw(SYS_kcmp, me, child, kFile, int(one), int(one)), 0);
    EXPECT_EQ(raw(SYS_kcmp, me, child, kSysvSem, 0, 0), 0) << "neither has anything to be undone";
    EXPECT_EQ(raw(SYS_kcmp, me, 0x3fffffff, kVm, 0, 0), -ESRCH);
    EXPECT_EQ(raw(SYS_kcmp, me, me, 99, 0, 0), -EINVAL);
    ::kill(child, SIGKILL);
    wait_for(child);
}

TEST(ArchPrctl, forbidding_cpuid)
{
    constexpr int kGetCpuid = 0x1011, kSetCpuid = 0x1012;
    EXPECT_EQ(raw(SYS_arch_prctl, kGetCpuid, 0), 1);
    // A processor that cannot forbid it says so.
    long const forbidden = raw(SYS_arch_prctl, kSetCpuid, 1);
    EXPECT_TRUE(forbidden == 0 || forbidden == -ENODEV) << forbidden;
}

TEST(Personality, sticky_timeouts_leave_the_rest_of_select)
{
    in_child([] {
        ASSERT_OK(::personality(STICKY_TIMEOUTS));
        timeval time { 0, 10 };
        EXPECT_EQ(::select(0, nullptr, nullptr, nullptr, &time), 0);
        EXPECT_EQ(time.tv_usec, 10);
    });
}

constexpr uint32_t kDeadline = 6;

SchedAttributes reservation(uint64_t runtime, uint64_t deadline, uint64_t period)
{
    return { .policy = kDeadline, .runtime = runtime, .deadline = deadline, .period = period };
}

TEST(Deadline, errors)
{
    in_child([] {
        for (auto a : { reservation(0, 0, 0), reservation(1000, 1'000'000, 1'000'000),
                 reservation(3'000'000, 2'000'000, 0), reservation(1'000'000, 3'000'000, 2'000'000),
                 reservation(20'000, 50'000, 50'000), reservation(1'000'000, 5'000'000'000, 0) })
            EXPECT_EQ(set_attributes(a), -EINVAL) << a.runtime << " " << a.deadline << " " << a.period;
        sched_param none { 0 };
        EXPECT_ERROR(::sched_setscheduler(0, kDeadline, &none), EINVAL);
    });
    as_ordinary_user([] {
        auto a = reservation(1'000'000, 30'000'000, 30'000'000);
        EXPECT_EQ(set_attributes(a), -EPERM);
    });
}

TEST(Deadline, is_kept_and_not_inherited)
{
    NEEDS_ROOT();
    in_child([] {
        auto a = reservation(1'000'000, 20'000'000, 30'000'000);
        long const result = set_attributes(a);
        if (result == -EPERM || result == -EBUSY) GTEST_SKIP() << "needs CPUs that may be reserved";
        ASSERT_EQ(result, 0);
        EXPECT_EQ(::sched_getscheduler(0), int(kDeadline));
        SchedAttributes now = attributes_of(0);
        EXPECT_EQ(now.runtime, a.runtime);
        EXPECT_EQ(now.deadline, a.deadline);
        EXPECT_EQ(now.period, a.period);
        EXPECT_EQ(::fork(), -1) << "a reservation cannot be doubled";
        EXPECT_EQ(errno, EAGAIN);
        a.flags = 1; // SCHED_FLAG_RESET_ON_FORK
        a.period = 0;
        ASSERT_EQ(set_attributes(a), 0);
        EXPECT_EQ(attributes_of(0).period, a.deadline);
        pid_t child = start([] { EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER); });
        EXPECT_EQ(wait_for(child), exited(0));
        SchedAttributes plain { .policy = SCHED_OTHER };
        EXPECT_EQ(set_attributes(plain), 0);
    });
}

} // namespace
} // namespace abi_test
