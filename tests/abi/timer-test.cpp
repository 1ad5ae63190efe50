// SPDX-License-Identifier: GPL-2.0-or-later
// Timers that send signals: timer_create(2), setitimer(2), alarm(2). Only lower bounds on time are asserted.
#include "clock.h"

#include <atomic>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <thread>

namespace abi_test {
namespace {

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

TEST(Timer, cpu_time_of_one_thread)
{
    set_handler(SIGRTMIN, tick);
    timer_t timer = make_timer(CLOCK_THREAD_CPUTIME_ID, SIGRTMIN);
    itimerspec often { { 0, 5 * kMillisecond }, { 0, 5 * kMillisecond } }, current {};
    timespec begin = now(CLOCK_THREAD_CPUTIME_ID);
    ASSERT_EQ(::timer_settime(timer, 0, &often, nullptr), 0);
    while (ticks < 3)
        asm volatile("pause");
    EXPECT_GE(nanoseconds(now(CLOCK_THREAD_CPUTIME_ID)) - nanoseconds(begin), 15 * kMillisecond);
    ASSERT_EQ(::timer_gettime(timer, &current), 0);
    EXPECT_EQ(current.it_interval.tv_nsec, 5 * kMillisecond);
    EXPECT_LE(nanoseconds(current.it_value), 5 * kMillisecond);
}

TEST(Timer, interrupts_the_reading_of_a_clock)
{
    // Where reading a clock is no system call, the signal comes in the middle of the vDSO's code, and goes back there.
    set_handler(SIGRTMIN, tick);
    timer_t timer = make_timer(CLOCK_MONOTONIC, SIGRTMIN);
    itimerspec often { { 0, kMillisecond / 5 }, { 0, kMillisecond / 5 } };
    ASSERT_EQ(::timer_settime(timer, 0, &often, nullptr), 0);
    timespec last = now(CLOCK_MONOTONIC);
    while (ticks < 300) {
        timespec const next = now(CLOCK_MONOTONIC);
        ASSERT_GE(nanoseconds(next), nanoseconds(last));
        last = next;
    }
}

TEST(Timer, cpu_time_that_another_thread_uses)
{
    set_handler(SIGRTMIN, tick);
    std::thread(spin_for_ever).detach();
    timer_t timer = make_timer(CLOCK_PROCESS_CPUTIME_ID, SIGRTMIN);
    itimerspec soon { {}, { 0, 10 * kMillisecond } };
    ASSERT_EQ(::timer_settime(timer, 0, &soon, nullptr), 0);
    while (ticks == 0)
        ::usleep(1000);
}

TEST(Timer, signal_that_was_ignored_comes_later)
{
    set_handler(SIGRTMIN, SIG_IGN);
    timer_t timer = make_timer(CLOCK_MONOTONIC, SIGRTMIN);
    itimerspec often { { 0, kMillisecond }, { 0, kMillisecond } };
    ASSERT_EQ(::timer_settime(timer, 0, &often, nullptr), 0);
    ::usleep(5000);
    set_handler(SIGRTMIN, tick);
    while (ticks == 0)
        ::usleep(1000);
    EXPECT_EQ(tick_info.si_code, SI_TIMER);
}

TEST(Timer, discarded_signal_does_not_end_a_periodic_timer)
{
    block_signals({ SIGRTMIN });
    timer_t timer = make_timer(CLOCK_MONOTONIC, SIGRTMIN);
    itimerspec often { { 0, kMillisecond }, { 0, kMillisecond } };
    ASSERT_EQ(::timer_settime(timer, 0, &often, nullptr), 0);
    sigset_t pending;
    do {
        ::usleep(1000);
        ASSERT_EQ(::sigpending(&pending), 0);
    } while (!sigismember(&pending, SIGRTMIN));
    set_handler(SIGRTMIN, SIG_IGN);
    set_handler(SIGRTMIN, tick);
    sigset_t wanted = signals({ SIGRTMIN });
    EXPECT_EQ(::sigwaitinfo(&wanted, nullptr), SIGRTMIN);
}

TEST(Timer, through_a_signalfd_with_overruns)
{
    block_signals({ SIGRTMIN });
    sigset_t wanted = signals({ SIGRTMIN });
    Fd fd = ::signalfd(-1, &wanted, 0);
    ASSERT_OK(fd);
    timer_t timer = make_timer(CLOCK_MONOTONIC, SIGRTMIN, 9);
    itimerspec often { { 0, kMillisecond }, { 0, kMillisecond } };
    ASSERT_EQ(::timer_settime(timer, 0, &often, nullptr), 0);
    ::usleep(20'000);
    signalfd_siginfo info {};
    ASSERT_EQ(::read(fd, &info, sizeof info), ssize_t(sizeof info));
    EXPECT_EQ(info.ssi_code, SI_TIMER);
    EXPECT_EQ(info.ssi_int, 9);
    EXPECT_GE(info.ssi_overrun, 15u);
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

} // namespace
} // namespace abi_test
