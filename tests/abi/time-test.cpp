// SPDX-License-Identifier: GPL-2.0-or-later
// Clocks, sleeping, timers: clock_gettime(2), nanosleep(2), timer_create(2), setitimer(2), timerfd_create(2),
// alarm(2). Only lower bounds on time are asserted; a slow machine must not fail these.
#include "abi-test.h"

#include <atomic>
#include <poll.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <time.h>

namespace abi_test {
namespace {

constexpr long kMillisecond = 1'000'000;
constexpr long kSecond = 1'000'000'000;

long nanoseconds(timespec const& t) { return t.tv_sec * kSecond + t.tv_nsec; }
timespec plus(timespec t, long ns)
{
    long total = nanoseconds(t) + ns;
    return { total / kSecond, total % kSecond };
}
timespec now(clockid_t clock)
{
    timespec t {};
    EXPECT_EQ(::clock_gettime(clock, &t), 0);
    return t;
}

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
    EXPECT_EQ(::clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &zero, nullptr), EINVAL);
}

int volatile ticks;
siginfo_t tick_info;
void tick(int, siginfo_t* info, void*)
{
    tick_info = *info;
    ticks = ticks + 1;
}

timer_t make_timer(clockid_t clock, int signal, int value = 0)
{
    sigevent event {};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = signal;
    event.sigev_value.sival_int = value;
    timer_t timer {};
    EXPECT_EQ(::timer_create(clock, &event, &timer), 0);
    return timer;
}

TEST(Timer, fires_with_its_value)
{
    block_signals({ SIGRTMIN });
    timer_t timer = make_timer(CLOCK_MONOTONIC, SIGRTMIN, 77);
    itimerspec once { {}, { 0, 20 * kMillisecond } };
    timespec begin = monotonic_now();
    ASSERT_EQ(::timer_settime(timer, 0, &once, nullptr), 0);
    sigset_t wanted = signals({ SIGRTMIN });
    siginfo_t info {};
    ASSERT_EQ(::sigwaitinfo(&wanted, &info), SIGRTMIN);
    EXPECT_GE(seconds_since(begin), 0.02);
    EXPECT_EQ(info.si_code, SI_TIMER);
    EXPECT_EQ(info.si_value.sival_int, 77);
    EXPECT_EQ(info.si_overrun, 0);
    EXPECT_EQ(::timer_delete(timer), 0);
}

