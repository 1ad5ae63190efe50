// SPDX-License-Identifier: GPL-2.0-or-later
// Files that stand for events: signalfd(2), timerfd_create(2), pidfd_open(2).
#include "abi-test.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

namespace abi_test {
namespace {

bool is_readable(int fd, int timeout = 0)
{
    pollfd poll { fd, POLLIN, 0 };
    return ::poll(&poll, 1, timeout) == 1 && (poll.revents & POLLIN);
}

TEST(SignalFd, reads_blocked_signals)
{
    block_signals({ SIGUSR1, SIGRTMIN });
    sigset_t set = signals({ SIGUSR1, SIGRTMIN });
    Fd fd = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    ASSERT_GE(fd, 0);
    signalfd_siginfo info[4];
    EXPECT_ERROR(::read(fd, info, sizeof info), EAGAIN);
    EXPECT_FALSE(is_readable(fd));
    ::kill(::getpid(), SIGUSR1);
    sigval value;
    value.sival_int = 42;
    ASSERT_OK(::sigqueue(::getpid(), SIGRTMIN, value));
    EXPECT_TRUE(is_readable(fd));
    ASSERT_EQ(::read(fd, info, sizeof info), ssize_t(2 * sizeof info[0]));
    EXPECT_EQ(info[0].ssi_signo, uint32_t(SIGUSR1));
    EXPECT_EQ(info[0].ssi_code, SI_USER);
    EXPECT_EQ(info[0].ssi_pid, uint32_t(::getpid()));
    EXPECT_EQ(info[1].ssi_signo, uint32_t(SIGRTMIN));
    EXPECT_EQ(info[1].ssi_int, 42);
    EXPECT_EQ(info[1].ssi_code, SI_QUEUE);
    EXPECT_ERROR(::read(fd, info, 100), EINVAL);
}

TEST(SignalFd, its_set_can_be_changed)
{
    block_signals({ SIGUSR1, SIGUSR2 });
    sigset_t one = signals({ SIGUSR1 }), two = signals({ SIGUSR2 });
    Fd fd = ::signalfd(-1, &one, SFD_NONBLOCK);
    ::raise(SIGUSR2);
    EXPECT_FALSE(is_readable(fd));
    EXPECT_EQ(::signalfd(fd, &two, 0), int(fd));
    EXPECT_TRUE(is_readable(fd));
    Pipe pipe;
    EXPECT_ERROR(::signalfd(pipe.read_end, &one, 0), EINVAL);
    EXPECT_ERROR(::signalfd(-1, &one, 1), EINVAL);
}

TEST(SignalFd, wakes_a_reader)
{
    block_signals({ SIGUSR1 });
    sigset_t set = signals({ SIGUSR1 });
    Fd fd = ::signalfd(-1, &set, 0);
    pid_t child = start([&] {
        signalfd_siginfo info;
        EXPECT_EQ(::read(fd, &info, sizeof info), ssize_t(sizeof info));
        EXPECT_EQ(info.ssi_pid, uint32_t(::getppid()));
    });
    wait_until_sleeping(child);
    ::kill(child, SIGUSR1);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(SignalFd, child_status)
{
    block_signals({ SIGCHLD });
    sigset_t set = signals({ SIGCHLD });
    Fd fd = ::signalfd(-1, &set, 0);
    pid_t child = ::fork();
    if (child == 0) ::_exit(7);
    signalfd_siginfo info;
    ASSERT_EQ(::read(fd, &info, sizeof info), ssize_t(sizeof info));
    EXPECT_EQ(info.ssi_code, CLD_EXITED);
    EXPECT_EQ(info.ssi_pid, uint32_t(child));
    EXPECT_EQ(info.ssi_status, 7);
    EXPECT_EQ(wait_for(child), exited(7));
}

constexpr itimerspec in_milliseconds(long value, long interval = 0)
{
    return { { interval / 1000, interval % 1000 * 1'000'000 }, { value / 1000, value % 1000 * 1'000'000 } };
}

uint64_t expirations(int fd)
{
    uint64_t count = 0;
    EXPECT_EQ(::read(fd, &count, sizeof count), 8) << std::strerror(errno);
    return count;
}

TEST(TimerFd, fires_once)
{
    Fd fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    auto spec = in_milliseconds(20);
    timespec begin = monotonic_now();
    ASSERT_OK(::timerfd_settime(fd, 0, &spec, nullptr));
    itimerspec left;
    ASSERT_OK(::timerfd_gettime(fd, &left));
    EXPECT_LE(left.it_value.tv_nsec, 20'000'000);
    EXPECT_EQ(left.it_value.tv_sec, 0);
    EXPECT_EQ(expirations(fd), 1u);
    EXPECT_GE(seconds_since(begin), 0.02);
    ASSERT_OK(::timerfd_gettime(fd, &left));
    EXPECT_EQ(left.it_value.tv_nsec, 0);
    EXPECT_FALSE(is_readable(fd));
}

TEST(TimerFd, counts_periods)
{
    Fd fd = ::timerfd_create(CLOCK_BOOTTIME, 0);
    auto spec = in_milliseconds(5, 5);
    timespec begin = monotonic_now();
    ASSERT_OK(::timerfd_settime(fd, 0, &spec, nullptr));
    uint64_t total = 0;
    while (total < 10)
        total += expirations(fd);
    double passed = seconds_since(begin);
    EXPECT_GE(passed, 0.05);
    EXPECT_LE(double(total), passed / 0.005 + 1);
    itimerspec none {}, old;
    ASSERT_OK(::timerfd_settime(fd, 0, &none, &old));
    EXPECT_EQ(old.it_interval.tv_nsec, 5'000'000);
    EXPECT_FALSE(is_readable(fd, 10));
}

TEST(TimerFd, absolute_times)
{
    for (int clock : { CLOCK_REALTIME, CLOCK_MONOTONIC }) {
        Fd fd = ::timerfd_create(clock, TFD_NONBLOCK);
        timespec now;
        ASSERT_OK(::clock_gettime(clock, &now));
        itimerspec past { {}, now };
        ASSERT_OK(::timerfd_settime(fd, TFD_TIMER_ABSTIME, &past, nullptr));
        EXPECT_TRUE(is_readable(fd, 1000));
        EXPECT_EQ(expirations(fd), 1u);
        uint64_t count;
        EXPECT_ERROR(::read(fd, &count, 8), EAGAIN);
    }
}

TEST(TimerFd, errors)
{
    EXPECT_ERROR(::timerfd_create(99, 0), EINVAL);
    EXPECT_ERROR(::timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
    Fd fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    itimerspec bad {};
    bad.it_value.tv_nsec = 1'000'000'000;
    EXPECT_ERROR(::timerfd_settime(fd, 0, &bad, nullptr), EINVAL);
    auto good = in_milliseconds(1);
    EXPECT_ERROR(::timerfd_settime(fd, 64, &good, nullptr), EINVAL);
    Pipe pipe;
    EXPECT_ERROR(::timerfd_settime(pipe.read_end, 0, &good, nullptr), EINVAL);
    char small[4];
    EXPECT_ERROR(::read(fd, small, 4), EINVAL);
}

int pidfd_open(pid_t pid, unsigned flags = 0) { return int(::syscall(SYS_pidfd_open, pid, flags)); }
int pidfd_send_signal(int fd, int signal, siginfo_t* info = nullptr, unsigned flags = 0)
{
    return int(::syscall(SYS_pidfd_send_signal, fd, signal, info, flags));
}

TEST(PidFd, is_readable_when_the_process_has_ended)
{
    Gate gate;
    pid_t child = start([&] { gate.wait(); });
    Fd fd = pidfd_open(child);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_FALSE(is_readable(fd));
    gate.open();
    EXPECT_TRUE(is_readable(fd, 10'000));
    siginfo_t info {};
    ASSERT_OK(::waitid(idtype_t(3), id_t(int(fd)), &info, WEXITED));
    EXPECT_EQ(info.si_pid, child);
    EXPECT_ERROR(pidfd_send_signal(fd, 0), ESRCH);
}

TEST(PidFd, sends_signals)
{
    pid_t child = start([] { ::pause(); });
    Fd fd = pidfd_open(child);
    ASSERT_OK(pidfd_send_signal(fd, 0));
    EXPECT_ERROR(pidfd_send_signal(fd, 65), EINVAL);
    siginfo_t forged {};
    forged.si_signo = SIGTERM;
    forged.si_code = SI_USER;
    EXPECT_ERROR(pidfd_send_signal(fd, SIGTERM, &forged), EPERM);
    ASSERT_OK(pidfd_send_signal(fd, SIGTERM));
    EXPECT_EQ(wait_for(child), killed_by(SIGTERM));
}

TEST(PidFd, directory_in_proc_takes_signals_too)
{
    pid_t child = start([] { ::pause(); });
    std::string const name = "/proc/" + std::to_string(child);
    Fd directory = ::open(name.c_str(), O_RDONLY | O_DIRECTORY), place = ::open(name.c_str(), O_PATH);
    Fd fd_directory = ::open((name + "/fd").c_str(), O_RDONLY | O_DIRECTORY);
    EXPECT_OK(pidfd_send_signal(directory, 0));
    EXPECT_ERROR(pidfd_send_signal(place, 0), EBADF);
    EXPECT_ERROR(pidfd_send_signal(fd_directory, 0), EBADF);
    EXPECT_OK(pidfd_send_signal(directory, SIGKILL));
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
    EXPECT_ERROR(pidfd_send_signal(directory, 0), ESRCH);
}

TEST(PidFd, fetches_a_descriptor)
{
    Pipe pipe;
    Fd self = pidfd_open(::getpid());
    Fd copy = int(::syscall(SYS_pidfd_getfd, int(self), int(pipe.write_end), 0));
    if (copy < 0 && errno == ENOSYS) SKIP_AS_HOST_LACKS("pidfd_getfd");
    ASSERT_EQ(::write(copy, "x", 1), 1);
    EXPECT_EQ(::fcntl(copy, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(raw(SYS_pidfd_getfd, int(self), 0x7fff, 0), -EBADF);
    EXPECT_EQ(raw(SYS_pidfd_getfd, int(self), 0, 1), -EINVAL);
}

TEST(PidFd, errors)
{
    EXPECT_ERROR(pidfd_open(-1), EINVAL);
    EXPECT_ERROR(pidfd_open(::getpid(), 1), EINVAL);
    EXPECT_ERROR(pidfd_open(4'000'000), ESRCH);
    Pipe pipe;
    EXPECT_ERROR(pidfd_send_signal(pipe.read_end, 0), EBADF);
}

} // namespace
} // namespace abi_test
