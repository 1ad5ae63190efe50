// SPDX-License-Identifier: GPL-2.0-or-later
// Clocks and sleeping: clock_gettime(2), nanosleep(2), timerfd_create(2). Only lower bounds on time are asserted; a slow
// machine must not fail these.
#include "clock.h"

#include <poll.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <thread>

namespace abi_test {
namespace {

TEST(Clock, all_of_them_answer)
{
    for (clockid_t clock :
        { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
            CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI }) {
        timespec t { -1, -1 }, resolution { -1, -1 };
        EXPECT_EQ(::clock_gettime(clock, &t), 0) << clock;
        EXPECT_GE(t.tv_sec, 0) << clock;
        EXPECT_LT(t.tv_nsec, kSecond) << clock;
        EXPECT_EQ(::clock_getres(clock, &resolution), 0) << clock;
        EXPECT_EQ(resolution.tv_sec, 0) << clock;
        EXPECT_GT(resolution.tv_nsec, 0) << clock;
    }
    EXPECT_EQ(::clock_getres(CLOCK_MONOTONIC, nullptr), 0);
}

TEST(Clock, system_call_and_vdso_agree)
{
    for (clockid_t clock : { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME }) {
        timespec before = now(clock), inner {}, after;
        ASSERT_EQ(raw(SYS_clock_gettime, clock, &inner), 0);
        after = now(clock);
        EXPECT_LE(nanoseconds(before), nanoseconds(inner)) << clock;
        EXPECT_LE(nanoseconds(inner), nanoseconds(after)) << clock;
    }
}

TEST(Clock, monotonic_never_goes_back)
{
    long last = nanoseconds(now(CLOCK_MONOTONIC));
    for (int i = 0; i < 100'000; i++) {
        long next = nanoseconds(now(CLOCK_MONOTONIC));
        ASSERT_GE(next, last);
        last = next;
    }
}

TEST(Clock, real_time_agrees_with_the_older_calls)
{
    timespec before = now(CLOCK_REALTIME);
    timeval middle {};
    ASSERT_EQ(::gettimeofday(&middle, nullptr), 0);
    time_t seconds = ::time(nullptr);
    EXPECT_GE(middle.tv_sec * 1'000'000 + middle.tv_usec, before.tv_sec * 1'000'000 + before.tv_nsec / 1000);
    // time(2) may lag by a tick.
    EXPECT_GE(seconds, before.tv_sec - 1);
    EXPECT_GT(before.tv_sec, 1'600'000'000);
}

TEST(Clock, errors)
{
    timespec t;
    EXPECT_ERROR(::clock_gettime(99, &t), EINVAL);
    EXPECT_EQ(raw(SYS_clock_gettime, CLOCK_MONOTONIC, 8), -EFAULT);
    timespec bad { 0, kSecond };
    EXPECT_ERROR(::clock_settime(CLOCK_REALTIME, &bad), EINVAL);
    EXPECT_ERROR(::clock_settime(CLOCK_MONOTONIC, &t), EINVAL);
    as_ordinary_user([] {
        timespec current = now(CLOCK_REALTIME);
        EXPECT_ERROR(::clock_settime(CLOCK_REALTIME, &current), EPERM);
    });
}

TEST(Clock, cpu_time_passes_while_working)
{
    timespec process = now(CLOCK_PROCESS_CPUTIME_ID), thread = now(CLOCK_THREAD_CPUTIME_ID);
    while (nanoseconds(now(CLOCK_THREAD_CPUTIME_ID)) - nanoseconds(thread) < 20 * kMillisecond)
        ;
    EXPECT_GE(nanoseconds(now(CLOCK_PROCESS_CPUTIME_ID)) - nanoseconds(process), 10 * kMillisecond);
    tms usage {};
    EXPECT_NE(::times(&usage), -1);
    EXPECT_NE(::clock(), -1);
}

TEST(Clock, of_another_process)
{
    pid_t child = start([] {
        for (;;)
            asm volatile("pause");
    });
    clockid_t clock;
    ASSERT_EQ(::clock_getcpuclockid(child, &clock), 0);
    while (nanoseconds(now(clock)) < 10 * kMillisecond)
        ::usleep(1000);
    ::kill(child, SIGKILL);
    wait_for(child);
    timespec t;
    EXPECT_ERROR(::clock_gettime(clock, &t), EINVAL);
}

TEST(Sleep, relative_takes_at_least_as_long)
{
    timespec begin = monotonic_now(), wait { 0, 30 * kMillisecond };
    EXPECT_EQ(::nanosleep(&wait, nullptr), 0);
    EXPECT_GE(seconds_since(begin), 0.03);
}

TEST(Sleep, absolute_until_the_instant)
{
    for (clockid_t clock : { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME }) {
        timespec target = plus(now(clock), 30 * kMillisecond);
        EXPECT_EQ(::clock_nanosleep(clock, TIMER_ABSTIME, &target, nullptr), 0);
        EXPECT_GE(nanoseconds(now(clock)), nanoseconds(target));
        timespec past { 1, 0 };
        EXPECT_EQ(::clock_nanosleep(clock, TIMER_ABSTIME, &past, nullptr), 0);
    }
}

TEST(Sleep, zero_and_errors)
{
    timespec zero {}, bad { 0, kSecond }, negative { -1, 0 };
    EXPECT_EQ(::nanosleep(&zero, nullptr), 0);
    EXPECT_ERROR(::nanosleep(&bad, nullptr), EINVAL);
    EXPECT_ERROR(::nanosleep(&negative, nullptr), EINVAL);
    EXPECT_EQ(raw(SYS_nanosleep, 8, 0), -EFAULT);
    EXPECT_EQ(::clock_nanosleep(99, 0, &zero, nullptr), EINVAL);
    EXPECT_EQ(::clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &zero, nullptr), EINVAL)
        << "the library's answer";
    for (int clock : { CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE })
        EXPECT_EQ(raw(SYS_clock_nanosleep, clock, 0, &zero, nullptr), -EOPNOTSUPP) << clock;
}

TEST(Sleep, on_the_cpu_time_of_others)
{
    timespec wait { 0, 10 * kMillisecond };
    std::thread(spin_for_ever).detach();
    EXPECT_EQ(::clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &wait, nullptr), 0);
    pid_t child = start(spin_for_ever);
    clockid_t clock;
    ASSERT_EQ(::clock_getcpuclockid(child, &clock), 0);
    EXPECT_EQ(::clock_nanosleep(clock, TIMER_ABSTIME, &wait, nullptr), 0);
    EXPECT_GE(nanoseconds(now(clock)), 10 * kMillisecond);
    ::kill(child, SIGKILL);
    wait_for(child);
}

TEST(TimerFd, counts_expiries)
{
    Fd fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    ASSERT_OK(fd);
    uint64_t count = 0;
    EXPECT_ERROR(::read(fd, &count, 8), EAGAIN);
    itimerspec often { { 0, kMillisecond }, { 0, kMillisecond } };
    ASSERT_EQ(::timerfd_settime(fd, 0, &often, nullptr), 0);
    ::usleep(20'000);
    ASSERT_EQ(::read(fd, &count, 8), 8);
    EXPECT_GE(count, 15u);
}

TEST(TimerFd, blocks_and_polls)
{
    Fd fd = ::timerfd_create(CLOCK_REALTIME, 0);
    itimerspec soon { {}, { 0, 20 * kMillisecond } };
    timespec begin = monotonic_now();
    ASSERT_EQ(::timerfd_settime(fd, 0, &soon, nullptr), 0);
    pollfd event { fd, POLLIN, 0 };
    EXPECT_EQ(::poll(&event, 1, -1), 1);
    EXPECT_GE(seconds_since(begin), 0.02);
    uint64_t count = 0;
    EXPECT_EQ(::read(fd, &count, 8), 8);
    EXPECT_EQ(count, 1u);
    ASSERT_EQ(::timerfd_settime(fd, 0, &soon, nullptr), 0);
    EXPECT_EQ(::read(fd, &count, 8), 8);
}

TEST(TimerFd, absolute_gettime_and_disarm)
{
    Fd fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    itimerspec target { { 5, 0 }, plus(monotonic_now(), 3600 * kSecond) }, current {}, off {};
    ASSERT_EQ(::timerfd_settime(fd, TFD_TIMER_ABSTIME, &target, nullptr), 0);
    ASSERT_EQ(::timerfd_gettime(fd, &current), 0);
    EXPECT_EQ(current.it_interval.tv_sec, 5);
    EXPECT_LE(current.it_value.tv_sec, 3600);
    EXPECT_GE(current.it_value.tv_sec, 3500);
    ASSERT_EQ(::timerfd_settime(fd, 0, &off, nullptr), 0);
    ASSERT_EQ(::timerfd_gettime(fd, &current), 0);
    EXPECT_EQ(nanoseconds(current.it_value), 0);
}

TEST(TimerFd, errors)
{
    EXPECT_ERROR(::timerfd_create(CLOCK_THREAD_CPUTIME_ID, 0), EINVAL);
    EXPECT_ERROR(::timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
    Fd fd = ::timerfd_create(CLOCK_MONOTONIC, 0);
    itimerspec bad { {}, { 0, kSecond } };
    EXPECT_ERROR(::timerfd_settime(fd, 0, &bad, nullptr), EINVAL);
    EXPECT_ERROR(::timerfd_settime(0, 0, &bad, nullptr), EINVAL);
    char small[4];
    EXPECT_ERROR(::read(fd, small, 4), EINVAL);
    EXPECT_ERROR(::write(fd, small, 4), EINVAL);
}

TEST(Clock, coarse_ones_go_on_from_call_to_vdso)
{
    for (clockid_t clock : { CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE }) {
        long long last = 0;
        for (int round = 0; round < 1000; round++) {
            timespec by_call {};
            ASSERT_EQ(raw(SYS_clock_gettime, clock, &by_call), 0);
            ASSERT_GE(nanoseconds(by_call), last);
            last = nanoseconds(now(clock));
            ASSERT_GE(last, nanoseconds(by_call));
        }
    }
}

} // namespace
} // namespace abi_test