TEST(Timer, repeats_and_counts_overruns)
{
    block_signals({ SIGRTMIN });
    timer_t timer = make_timer(CLOCK_MONOTONIC, SIGRTMIN);
    itimerspec often { { 0, kMillisecond }, { 0, kMillisecond } };
    ASSERT_EQ(::timer_settime(timer, 0, &often, nullptr), 0);
    ::usleep(50'000);
    sigset_t wanted = signals({ SIGRTMIN });
    siginfo_t info {};
    ASSERT_EQ(::sigwaitinfo(&wanted, &info), SIGRTMIN);
    // Fifty expiries at least, one signal: the others are overruns.
    EXPECT_GE(info.si_overrun, 40);
    EXPECT_GE(::timer_getoverrun(timer), 40);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(::sigwaitinfo(&wanted, &info), SIGRTMIN);
}

TEST(Timer, gettime_counts_down_and_disarming_stops)
{
    timer_t timer = make_timer(CLOCK_REALTIME, SIGRTMIN);
    itimerspec hour { { 7, 0 }, { 3600, 0 } }, current {}, off {};
    ASSERT_EQ(::timer_settime(timer, 0, &hour, nullptr), 0);
    ASSERT_EQ(::timer_gettime(timer, &current), 0);
    EXPECT_EQ(current.it_interval.tv_sec, 7);
    EXPECT_LE(current.it_value.tv_sec, 3600);
    EXPECT_GE(current.it_value.tv_sec, 3500);
    ASSERT_EQ(::timer_settime(timer, 0, &off, &current), 0);
    EXPECT_GE(current.it_value.tv_sec, 3500);
    ASSERT_EQ(::timer_gettime(timer, &current), 0);
    EXPECT_EQ(nanoseconds(current.it_value), 0);
}

TEST(Timer, absolute_in_the_past_fires_at_once)
{
    block_signals({ SIGRTMIN });
    timer_t timer = make_timer(CLOCK_MONOTONIC, SIGRTMIN);
    itimerspec past { {}, { 0, 1 } };
    ASSERT_EQ(::timer_settime(timer, TIMER_ABSTIME, &past, nullptr), 0);
    sigset_t wanted = signals({ SIGRTMIN });
    EXPECT_EQ(::sigwaitinfo(&wanted, nullptr), SIGRTMIN);
}

TEST(Timer, without_an_event_sends_sigalrm)
{
    block_signals({ SIGALRM });
    timer_t timer {};
    ASSERT_EQ(::timer_create(CLOCK_MONOTONIC, nullptr, &timer), 0);
    itimerspec soon { {}, { 0, 1 } };
    ASSERT_EQ(::timer_settime(timer, 0, &soon, nullptr), 0);
    sigset_t wanted = signals({ SIGALRM });
    siginfo_t info {};
    EXPECT_EQ(::sigwaitinfo(&wanted, &info), SIGALRM);
    EXPECT_EQ(info.si_code, SI_TIMER);
}

TEST(Timer, silent_timer_only_counts)
{
    sigevent event {};
    event.sigev_notify = SIGEV_NONE;
    timer_t timer {};
    ASSERT_EQ(::timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    itimerspec hour { {}, { 3600, 0 } }, current {};
    ASSERT_EQ(::timer_settime(timer, 0, &hour, nullptr), 0);
    ASSERT_EQ(::timer_gettime(timer, &current), 0);
    EXPECT_GT(current.it_value.tv_sec, 3000);
}

std::atomic<int> called;

TEST(Timer, thread_notification)
{
    sigevent event {};
    event.sigev_notify = SIGEV_THREAD;
    event.sigev_notify_function = [](sigval value) { called = value.sival_int; };
    event.sigev_value.sival_int = 5;
    timer_t timer {};
    ASSERT_EQ(::timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    itimerspec soon { {}, { 0, kMillisecond } };
    ASSERT_EQ(::timer_settime(timer, 0, &soon, nullptr), 0);
    while (called == 0)
        ::usleep(1000);
    EXPECT_EQ(called, 5);
}

TEST(Timer, directed_to_a_thread)
{
    block_signals({ SIGRTMIN });
    sigevent event {};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGRTMIN;
    event._sigev_un._tid = ::gettid();
    timer_t timer {};
    ASSERT_EQ(::timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    itimerspec soon { {}, { 0, 1 } };
    ASSERT_EQ(::timer_settime(timer, 0, &soon, nullptr), 0);
    sigset_t wanted = signals({ SIGRTMIN });
    EXPECT_EQ(::sigwaitinfo(&wanted, nullptr), SIGRTMIN);
    event._sigev_un._tid = 1;
    EXPECT_ERROR(::timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
}

TEST(Timer, cpu_time_timer)
{
    set_handler(SIGRTMIN, tick);
    timer_t timer = make_timer(CLOCK_PROCESS_CPUTIME_ID, SIGRTMIN);
    itimerspec soon { {}, { 0, 10 * kMillisecond } };
    timespec begin = now(CLOCK_PROCESS_CPUTIME_ID);
    ASSERT_EQ(::timer_settime(timer, 0, &soon, nullptr), 0);
    while (ticks == 0)
        asm volatile("pause");
    EXPECT_GE(nanoseconds(now(CLOCK_PROCESS_CPUTIME_ID)) - nanoseconds(begin), 10 * kMillisecond);
}

TEST(Timer, errors)
{
    sigevent event {};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = 99;
    timer_t timer {};
    EXPECT_ERROR(::timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
    EXPECT_ERROR(::timer_create(99, nullptr, &timer), EINVAL);
    timer = make_timer(CLOCK_MONOTONIC, SIGRTMIN);
    itimerspec bad { {}, { 0, kSecond } };
    EXPECT_ERROR(::timer_settime(timer, 0, &bad, nullptr), EINVAL);
    EXPECT_EQ(::timer_delete(timer), 0);
    EXPECT_EQ(raw(SYS_timer_delete, timer), -EINVAL);
}

TEST(Timer, not_inherited_by_fork)
{
    timer_t timer = make_timer(CLOCK_MONOTONIC, SIGRTMIN);
    in_child([=] {
        itimerspec current;
        EXPECT_EQ(raw(SYS_timer_gettime, timer, &current), -EINVAL);
    });
}

TEST(IntervalTimer, fires_repeatedly)
{
    set_handler(SIGALRM, tick);
    itimerval often { { 0, 5000 }, { 0, 5000 } };
    ASSERT_EQ(::setitimer(ITIMER_REAL, &often, nullptr), 0);
    while (ticks < 3)
        ::pause();
    EXPECT_EQ(tick_info.si_code, SI_KERNEL);
    itimerval off {}, old {};
    ASSERT_EQ(::setitimer(ITIMER_REAL, &off, &old), 0);
    EXPECT_EQ(old.it_interval.tv_usec, 5000);
}

TEST(IntervalTimer, virtual_and_profiling)
{
    set_handler(SIGVTALRM, tick);
    set_handler(SIGPROF, tick);
    itimerval soon { {}, { 0, 10'000 } };
    for (int which : { ITIMER_VIRTUAL, ITIMER_PROF }) {
        ticks = 0;
        ASSERT_EQ(::setitimer(which, &soon, nullptr), 0);
        while (ticks == 0)
            asm volatile("pause");
        EXPECT_EQ(tick_info.si_signo, which == ITIMER_VIRTUAL ? SIGVTALRM : SIGPROF);
    }
}

TEST(IntervalTimer, not_inherited_by_fork)
{
    itimerval hour { {}, { 3600, 0 } };
    ASSERT_EQ(::setitimer(ITIMER_REAL, &hour, nullptr), 0);
    in_child([] {
        itimerval current { {}, { 1, 1 } };
        ASSERT_EQ(::getitimer(ITIMER_REAL, &current), 0);
        EXPECT_EQ(current.it_value.tv_sec, 0);
    });
    itimerval bad { {}, { 0, 1'000'000 } };
    EXPECT_ERROR(::setitimer(ITIMER_REAL, &bad, nullptr), EINVAL);
    EXPECT_ERROR(::getitimer(__itimer_which_t(9), &bad), EINVAL);
}

TEST(IntervalTimer, alarm_returns_what_was_left)
{
    EXPECT_EQ(::alarm(1000), 0u);
    unsigned left = ::alarm(0);
    EXPECT_GE(left, 990u);
    EXPECT_LE(left, 1000u);
    EXPECT_EQ(::alarm(0), 0u);
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

} // namespace
} // namespace abi_test
