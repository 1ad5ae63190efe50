// SPDX-License-Identifier: GPL-2.0-or-later
// unix(7): streams, datagrams, sequenced packets; names; ends; options.
#include "abi-test.h"

#include <cstddef>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace abi_test {
namespace {

struct Pair {
    Fd a, b;
    explicit Pair(int type = SOCK_STREAM)
    {
        int fds[2];
        EXPECT_EQ(::socketpair(AF_UNIX, type, 0, fds), 0) << std::strerror(errno);
        a = fds[0];
        b = fds[1];
    }
};

struct Address {
    sockaddr_un raw {};
    socklen_t length;
    /// A leading '@' means an abstract name.
    explicit Address(std::string const& name)
    {
        raw.sun_family = AF_UNIX;
        std::memcpy(raw.sun_path, name.data(), name.size());
        bool is_abstract = name[0] == '@';
        if (is_abstract) raw.sun_path[0] = '\0';
        length = socklen_t(offsetof(sockaddr_un, sun_path) + name.size() + (is_abstract ? 0 : 1));
    }
    sockaddr const* get() const { return reinterpret_cast<sockaddr const*>(&raw); }
};

std::string received(int fd, int flags = 0, size_t limit = 100)
{
    std::string text(limit, '\0');
    ssize_t count = ::recv(fd, text.data(), limit, flags);
    if (count < 0) return std::string("error: ") + std::strerror(errno);
    text.resize(std::min(size_t(count), limit));
    return text;
}

short events_of(int fd)
{
    pollfd poll { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };
    EXPECT_GE(::poll(&poll, 1, 0), 0);
    return poll.revents;
}

int option(int fd, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    EXPECT_EQ(::getsockopt(fd, SOL_SOCKET, name, &value, &length), 0) << std::strerror(errno);
    return value;
}

using LocalSocket = InScratchDirectory;

TEST(SocketPair, streams_have_no_borders)
{
    Pair pair;
    ASSERT_EQ(::send(pair.a, "one", 3, 0), 3);
    ASSERT_EQ(::write(pair.a, " two", 4), 4);
    EXPECT_EQ(received(pair.b, MSG_PEEK), "one two");
    int waiting = 0;
    ASSERT_OK(::ioctl(pair.b, FIONREAD, &waiting));
    EXPECT_EQ(waiting, 7);
    EXPECT_EQ(received(pair.b, 0, 5), "one t");
    EXPECT_EQ(received(pair.b), "wo");
    EXPECT_ERROR(::recv(pair.b, &waiting, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(SocketPair, datagrams_have_borders)
{
    for (int type : { SOCK_DGRAM, SOCK_SEQPACKET }) {
        Pair pair(type);
        ASSERT_EQ(::send(pair.a, "first", 5, 0), 5);
        ASSERT_EQ(::send(pair.a, "", 0, 0), 0);
        ASSERT_EQ(::send(pair.a, "third", 5, 0), 5);
        char buffer[3];
        iovec piece { buffer, sizeof buffer };
        msghdr message {};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        EXPECT_EQ(::recvmsg(pair.b, &message, MSG_TRUNC), 5);
        EXPECT_TRUE(message.msg_flags & MSG_TRUNC);
        EXPECT_EQ(received(pair.b), "");
        EXPECT_EQ(received(pair.b), "third");
    }
}

TEST(SocketPair, end_of_stream)
{
    Pair pair;
    ASSERT_EQ(::send(pair.a, "last", 4, 0), 4);
    pair.a.reset();
    EXPECT_EQ(received(pair.b), "last");
    EXPECT_EQ(received(pair.b), "");
    EXPECT_ERROR(::send(pair.b, "x", 1, MSG_NOSIGNAL), EPIPE);
    pid_t child = start([&] { ::send(pair.b, "x", 1, 0); });
    EXPECT_EQ(wait_for(child), killed_by(SIGPIPE));
    EXPECT_EQ(events_of(pair.b), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
}

TEST(SocketPair, unread_data_make_a_reset)
{
    Pair pair;
    ASSERT_EQ(::send(pair.b, "unread", 6, 0), 6);
    pair.a.reset();
    EXPECT_EQ(option(pair.b, SO_ERROR), ECONNRESET);
    EXPECT_EQ(received(pair.b), "");
}

TEST(SocketPair, shutdown_of_each_side)
{
    Pair pair;
    ASSERT_OK(::shutdown(pair.a, SHUT_WR));
    EXPECT_EQ(received(pair.b), "");
    EXPECT_EQ(events_of(pair.b), POLLIN | POLLOUT | POLLRDHUP);
    EXPECT_ERROR(::send(pair.a, "x", 1, MSG_NOSIGNAL), EPIPE);
    ASSERT_EQ(::send(pair.b, "back", 4, 0), 4);
    EXPECT_EQ(received(pair.a), "back");
    ASSERT_OK(::shutdown(pair.b, SHUT_RDWR));
    EXPECT_EQ(events_of(pair.a), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    EXPECT_ERROR(::shutdown(pair.a, 3), EINVAL);
}

TEST(SocketPair, a_full_stream_blocks_until_it_is_read)
{
    Pair pair;
    std::string big(1 << 20, 'x');
    EXPECT_LT(::send(pair.a, big.data(), big.size(), MSG_DONTWAIT), ssize_t(big.size()));
    EXPECT_ERROR(::send(pair.a, "x", 1, MSG_DONTWAIT), EAGAIN);
    EXPECT_EQ(events_of(pair.a), 0);
    pid_t child = start([&] {
        pair.b.reset();
        EXPECT_EQ(::write(pair.a, big.data(), big.size()), ssize_t(big.size()));
    });
    wait_until_sleeping(child);
    pair.a.reset();
    size_t total = 0;
    for (std::string part; !(part = received(pair.b, 0, 65536)).empty();)
        total += part.size();
    EXPECT_GT(total, big.size());
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(SocketPair, wait_all_gathers)
{
    Pair pair;
    pid_t child = start([&] { EXPECT_EQ(received(pair.b, MSG_WAITALL, 6), "abcdef"); });
    wait_until_sleeping(child);
    for (char const* part : { "ab", "cd", "ef" })
        ASSERT_EQ(::send(pair.a, part, 2, 0), 2);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(SocketPair, receive_timeout)
{
    Pair pair;
    timeval timeout { 0, 20'000 };
    ASSERT_OK(::setsockopt(pair.a, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout));
    timespec begin = monotonic_now();
    char byte;
    EXPECT_ERROR(::recv(pair.a, &byte, 1, 0), EAGAIN);
    EXPECT_GE(seconds_since(begin), 0.02);
    EXPECT_ERROR(::read(pair.a, &byte, 1), EAGAIN);
    socklen_t length = sizeof timeout;
    timeout = {};
    ASSERT_OK(::getsockopt(pair.a, SOL_SOCKET, SO_RCVTIMEO, &timeout, &length));
    EXPECT_EQ(timeout.tv_usec, 20'000);
}

TEST(SocketPair, errors_of_making)
{
    int fds[2];
    EXPECT_ERROR(::socketpair(AF_UNIX, 9, 0, fds), ESOCKTNOSUPPORT);
    EXPECT_ERROR(::socketpair(AF_UNIX, 77, 0, fds), EINVAL);
    EXPECT_ERROR(::socketpair(AF_UNIX, SOCK_STREAM, 5, fds), EPROTONOSUPPORT);
    EXPECT_ERROR(::socket(AF_UNIX, SOCK_STREAM | 0x100, 0), EINVAL);
    EXPECT_ERROR(::socket(200, SOCK_STREAM, 0), EAFNOSUPPORT);
    Pipe pipe;
    EXPECT_ERROR(::send(pipe.write_end, "x", 1, 0), ENOTSOCK);
}

TEST(SocketPair, options)
{
    Pair pair(SOCK_SEQPACKET);
    EXPECT_EQ(option(pair.a, SO_TYPE), SOCK_SEQPACKET);
    EXPECT_EQ(option(pair.a, SO_DOMAIN), AF_UNIX);
    EXPECT_EQ(option(pair.a, SO_PROTOCOL), 0);
    EXPECT_EQ(option(pair.a, SO_ACCEPTCONN), 0);
    EXPECT_EQ(option(pair.a, SO_ERROR), 0);
    int size = 10'000;
    ASSERT_OK(::setsockopt(pair.a, SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
    EXPECT_EQ(option(pair.a, SO_SNDBUF), 20'000);
    ucred peer {};
    socklen_t length = sizeof peer;
    ASSERT_OK(::getsockopt(pair.a, SOL_SOCKET, SO_PEERCRED, &peer, &length));
    EXPECT_EQ(peer.pid, ::getpid());
    EXPECT_EQ(peer.uid, ::geteuid());
    EXPECT_ERROR(::setsockopt(pair.a, SOL_SOCKET, SO_SNDBUF, &size, 1), EINVAL);
    EXPECT_ERROR(::setsockopt(pair.a, SOL_SOCKET, 9999, &size, sizeof size), ENOPROTOOPT);
}

TEST_F(LocalSocket, connect_by_path)
{
    Fd listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    Address address("sock");
    ASSERT_OK(::bind(listener, address.get(), address.length));
    EXPECT_TRUE(S_ISSOCK(status_of("sock").st_mode));
    Fd client = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    EXPECT_ERROR(::connect(client, address.get(), address.length), ECONNREFUSED);
    EXPECT_EQ(events_of(client), POLLOUT | POLLHUP);
    ASSERT_OK(::listen(listener, 1));
    EXPECT_EQ(option(listener, SO_ACCEPTCONN), 1);
    EXPECT_EQ(events_of(listener), 0);
    ASSERT_OK(::connect(client, address.get(), address.length));
    EXPECT_ERROR(::connect(client, address.get(), address.length), EISCONN);
    EXPECT_EQ(events_of(listener), POLLIN);
    Fd second = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    Fd third = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ASSERT_OK(::connect(second, address.get(), address.length));
    EXPECT_ERROR(::connect(third, address.get(), address.length), EAGAIN) << "the queue is full";

    ASSERT_EQ(::send(client, "early", 5, 0), 5);
    Fd server = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    ASSERT_GE(server, 0);
    EXPECT_EQ(received(server), "early");
    sockaddr_un name {};
    socklen_t length = sizeof name;
    ASSERT_OK(::getsockname(server, reinterpret_cast<sockaddr*>(&name), &length));
    EXPECT_STREQ(name.sun_path, "sock");
    EXPECT_EQ(length, address.length);
    length = sizeof name;
    ASSERT_OK(::getpeername(server, reinterpret_cast<sockaddr*>(&name), &length));
    EXPECT_EQ(length, sizeof(sa_family_t)) << "the client has no name";
    listener.reset();
    EXPECT_EQ(option(second, SO_ERROR), ECONNRESET) << "never accepted";
    EXPECT_ERROR(::connect(third, address.get(), address.length), ECONNREFUSED);
    EXPECT_EQ(received(server, MSG_DONTWAIT), "error: Resource temporarily unavailable");
}

TEST_F(LocalSocket, errors_of_binding)
{
    Fd one = ::socket(AF_UNIX, SOCK_STREAM, 0), two = ::socket(AF_UNIX, SOCK_STREAM, 0);
    Address address("sock"), other("other"), missing("missing/sock");
    EXPECT_ERROR(::listen(one, 1), EINVAL) << "no name";
    ASSERT_OK(::bind(one, address.get(), address.length));
    EXPECT_ERROR(::bind(two, address.get(), address.length), EADDRINUSE);
    EXPECT_ERROR(::bind(one, other.get(), other.length), EINVAL);
    EXPECT_ERROR(::bind(two, missing.get(), missing.length), ENOENT);
    EXPECT_ERROR(::bind(two, other.get(), 200), EINVAL);
    EXPECT_ERROR(::accept(one, nullptr, nullptr), EINVAL);
    EXPECT_ERROR(::connect(two, missing.get(), missing.length), ENOENT);
    write_file("plain", "");
    Address plain("plain");
    EXPECT_ERROR(::connect(two, plain.get(), plain.length), ECONNREFUSED);
    Fd datagram = ::socket(AF_UNIX, SOCK_DGRAM, 0);
    ASSERT_OK(::listen(one, 1));
    EXPECT_ERROR(::connect(datagram, address.get(), address.length), EPROTOTYPE);
    EXPECT_ERROR(::listen(datagram, 1), EOPNOTSUPP);
    EXPECT_ERROR(::open("sock", O_RDWR), ENXIO);
}

TEST(LocalSocketNames, abstract_names_vanish_with_their_socket)
{
    auto name = "@umbra-" + std::to_string(::getpid());
    Address address(name);
    Fd one = ::socket(AF_UNIX, SOCK_DGRAM, 0), two = ::socket(AF_UNIX, SOCK_DGRAM, 0);
    ASSERT_OK(::bind(one, address.get(), address.length));
    EXPECT_ERROR(::bind(two, address.get(), address.length), EADDRINUSE);
    one.reset();
    EXPECT_ERROR(::sendto(two, "x", 1, 0, address.get(), address.length), ECONNREFUSED);
    ASSERT_OK(::bind(two, address.get(), address.length));
}

/// The line of /proc/net/unix that ends with the name, from the flags on, without the inode's number.
std::string line_of(std::string const& name)
{
    std::string const all = read_file("/proc/net/unix");
    size_t const at = all.find(" " + name + "\n");
    if (at == all.npos) return {};
    size_t const start = all.rfind('\n', at) + 1;
    std::string const line = all.substr(start, at - start);
    return line.substr(line.find(": ") + 20, 16);
}

TEST_F(LocalSocket, proc_lists_names_and_states)
{
    Address address("listed"), abstract("@listed-" + std::to_string(::getpid()));
    Fd listener = ::socket(AF_UNIX, SOCK_STREAM, 0), bound = ::socket(AF_UNIX, SOCK_DGRAM, 0);
    ASSERT_OK(::bind(listener, address.get(), address.length));
    EXPECT_EQ(line_of("listed"), "00000000 0001 01");
    ASSERT_OK(::listen(listener, 1));
    EXPECT_EQ(line_of("listed"), "00010000 0001 01");
    ASSERT_OK(::bind(bound, abstract.get(), abstract.length));
    EXPECT_EQ(line_of("@listed-" + std::to_string(::getpid())), "00000000 0002 01");
    Fd client = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_OK(::connect(client, address.get(), address.length));
    Fd server = ::accept(listener, nullptr, nullptr);
    listener.reset();
    EXPECT_EQ(line_of("listed"), "00000000 0001 03") << "a connection has its listener's name";
}

TEST(LocalSocketNames, autobind)
{
    Fd fd = ::socket(AF_UNIX, SOCK_DGRAM, 0);
    sockaddr_un name {};
    name.sun_family = AF_UNIX;
    ASSERT_OK(::bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof(sa_family_t)));
    socklen_t length = sizeof name;
    ASSERT_OK(::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length));
    EXPECT_EQ(length, sizeof(sa_family_t) + 6);
    EXPECT_EQ(name.sun_path[0], '\0');
}

TEST_F(LocalSocket, datagrams_by_name)
{
    Fd server = ::socket(AF_UNIX, SOCK_DGRAM, 0), client = ::socket(AF_UNIX, SOCK_DGRAM, 0);
    Address to("server"), from("client");
    ASSERT_OK(::bind(server, to.get(), to.length));
    ASSERT_OK(::bind(client, from.get(), from.length));
    ASSERT_EQ(::sendto(client, "question", 8, 0, to.get(), to.length), 8);
    char buffer[100];
    sockaddr_un sender {};
    socklen_t length = sizeof sender;
    ASSERT_EQ(::recvfrom(server, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&sender), &length), 8);
    EXPECT_STREQ(sender.sun_path, "client");
    EXPECT_EQ(length, from.length);
    EXPECT_ERROR(::send(server, "x", 1, 0), ENOTCONN);
    ASSERT_OK(::connect(server, from.get(), from.length));
    ASSERT_EQ(::send(server, "answer", 6, 0), 6);
    EXPECT_EQ(received(client), "answer");
    Fd stranger = ::socket(AF_UNIX, SOCK_DGRAM, 0);
    EXPECT_ERROR(::sendto(stranger, "x", 1, 0, to.get(), to.length), EPERM) << "connected to another";
    client.reset();
    EXPECT_ERROR(::send(server, "x", 1, 0), ECONNREFUSED);
}

TEST_F(LocalSocket, a_datagram_queue_is_short)
{
    Fd server = ::socket(AF_UNIX, SOCK_DGRAM, 0), client = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    Address to("server");
    ASSERT_OK(::bind(server, to.get(), to.length));
    ASSERT_OK(::connect(client, to.get(), to.length));
    int sent = 0;
    while (::send(client, "x", 1, 0) == 1)
        ASSERT_LT(++sent, 10'000);
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(events_of(client), 0);
    EXPECT_EQ(received(server), "x");
    EXPECT_EQ(events_of(client), POLLOUT);
    std::string huge(1 << 20, 'x');
    EXPECT_ERROR(::send(client, huge.data(), huge.size(), 0), EMSGSIZE);
}

TEST_F(LocalSocket, a_waiting_accept_and_connect_are_woken)
{
    Fd listener = ::socket(AF_UNIX, SOCK_SEQPACKET, 0);
    Address address("sock");
    ASSERT_OK(::bind(listener, address.get(), address.length));
    ASSERT_OK(::listen(listener, 0));
    pid_t acceptor = start([&] {
        for (int i = 0; i < 3; i++) {
            Fd server = ::accept(listener, nullptr, nullptr);
            EXPECT_EQ(received(server), "hello");
        }
    });
    wait_until_sleeping(acceptor);
    for (int i = 0; i < 3; i++) {
        Fd client = ::socket(AF_UNIX, SOCK_SEQPACKET, 0);
        ASSERT_OK(::connect(client, address.get(), address.length));
        ASSERT_EQ(::send(client, "hello", 5, 0), 5);
    }
    EXPECT_EQ(wait_for(acceptor), exited(0));
}

TEST_F(LocalSocket, write_permission_is_needed)
{
    NEEDS_ROOT();
    Fd listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    Address address("sock");
    ASSERT_OK(::bind(listener, address.get(), address.length));
    ASSERT_OK(::listen(listener, 5));
    ASSERT_OK(::chmod(".", 0755));
    ASSERT_OK(::chmod("sock", 0755));
    as_ordinary_user([&] {
        Fd client = ::socket(AF_UNIX, SOCK_STREAM, 0);
        EXPECT_ERROR(::connect(client, address.get(), address.length), EACCES);
    });
}

TEST(SocketPair, order_of_errors)
{
    int const lowest = ::dup(0);
    ASSERT_OK(::close(lowest));
    int pair[2];
    EXPECT_ERROR(::socketpair(AF_INET, SOCK_STREAM, IPPROTO_TCP, pair), EOPNOTSUPP);
    EXPECT_ERROR(::socketpair(AF_INET, SOCK_DGRAM, IPPROTO_TCP, pair), EPROTONOSUPPORT);
    EXPECT_ERROR(::socketpair(AF_INET, SOCK_STREAM, IPPROTO_ICMP, pair), EPROTONOSUPPORT);
    EXPECT_ERROR(::socketpair(AF_INET, 75, 0, pair), EINVAL);
    EXPECT_EQ(raw(SYS_socketpair, AF_INET, SOCK_STREAM, 0, nullptr), -EFAULT) << "before there are sockets";
    Fd next = ::dup(0);
    EXPECT_EQ(int(next), lowest) << "no number is lost";
}

} // namespace
} // namespace abi_test
