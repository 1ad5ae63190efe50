// SPDX-License-Identifier: GPL-2.0-or-later
// What a handler does to a blocked call: EINTR, or a restart with SA_RESTART, as signal(7) lists them. The
// alarm comes again and again until it hits the call, so none of this depends on timing.
#include "abi-test.h"

#include <climits>
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>

namespace abi_test {
namespace {

int wake_up_fd;
/// Lets three signals pass, then makes the descriptor readable.
void write_after_three(int)
{
    if (RepeatingAlarm::count() == 3) {
        uint64_t one = 1;
        (void)!::write(wake_up_fd, &one, sizeof one);
    }
}

TEST(Restart, read_from_a_pipe_is_interrupted)
{
    Pipe pipe;
    RepeatingAlarm alarm(0);
    char c;
    EXPECT_ERROR(::read(pipe.read_end, &c, 1), EINTR);
}

TEST(Restart, read_from_a_pipe_restarts)
{
    Pipe pipe;
    wake_up_fd = pipe.write_end;
    RepeatingAlarm alarm(SA_RESTART, write_after_three);
    char c;
    EXPECT_EQ(::read(pipe.read_end, &c, 1), 1);
    EXPECT_GE(RepeatingAlarm::count(), 3);
}

TEST(Restart, write_to_a_full_pipe_is_interrupted)
{
    Pipe pipe;
    std::string much(size_t(1) << 20, 'x');
    RepeatingAlarm alarm(0);
    // The first write takes what fits and is then interrupted with a partial count; the next has no room at
    // all.
    ssize_t n = ::write(pipe.write_end, much.data(), much.size());
    EXPECT_EQ(n, 65536);
    EXPECT_ERROR(::write(pipe.write_end, "x", 1), EINTR);
}

TEST(Restart, eventfd_read_restarts)
{
    Fd fd = ::eventfd(0, 0);
    wake_up_fd = fd;
    RepeatingAlarm alarm(SA_RESTART, write_after_three);
    uint64_t value = 0;
    EXPECT_EQ(::read(fd, &value, sizeof value), ssize_t(sizeof value));
    EXPECT_EQ(value, 1u);
}

TEST(Restart, recv_on_a_socket_restarts)
{
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    Fd left = ends[0], right = ends[1];
    wake_up_fd = right;
    {
        RepeatingAlarm alarm(0);
        char c;
        EXPECT_ERROR(::recv(left, &c, 1, 0), EINTR);
    }
    RepeatingAlarm alarm(SA_RESTART, write_after_three);
    char c;
    EXPECT_EQ(::recv(left, &c, 1, 0), 1);
}

TEST(Restart, open_of_a_fifo_restarts)
{
    ScratchDirectory scratch;
    ASSERT_EQ(::mkfifo("fifo", 0600), 0);
    {
        RepeatingAlarm alarm(0);
        EXPECT_ERROR(::open("fifo", O_RDONLY), EINTR);
    }
    RepeatingAlarm alarm(SA_RESTART, [](int) {
        // The interrupted open is no reader any more, so only O_RDWR gets in without waiting.
        if (RepeatingAlarm::count() == 3) {
            EXPECT_OK(::open("fifo", O_RDWR));
        }
    });
    Fd reader = ::open("fifo", O_RDONLY);
    EXPECT_OK(reader);
}

TEST(Restart, flock_restarts)
{
    ScratchDirectory scratch;
    Fd holder = new_file("f");
    static int held;
    held = holder;
    ASSERT_EQ(::flock(holder, LOCK_EX), 0);
    Fd other = ::open("f", O_RDWR);
    {
        RepeatingAlarm alarm(0);
        EXPECT_ERROR(::flock(other, LOCK_EX), EINTR);
    }
    RepeatingAlarm alarm(SA_RESTART, [](int) {
        if (RepeatingAlarm::count() == 3) ::flock(held, LOCK_UN);
    });
    EXPECT_EQ(::flock(other, LOCK_EX), 0);
}

TEST(Restart, record_lock_is_interrupted)
{
    ScratchDirectory scratch;
    Fd fd = new_file("f");
    struct flock whole { };
    whole.l_type = F_WRLCK;
    ASSERT_EQ(::fcntl(fd, F_SETLK, &whole), 0);
    in_child([&] {
        RepeatingAlarm alarm(0);
        EXPECT_ERROR(::fcntl(fd, F_SETLKW, &whole), EINTR);
    });
}

// Never restarted, whatever the flags say: signal(7).

TEST(Restart, poll_never_restarts)
{
    RepeatingAlarm alarm(SA_RESTART);
    EXPECT_ERROR(::poll(nullptr, 0, -1), EINTR);
    EXPECT_ERROR(::ppoll(nullptr, 0, nullptr, nullptr), EINTR);
}

TEST(Restart, select_never_restarts)
{
    RepeatingAlarm alarm(SA_RESTART);
    EXPECT_ERROR(::select(0, nullptr, nullptr, nullptr, nullptr), EINTR);
    EXPECT_ERROR(::pselect(0, nullptr, nullptr, nullptr, nullptr, nullptr), EINTR);
}

TEST(Restart, epoll_wait_never_restarts)
{
    Fd epoll = ::epoll_create1(0);
    epoll_event event;
    RepeatingAlarm alarm(SA_RESTART);
    EXPECT_ERROR(::epoll_wait(epoll, &event, 1, -1), EINTR);
}

TEST(Restart, nanosleep_never_restarts_and_tells_the_rest)
{
    timespec hour { 3600, 0 }, rest {};
    RepeatingAlarm alarm(SA_RESTART);
    EXPECT_ERROR(::nanosleep(&hour, &rest), EINTR);
    EXPECT_LT(rest.tv_sec, 3600);
    EXPECT_GT(rest.tv_sec, 3000);
}

TEST(Restart, absolute_sleep_leaves_the_rest_alone)
{
    timespec target = monotonic_now(), rest { 7, 7 };
    target.tv_sec += 3600;
    RepeatingAlarm alarm(SA_RESTART);
    EXPECT_EQ(::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &target, &rest), EINTR);
    EXPECT_EQ(rest.tv_sec, 7);
}

TEST(Restart, futex_wait_restarts)
{
    static int volatile word;
    word = 0;
    {
        RepeatingAlarm alarm(0);
        EXPECT_EQ(raw(SYS_futex, &word, FUTEX_WAIT, 0, 0), -EINTR);
    }
    RepeatingAlarm alarm(SA_RESTART, [](int) {
        if (RepeatingAlarm::count() >= 3) {
            word = 1;
            raw(SYS_futex, &word, FUTEX_WAKE, 1);
        }
    });
    // Restarted, it sees that the word has changed, if the wake did not come first.
    long result = raw(SYS_futex, &word, FUTEX_WAIT, 0, 0);
    EXPECT_TRUE(result == 0 || result == -EAGAIN) << result;
}

TEST(Restart, stop_and_continue_do_not_disturb_a_read)
{
    Pipe pipe;
    pid_t child = start([&] {
        char c;
        EXPECT_EQ(::read(pipe.read_end, &c, 1), 1);
    });
    wait_until_sleeping(child);
    ASSERT_EQ(::kill(child, SIGSTOP), 0);
    int status;
    ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
    ASSERT_EQ(::kill(child, SIGCONT), 0);
    wait_until_sleeping(child);
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Restart, stop_and_continue_do_not_disturb_a_sleep)
{
    pid_t child = start([&] {
        timespec pause { 3600, 0 };
        ::nanosleep(&pause, nullptr);
    });
    wait_until_sleeping(child);
    ::kill(child, SIGSTOP);
    int status;
    ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
    ::kill(child, SIGCONT);
    // It sleeps on: had the call ended with EINTR, so would the child have.
    wait_until_sleeping(child);
    ::kill(child, SIGKILL);
    EXPECT_EQ(wait_for(child), killed_by(SIGKILL));
}

TEST(Restart, ignored_signals_do_not_interrupt)
{
    set_handler(SIGUSR1, SIG_IGN);
    Pipe pipe;
    pid_t parent = ::getpid();
    pid_t child = start([&] {
        wait_until_sleeping(parent);
        for (int i = 0; i < 5; i++)
            ::kill(parent, SIGUSR1);
        wait_until_sleeping(parent);
        EXPECT_EQ(::write(pipe.write_end, "x", 1), 1);
    });
    char c;
    EXPECT_EQ(::read(pipe.read_end, &c, 1), 1);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Restart, one_handler_without_the_flag_is_enough)
{
    // Two signals at once: the first taken decides.
    set_handler(SIGUSR1, [](int) {});
    set_handler(
        SIGUSR2, [](int) {}, SA_RESTART);
    block_signals({ SIGUSR1, SIGUSR2 });
    ASSERT_EQ(::raise(SIGUSR1), 0);
    ASSERT_EQ(::raise(SIGUSR2), 0);
    sigset_t none = signals({});
    EXPECT_ERROR(::ppoll(nullptr, 0, nullptr, &none), EINTR);
}

} // namespace
} // namespace abi_test
