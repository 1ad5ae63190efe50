// SPDX-License-Identifier: GPL-2.0-or-later
// Queued signals and taking them without a handler: sigqueue(3), sigwaitinfo(2), sigtimedwait(2),
// signalfd(2).
#include "abi-test.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <thread>
#include <time.h>
#include <vector>

namespace abi_test {
namespace {

void queue(int signal, int value)
{
    sigval payload {};
    payload.sival_int = value;
    ASSERT_EQ(::sigqueue(::getpid(), signal, payload), 0);
}

std::vector<int>* values;
void note_value(int, siginfo_t* info, void*) { values->push_back(info->si_value.sival_int); }

TEST(SignalQueue, realtime_signals_queue_in_order_with_values)
{
    std::vector<int> seen;
    seen.reserve(32);
    values = &seen;
    set_handler(SIGRTMIN, note_value);
    block_signals({ SIGRTMIN });
    for (int i = 0; i < 10; i++)
        queue(SIGRTMIN, i);
    sigset_t none = signals({});
    ASSERT_EQ(::sigprocmask(SIG_SETMASK, &none, nullptr), 0);
    EXPECT_EQ(seen, (std::vector<int> { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 }));
}

TEST(SignalQueue, standard_signals_keep_the_first_value)
{
    block_signals({ SIGUSR1 });
    queue(SIGUSR1, 1);
    queue(SIGUSR1, 2);
    sigset_t wanted = signals({ SIGUSR1 });
    siginfo_t info {};
    EXPECT_EQ(::sigwaitinfo(&wanted, &info), SIGUSR1);
    EXPECT_EQ(info.si_value.sival_int, 1);
    timespec now {};
    EXPECT_ERROR(::sigtimedwait(&wanted, &info, &now), EAGAIN);
}

TEST(SignalQueue, siginfo_of_sigqueue)
{
    block_signals({ SIGRTMIN });
    queue(SIGRTMIN, 77);
    sigset_t wanted = signals({ SIGRTMIN });
    siginfo_t info {};
    ASSERT_EQ(::sigwaitinfo(&wanted, &info), SIGRTMIN);
    EXPECT_EQ(info.si_code, SI_QUEUE);
    EXPECT_EQ(info.si_pid, ::getpid());
    EXPECT_EQ(info.si_uid, ::getuid());
    EXPECT_EQ(info.si_value.sival_int, 77);
}

TEST(SignalQueue, sigwaitinfo_takes_the_lowest_number)
{
    block_signals({ SIGRTMIN, SIGRTMIN + 1, SIGUSR2 });
    queue(SIGRTMIN + 1, 1);
    queue(SIGRTMIN, 2);
    queue(SIGUSR2, 3);
    sigset_t wanted = signals({ SIGRTMIN, SIGRTMIN + 1, SIGUSR2 });
    EXPECT_EQ(::sigwaitinfo(&wanted, nullptr), SIGUSR2);
    EXPECT_EQ(::sigwaitinfo(&wanted, nullptr), SIGRTMIN);
    EXPECT_EQ(::sigwaitinfo(&wanted, nullptr), SIGRTMIN + 1);
}

TEST(SignalQueue, sigtimedwait_times_out)
{
    block_signals({ SIGUSR1 });
    sigset_t wanted = signals({ SIGUSR1 });
    timespec start = monotonic_now();
    timespec wait { 0, 30'000'000 };
    EXPECT_ERROR(::sigtimedwait(&wanted, nullptr, &wait), EAGAIN);
    EXPECT_GE(seconds_since(start), 0.03);
    timespec bad { 0, 1'000'000'000 };
    EXPECT_ERROR(::sigtimedwait(&wanted, nullptr, &bad), EINVAL);
}

TEST(SignalQueue, sigwaitinfo_sleeps_until_the_signal_comes)
{
    block_signals({ SIGUSR1 });
    pid_t parent = ::getpid();
    pid_t child = start([=] {
        wait_until_sleeping(parent);
        ASSERT_EQ(::kill(parent, SIGUSR1), 0);
    });
    sigset_t wanted = signals({ SIGUSR1 });
    siginfo_t info {};
    EXPECT_EQ(::sigwaitinfo(&wanted, &info), SIGUSR1);
    EXPECT_EQ(info.si_pid, child);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(SignalQueue, sigwaitinfo_is_interrupted_by_another_handler)
{
    block_signals({ SIGUSR1 });
    sigset_t wanted = signals({ SIGUSR1 });
    RepeatingAlarm alarm(SA_RESTART);
    EXPECT_EQ(raw(SYS_rt_sigtimedwait, &wanted, 0, 0, 8), -EINTR);
}

TEST(SignalQueue, queue_is_limited)
{
    as_ordinary_user([] {
        rlimit few { 4, 4 };
        ASSERT_EQ(::setrlimit(RLIMIT_SIGPENDING, &few), 0);
        block_signals({ SIGRTMIN });
        sigval value {};
        int sent = 0;
        while (sent < 100 && ::sigqueue(::getpid(), SIGRTMIN, value) == 0)
            sent++;
        EXPECT_EQ(errno, EAGAIN);
        // Others of the same user count too, so that there may be fewer than the limit.
        EXPECT_LE(sent, 4);
        // kill still gets through, without its information.
        for (int i = 0; i < 20; i++)
            EXPECT_EQ(::kill(::getpid(), SIGRTMIN), 0);
        sigset_t const wanted = signals({ SIGRTMIN });
        timespec const now {};
        int taken = 0;
        while (::sigtimedwait(&wanted, nullptr, &now) == SIGRTMIN)
            taken++;
        EXPECT_LE(taken, 5) << "kill's is pending once";
    });
}

TEST(SignalQueue, a_timer_takes_a_place)
{
    as_ordinary_user([] {
        rlimit few { 4, 4 };
        ASSERT_EQ(::setrlimit(RLIMIT_SIGPENDING, &few), 0);
        sigevent event {};
        event.sigev_notify = SIGEV_SIGNAL, event.sigev_signo = SIGRTMIN;
        int made = 0, id = 0;
        while (made < 100 && raw(SYS_timer_create, CLOCK_MONOTONIC, &event, &id) == 0)
            made++;
        EXPECT_LE(made, 4);
        EXPECT_EQ(raw(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), -EAGAIN);
    });
}

TEST(SignalQueue, only_the_kernel_sends_kernel_codes)
{
    block_signals({ SIGUSR1 });
    siginfo_t info {};
    info.si_code = SI_USER;
    in_child([&] { EXPECT_EQ(raw(SYS_rt_sigqueueinfo, ::getppid(), SIGUSR1, &info), -EPERM); });
    info.si_code = SI_TKILL;
    in_child([&] { EXPECT_EQ(raw(SYS_rt_sigqueueinfo, ::getppid(), SIGUSR1, &info), -EPERM); });
    // To oneself everything is allowed.
    info.si_code = 5;
    EXPECT_EQ(raw(SYS_rt_sigqueueinfo, ::getpid(), SIGUSR1, &info), 0);
}

TEST(SignalQueue, sigqueue_errors)
{
    sigval value {};
    EXPECT_ERROR(::sigqueue(::getpid(), 65, value), EINVAL);
    EXPECT_ERROR(::sigqueue(0x3fffffff, SIGRTMIN, value), ESRCH);
}

TEST(SignalQueue, thread_signals_come_before_process_signals)
{
    block_signals({ SIGRTMIN });
    queue(SIGRTMIN, 1);
    siginfo_t own {};
    own.si_code = SI_QUEUE;
    own.si_value.sival_int = 2;
    ASSERT_EQ(raw(SYS_rt_tgsigqueueinfo, ::getpid(), ::gettid(), SIGRTMIN, &own), 0);
    sigset_t wanted = signals({ SIGRTMIN });
    siginfo_t info {};
    ASSERT_EQ(::sigwaitinfo(&wanted, &info), SIGRTMIN);
    EXPECT_EQ(info.si_value.sival_int, 2);
    ASSERT_EQ(::sigwaitinfo(&wanted, &info), SIGRTMIN);
    EXPECT_EQ(info.si_value.sival_int, 1);
}

TEST(SignalFd, reads_what_is_pending)
{
    block_signals({ SIGUSR1, SIGRTMIN });
    sigset_t mask = signals({ SIGUSR1, SIGRTMIN });
    Fd fd = ::signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    ASSERT_OK(fd);
    EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
    signalfd_siginfo info[4];
    EXPECT_ERROR(::read(fd, info, sizeof info), EAGAIN);
    ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);
    queue(SIGRTMIN, 9);
    ASSERT_EQ(::read(fd, info, sizeof info), ssize_t(2 * sizeof info[0]));
    EXPECT_EQ(info[0].ssi_signo, uint32_t(SIGUSR1));
    EXPECT_EQ(info[0].ssi_code, SI_USER);
    EXPECT_EQ(info[0].ssi_pid, uint32_t(::getpid()));
    EXPECT_EQ(info[0].ssi_uid, ::getuid());
    EXPECT_EQ(info[1].ssi_signo, uint32_t(SIGRTMIN));
    EXPECT_EQ(info[1].ssi_code, SI_QUEUE);
    EXPECT_EQ(info[1].ssi_int, 9);
}

TEST(SignalFd, polls_readable_while_something_is_pending)
{
    block_signals({ SIGUSR1 });
    sigset_t mask = signals({ SIGUSR1 });
    Fd fd = ::signalfd(-1, &mask, 0);
    pollfd event { fd, POLLIN, 0 };
    EXPECT_EQ(::poll(&event, 1, 0), 0);
    ASSERT_EQ(::raise(SIGUSR1), 0);
    EXPECT_EQ(::poll(&event, 1, -1), 1);
    EXPECT_EQ(event.revents, POLLIN);
    signalfd_siginfo info;
    EXPECT_EQ(::read(fd, &info, sizeof info), ssize_t(sizeof info));
    EXPECT_EQ(::poll(&event, 1, 0), 0);
}

TEST(SignalFd, blocks_until_a_signal_comes)
{
    block_signals({ SIGUSR1 });
    sigset_t mask = signals({ SIGUSR1 });
    Fd fd = ::signalfd(-1, &mask, 0);
    pid_t parent = ::getpid();
    pid_t child = start([=] {
        wait_until_sleeping(parent);
        ASSERT_EQ(::kill(parent, SIGUSR1), 0);
    });
    signalfd_siginfo info;
    ASSERT_EQ(::read(fd, &info, sizeof info), ssize_t(sizeof info));
    EXPECT_EQ(info.ssi_pid, uint32_t(child));
    wait_for(child);
}

TEST(SignalFd, mask_can_be_changed)
{
    block_signals({ SIGUSR1, SIGUSR2 });
    sigset_t mask = signals({ SIGUSR1 });
    Fd fd = ::signalfd(-1, &mask, SFD_NONBLOCK);
    ASSERT_EQ(::raise(SIGUSR2), 0);
    signalfd_siginfo info;
    EXPECT_ERROR(::read(fd, &info, sizeof info), EAGAIN);
    mask = signals({ SIGUSR2 });
    EXPECT_EQ(::signalfd(fd, &mask, 0), int(fd));
    EXPECT_EQ(::read(fd, &info, sizeof info), ssize_t(sizeof info));
}

TEST(SignalFd, errors)
{
    sigset_t mask = signals({ SIGUSR1 });
    EXPECT_ERROR(::signalfd(-1, &mask, 1), EINVAL);
    EXPECT_ERROR(::signalfd(999, &mask, 0), EBADF);
    EXPECT_ERROR(::signalfd(0, &mask, 0), EINVAL);
    EXPECT_EQ(raw(SYS_signalfd4, -1, &mask, 4, 0), -EINVAL);
    Fd fd = ::signalfd(-1, &mask, SFD_NONBLOCK);
    char small[64];
    EXPECT_ERROR(::read(fd, small, sizeof small), EINVAL);
}

TEST(SignalQueue, a_threads_number_means_its_process)
{
    block_signals({ SIGUSR1 });
    Pipe numbers, go;
    std::thread other([&] {
        pid_t tid = ::gettid();
        EXPECT_EQ(::write(numbers.write_end, &tid, sizeof tid), ssize_t(sizeof tid));
        char byte;
        EXPECT_EQ(::read(go.read_end, &byte, 1), 1);
    });
    pid_t tid = 0;
    ASSERT_EQ(::read(numbers.read_end, &tid, sizeof tid), ssize_t(sizeof tid));
    siginfo_t info {};
    info.si_code = SI_QUEUE;
    info.si_value.sival_int = 777;
    EXPECT_EQ(raw(SYS_rt_sigqueueinfo, tid, SIGUSR1, &info), 0);
    sigset_t wanted = signals({ SIGUSR1 });
    siginfo_t got {};
    EXPECT_EQ(::sigwaitinfo(&wanted, &got), SIGUSR1);
    EXPECT_EQ(got.si_value.sival_int, 777);
    info.si_code = SI_USER;
    EXPECT_EQ(raw(SYS_rt_sigqueueinfo, tid, SIGUSR1, &info), -EPERM) << "only to the caller's own number";
    EXPECT_EQ(::write(go.write_end, "!", 1), 1);
    other.join();
}

} // namespace
} // namespace abi_test
