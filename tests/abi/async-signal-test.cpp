// SPDX-License-Identifier: GPL-2.0-or-later
// O_ASYNC: signals that tell of input, with F_SETSIG (fcntl(2)) and FIOASYNC.
#include "abi-test.h"

#include <poll.h>
#include <pty.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

namespace abi_test {
namespace {

class AsyncSignal : public InScratchDirectory {
protected:
    AsyncSignal()
        : kinds_(signals({ SIGIO, SIGRTMIN }))
    {
        block_signals({ SIGIO, SIGRTMIN });
    }
    void listen(int fd, int signal = SIGRTMIN) const
    {
        ASSERT_OK(::fcntl(fd, F_SETOWN, ::getpid()));
        ASSERT_OK(::fcntl(fd, F_SETSIG, signal));
        ASSERT_OK(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_ASYNC));
        EXPECT_TRUE(::fcntl(fd, F_GETFL) & O_ASYNC);
    }
    /// The next signal; its information.
    int next(siginfo_t* info = nullptr) const { return ::sigwaitinfo(&kinds_, info); }
    bool is_quiet() const
    {
        timespec const now {};
        return ::sigtimedwait(&kinds_, nullptr, &now) < 0 && errno == EAGAIN;
    }

    sigset_t kinds_;
};

TEST_F(AsyncSignal, a_pipe_tells_of_what_is_written)
{
    Pipe pipe;
    listen(pipe.read_end);
    EXPECT_TRUE(is_quiet());
    for (int i = 0; i < 2; i++) {
        ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
        siginfo_t info {};
        ASSERT_EQ(next(&info), SIGRTMIN);
        EXPECT_EQ(info.si_code, POLL_IN);
        EXPECT_EQ(info.si_fd, int(pipe.read_end));
        EXPECT_EQ(info.si_band, POLLIN | POLLRDNORM);
    }
    ASSERT_OK(::fcntl(pipe.read_end, F_SETFL, 0));
    EXPECT_FALSE(::fcntl(pipe.read_end, F_GETFL) & O_ASYNC);
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    EXPECT_TRUE(is_quiet());
}

TEST_F(AsyncSignal, a_pipe_tells_of_room)
{
    Pipe pipe(O_NONBLOCK);
    std::string const page(kPage, 'x');
    while (::write(pipe.write_end, page.data(), page.size()) > 0)
        continue;
    listen(pipe.write_end);
    std::string room(kPage, '\0');
    ASSERT_EQ(::read(pipe.read_end, room.data(), room.size()), ssize_t(kPage));
    siginfo_t info {};
    ASSERT_EQ(next(&info), SIGRTMIN);
    EXPECT_EQ(info.si_code, POLL_OUT);
}

TEST_F(AsyncSignal, without_a_signal_of_its_own_it_is_sigio)
{
    Pipe pipe;
    listen(pipe.read_end, 0);
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    siginfo_t info {};
    ASSERT_EQ(next(&info), SIGIO);
    EXPECT_EQ(info.si_code, SI_KERNEL);
}

TEST_F(AsyncSignal, nobody_is_told_without_an_owner)
{
    Pipe pipe;
    ASSERT_OK(::fcntl(pipe.read_end, F_SETFL, O_ASYNC));
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    EXPECT_TRUE(is_quiet());
}

TEST_F(AsyncSignal, sockets_tell_of_data)
{
    for (int type : { SOCK_STREAM, SOCK_DGRAM }) {
        int pair[2];
        ASSERT_OK(::socketpair(AF_UNIX, type, 0, pair));
        Fd a = pair[0], b = pair[1];
        int on = 1;
        ASSERT_OK(::fcntl(a, F_SETOWN, ::getpid()));
        ASSERT_OK(::fcntl(a, F_SETSIG, SIGRTMIN));
        ASSERT_OK(::ioctl(a, FIOASYNC, &on));
        EXPECT_TRUE(::fcntl(a, F_GETFL) & O_ASYNC);
        ASSERT_EQ(::write(b, "x", 1), 1);
        siginfo_t info {};
        ASSERT_EQ(next(&info), SIGRTMIN) << type;
        EXPECT_EQ(info.si_code, POLL_IN) << type;
        EXPECT_EQ(info.si_fd, int(a));
        b.reset();
        if (type != SOCK_STREAM) continue;
        ASSERT_EQ(next(&info), SIGRTMIN);
        EXPECT_EQ(info.si_code, POLL_HUP);
    }
}

TEST_F(AsyncSignal, a_descriptor_that_is_closed_tells_no_more)
{
    Pipe pipe;
    Fd other = ::dup(pipe.read_end);
    listen(pipe.read_end);
    other.reset();
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    EXPECT_EQ(next(), SIGRTMIN);
    Fd kept = ::open(("/proc/self/fd/" + std::to_string(int(pipe.read_end))).c_str(), O_RDONLY);
    ASSERT_OK(kept);
    pipe.read_end.reset();
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    EXPECT_TRUE(is_quiet());
}

TEST_F(AsyncSignal, terminals_tell_of_input)
{
    int master, slave;
    if (::openpty(&master, &slave, nullptr, nullptr, nullptr) < 0) SKIP_AS_HOST_LACKS("pseudo-terminals");
    Fd m = master, s = slave;
    listen(s);
    ASSERT_EQ(::write(m, "line\n", 5), 5);
    siginfo_t info {};
    ASSERT_EQ(next(&info), SIGRTMIN);
    EXPECT_EQ(info.si_fd, int(s));
}

TEST_F(AsyncSignal, inotify_tells_of_events)
{
    Fd fd = ::inotify_init1(0);
    ASSERT_OK(::inotify_add_watch(fd, ".", IN_CREATE));
    listen(fd);
    new_file("file");
    siginfo_t info {};
    ASSERT_EQ(next(&info), SIGRTMIN);
    EXPECT_EQ(info.si_code, POLL_IN);
}

TEST_F(AsyncSignal, files_have_nothing_to_tell)
{
    Fd file = new_file("file");
    int on = 1;
    EXPECT_ERROR(::ioctl(file, FIOASYNC, &on), ENOTTY);
    ASSERT_OK(::fcntl(file, F_SETFL, O_ASYNC));
    EXPECT_FALSE(::fcntl(file, F_GETFL) & O_ASYNC);
    on = 0;
    EXPECT_OK(::ioctl(file, FIOASYNC, &on));
}

} // namespace
} // namespace abi_test
