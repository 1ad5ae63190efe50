// SPDX-License-Identifier: GPL-2.0-or-later
// Urgent data of streams: MSG_OOB with TCP (tcp(7), RFC 6093) and between local sockets (unix(7)).
#include "inet.h"

#include <csignal>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/un.h>

#include <string>

namespace abi_test {
namespace {

struct Streams {
    Fd a, b;
};

Streams tcp_pair()
{
    Fd listener = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(bind_to(listener, name4(0)));
    EXPECT_OK(::listen(listener, 1));
    Fd a = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(connect_to(a, name_of(listener)));
    Fd b = ::accept(listener, nullptr, nullptr);
    EXPECT_OK(int(b));
    return { std::move(a), std::move(b) };
}
Streams local_pair()
{
    int pair[2];
    EXPECT_OK(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    return { Fd(pair[0]), Fd(pair[1]) };
}

void send(int fd, char const* text, int flags = 0)
{
    EXPECT_EQ(::send(fd, text, std::strlen(text), flags), ssize_t(std::strlen(text)));
}
/// What one call receives; its errno in brackets.
std::string receive(int fd, int flags = 0, size_t most = 64)
{
    char room[64];
    ssize_t const got = ::recv(fd, room, most, flags | MSG_DONTWAIT);
    if (got < 0) return "[" + std::string(strerrorname_np(errno)) + "]";
    return std::string(room, size_t(got));
}
bool is_at_mark(int fd)
{
    int value = -1;
    EXPECT_OK(::ioctl(fd, SIOCATMARK, &value));
    return value;
}
int waiting_bytes(int fd)
{
    int value = -1;
    EXPECT_OK(::ioctl(fd, FIONREAD, &value));
    return value;
}

class Urgent : public ::testing::TestWithParam<bool> {
protected:
    static bool is_tcp() { return GetParam(); }
    Streams s = is_tcp() ? tcp_pair() : local_pair();
};
std::string name(::testing::TestParamInfo<bool> const& info) { return info.param ? "tcp" : "local"; }
INSTANTIATE_TEST_SUITE_P(Streams, Urgent, ::testing::Bool(), name);

TEST_P(Urgent, is_received_beside_the_stream)
{
    send(s.a, "ab");
    send(s.a, "cX", MSG_OOB);
    send(s.a, "de");
    EXPECT_TRUE(becomes_ready(s.b, POLLPRI));
    EXPECT_EQ(receive(s.b, MSG_OOB | MSG_PEEK), "X");
    EXPECT_EQ(receive(s.b, MSG_OOB), "X");
    EXPECT_EQ(receive(s.b, MSG_OOB), "[EINVAL]") << "once";
    EXPECT_FALSE(is_at_mark(s.b));
    EXPECT_EQ(receive(s.b), "abc") << "to the mark";
    EXPECT_EQ(receive(s.b), "de");
    EXPECT_EQ(receive(s.b), "[EAGAIN]");
}

TEST_P(Urgent, a_read_ends_at_the_mark)
{
    send(s.a, "abX", MSG_OOB);
    send(s.a, "cd");
    ASSERT_TRUE(becomes_ready(s.b, POLLPRI));
    EXPECT_EQ(receive(s.b), "ab");
    EXPECT_TRUE(is_at_mark(s.b));
    EXPECT_EQ(poll_bits(s.b, POLLIN | POLLPRI), POLLIN | POLLPRI);
    EXPECT_EQ(receive(s.b), "cd") << "which skips what is urgent";
    EXPECT_EQ(receive(s.b, MSG_OOB), "[EINVAL]") << "gone by";
    EXPECT_EQ(poll_bits(s.b, POLLPRI), 0);
}

TEST_P(Urgent, only_the_last_one)
{
    send(s.a, "X", MSG_OOB);
    send(s.a, "Y", MSG_OOB);
    ASSERT_TRUE(becomes_ready(s.b, POLLPRI));
    EXPECT_EQ(receive(s.b, MSG_OOB), "Y");
    EXPECT_EQ(receive(s.b), is_tcp() ? "[EAGAIN]" : "X") << "with TCP one that was next is lost";
    send(s.a, "aX", MSG_OOB);
    send(s.a, "bY", MSG_OOB);
    ASSERT_TRUE(becomes_ready(s.b, POLLPRI));
    EXPECT_EQ(receive(s.b), "aXb") << "is like any other now";
    EXPECT_EQ(receive(s.b, MSG_OOB), "Y");
}

TEST_P(Urgent, in_line)
{
    ASSERT_OK(set_option(s.b, SOL_SOCKET, SO_OOBINLINE, 1));
    send(s.a, "abX", MSG_OOB);
    send(s.a, "cd");
    ASSERT_TRUE(becomes_ready(s.b, POLLPRI));
    EXPECT_EQ(receive(s.b, MSG_OOB), "[EINVAL]");
    EXPECT_EQ(receive(s.b), "ab");
    EXPECT_TRUE(is_at_mark(s.b));
    EXPECT_EQ(receive(s.b), "Xcd");
    EXPECT_FALSE(is_at_mark(s.b));
}

TEST_P(Urgent, errors)
{
    char byte;
    EXPECT_EQ(::send(s.a, &byte, 0, MSG_OOB), is_tcp() ? 0 : -1);
    EXPECT_EQ(receive(s.b, MSG_OOB), "[EINVAL]");
    EXPECT_FALSE(is_at_mark(s.b));
    EXPECT_EQ(poll_bits(s.b, POLLPRI), 0);
    send(s.a, "X", MSG_OOB);
    ASSERT_TRUE(becomes_ready(s.b, POLLPRI));
    if (is_tcp()) {
        EXPECT_EQ(receive(s.b, MSG_OOB, 0), "") << "no room";
    }
}

TEST_P(Urgent, counts_among_the_bytes)
{
    send(s.a, "ab");
    send(s.a, "X", MSG_OOB);
    ASSERT_TRUE(becomes_ready(s.b, POLLPRI));
    EXPECT_EQ(waiting_bytes(s.b), is_tcp() ? 2 : 3);
    EXPECT_EQ(receive(s.b), "ab");
    EXPECT_EQ(waiting_bytes(s.b), is_tcp() ? 0 : 1);
    EXPECT_EQ(poll_bits(s.b, POLLIN | POLLPRI), is_tcp() ? POLLPRI : POLLIN | POLLPRI);
    EXPECT_TRUE(is_at_mark(s.b));
    EXPECT_EQ(receive(s.b, MSG_OOB), "X");
    EXPECT_EQ(poll_bits(s.b, POLLPRI), 0);
    EXPECT_EQ(receive(s.b), "[EAGAIN]");
    EXPECT_EQ(poll_bits(s.b, POLLIN | POLLPRI), 0);
}

TEST_P(Urgent, tells_by_signal)
{
    sigset_t urgent;
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGURG);
    ASSERT_OK(::sigprocmask(SIG_BLOCK, &urgent, nullptr));
    struct sigaction action { };
    action.sa_handler = [](int) {}; // one that is ignored is not even pending
    ASSERT_OK(::sigaction(SIGURG, &action, nullptr));
    timespec const soon { 0, 0 }, late { 10, 0 };
    send(s.a, "X", MSG_OOB);
    ASSERT_TRUE(becomes_ready(s.b, POLLPRI));
    EXPECT_ERROR(::sigtimedwait(&urgent, nullptr, &soon), EAGAIN) << "nobody owns it";
    ASSERT_OK(::fcntl(s.b, F_SETOWN, ::getpid()));
    send(s.a, "Y", MSG_OOB);
    EXPECT_EQ(::sigtimedwait(&urgent, nullptr, &late), SIGURG);
}

TEST_P(Urgent, is_an_event_of_epoll)
{
    Fd poller = ::epoll_create1(0);
    epoll_event wanted { EPOLLPRI, {} }, got {};
    ASSERT_OK(::epoll_ctl(poller, EPOLL_CTL_ADD, s.b, &wanted));
    send(s.a, "a");
    EXPECT_EQ(::epoll_wait(poller, &got, 1, 0), 0);
    send(s.a, "X", MSG_OOB);
    EXPECT_EQ(::epoll_wait(poller, &got, 1, 10'000), 1);
    EXPECT_EQ(got.events, EPOLLPRI);
}

TEST_P(Urgent, before_the_end)
{
    send(s.a, "abX", MSG_OOB);
    s.a = Fd(-1);
    ASSERT_TRUE(becomes_ready(s.b, POLLPRI));
    EXPECT_EQ(receive(s.b), "ab");
    ASSERT_TRUE(becomes_ready(s.b, POLLRDHUP));
    EXPECT_EQ(receive(s.b, MSG_OOB), "X");
    EXPECT_EQ(receive(s.b), "");
    EXPECT_EQ(receive(s.b, MSG_OOB), "[EINVAL]");
}

TEST_P(Urgent, peeking_to_the_mark_and_beyond)
{
    send(s.a, "abX", MSG_OOB);
    send(s.a, "cd");
    ASSERT_TRUE(becomes_ready(s.b, POLLPRI));
    while (waiting_bytes(s.b) < (is_tcp() ? 2 : 5)) { }
    EXPECT_EQ(receive(s.b, MSG_PEEK), "ab");
    EXPECT_EQ(receive(s.b, MSG_PEEK), "ab");
    EXPECT_EQ(receive(s.b, MSG_OOB | MSG_PEEK), "X");
    EXPECT_EQ(receive(s.b), "ab");
    EXPECT_EQ(receive(s.b, MSG_PEEK), "cd");
    EXPECT_EQ(receive(s.b, MSG_OOB), "X") << "peeking has not passed it";
    EXPECT_EQ(receive(s.b), "cd");
}

TEST_P(Urgent, wait_for_all_ends_at_the_mark)
{
    send(s.a, "ab");
    char room[8];
    pid_t const sender = start([&] {
        ::usleep(20'000);
        send(s.a, "cX", MSG_OOB);
        send(s.a, "defghijk");
    });
    EXPECT_EQ(::recv(s.b, room, sizeof room, MSG_WAITALL), 3);
    EXPECT_EQ(::recv(s.b, room, sizeof room, MSG_WAITALL), 8);
    EXPECT_EQ(std::string(room, 8), "defghijk");
    EXPECT_EQ(wait_for(sender), exited(0));
}

TEST(UrgentStream, not_of_every_socket)
{
    Fd listener = ::socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_OK(bind_to(listener, name4(0)));
    ASSERT_OK(::listen(listener, 1));
    EXPECT_EQ(receive(listener, MSG_OOB), "[ENOTCONN]");
    int pair[2];
    for (int type : { SOCK_DGRAM, SOCK_SEQPACKET }) {
        ASSERT_OK(::socketpair(AF_UNIX, type, 0, pair));
        Fd a = pair[0], b = pair[1];
        EXPECT_ERROR(::send(a, "x", 1, MSG_OOB), EOPNOTSUPP);
        EXPECT_EQ(receive(b, MSG_OOB), "[EOPNOTSUPP]");
    }
    EXPECT_EQ(receive(Fd(::socket(AF_UNIX, SOCK_STREAM, 0)), MSG_OOB), "[EINVAL]");
    EXPECT_EQ(receive(Fd(::socket(AF_INET, SOCK_STREAM, 0)), MSG_OOB), "[EINVAL]");
}

} // namespace
} // namespace abi_test
