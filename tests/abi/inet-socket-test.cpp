// SPDX-License-Identifier: GPL-2.0-or-later
// Internet sockets on loopback: ip(7), ipv6(7), tcp(7), udp(7).
#include "inet.h"

#include <fstream>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <thread>
#include <vector>

namespace abi_test {
namespace {

struct Listener {
    Fd fd;
    sockaddr_in name {};
    explicit Listener(int backlog = 8)
        : fd(::socket(AF_INET, SOCK_STREAM, 0))
    {
        EXPECT_OK(bind_to(fd, name4(0)));
        EXPECT_OK(::listen(fd, backlog));
        name = name_of(fd);
    }
};

struct Connection {
    Listener listener;
    Fd client, server;
    Connection()
        : client(::socket(AF_INET, SOCK_STREAM, 0))
    {
        EXPECT_OK(connect_to(client, listener.name));
        server = ::accept(listener.fd, nullptr, nullptr);
        EXPECT_OK(server);
    }
};

std::string receive_all(int socket)
{
    std::string got;
    char bytes[4096];
    for (ssize_t n; (n = ::recv(socket, bytes, sizeof bytes, 0)) > 0;)
        got.append(bytes, size_t(n));
    return got;
}

TEST(InetSocket, families_types_and_protocols)
{
    EXPECT_ERROR(::socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    EXPECT_ERROR(::socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
    EXPECT_ERROR(::socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
    EXPECT_ERROR(::socket(AF_INET, SOCK_STREAM, -1), EINVAL);
    int pair[2];
    EXPECT_ERROR(::socketpair(AF_INET, SOCK_STREAM, 0, pair), EOPNOTSUPP);
    Fd fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    ASSERT_OK(fd);
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
}

TEST(InetSocket, names)
{
    Connection c;
    sockaddr_in client = name_of(c.client), server = name_of(c.server);
    EXPECT_EQ(client.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    EXPECT_EQ(server.sin_port, c.listener.name.sin_port);
    EXPECT_EQ(peer_of(c.client).sin_port, server.sin_port);
    EXPECT_EQ(peer_of(c.server).sin_port, client.sin_port);
    Fd fresh = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(name_of(fresh).sin_port, 0);
    sockaddr_in name;
    socklen_t length = sizeof name;
    EXPECT_ERROR(::getpeername(fresh, reinterpret_cast<sockaddr*>(&name), &length), ENOTCONN);
}

TEST(InetSocket, bytes_go_both_ways_and_end)
{
    Connection c;
    ASSERT_EQ(::send(c.client, "question", 8, 0), 8);
    char got[32];
    ASSERT_EQ(::recv(c.server, got, sizeof got, 0), 8);
    EXPECT_EQ(std::string(got, 8), "question");
    ASSERT_EQ(::send(c.server, "answer", 6, 0), 6);
    ASSERT_OK(::shutdown(c.server, SHUT_WR));
    EXPECT_EQ(receive_all(c.client), "answer");
    // The other direction is still open.
    ASSERT_EQ(::send(c.client, "more", 4, 0), 4);
    c.client.reset();
    EXPECT_EQ(receive_all(c.server), "more");
}

TEST(InetSocket, much_data_between_threads)
{
    Connection c;
    std::string data(3'000'000, '.');
    for (size_t i = 0; i < data.size(); ++i)
        data[i] = char('a' + i * 7 % 23 % 26);
    std::thread writer([&] {
        for (size_t sent = 0; sent < data.size();) {
            ssize_t n = ::send(c.client, data.data() + sent, data.size() - sent, 0);
            if (n <= 0) break;
            sent += size_t(n);
        }
        ::shutdown(c.client, SHUT_WR);
    });
    EXPECT_TRUE(receive_all(c.server) == data);
    writer.join();
}

TEST(InetSocket, nobody_listens)
{
    sockaddr_in gone;
    {
        Listener listener;
        gone = listener.name;
    }
    Fd fd = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_ERROR(connect_to(fd, gone), ECONNREFUSED);
    // The socket can be used again.
    Listener listener;
    EXPECT_OK(connect_to(fd, listener.name));
    EXPECT_ERROR(connect_to(fd, listener.name), EISCONN);
    EXPECT_ERROR(connect_to(listener.fd, listener.name), EISCONN);
}

TEST(InetSocket, addresses_that_are_wrong)
{
    Fd fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in name = name4(0, "192.0.2.1");
    EXPECT_ERROR(bind_to(fd, name), EADDRNOTAVAIL);
    name = name4(1);
    EXPECT_ERROR(::connect(fd, reinterpret_cast<sockaddr*>(&name), 8), EINVAL);
    name.sin_family = AF_UNIX;
    EXPECT_ERROR(bind_to(fd, name), EAFNOSUPPORT);
    EXPECT_ERROR(connect_to(fd, name), EAFNOSUPPORT);
    EXPECT_OK(bind_to(fd, name4(0)));
    EXPECT_ERROR(bind_to(fd, name4(0)), EINVAL) << "has a name";
}

TEST(InetSocket, ports_that_are_taken)
{
    Listener first;
    uint16_t port = ntohs(first.name.sin_port);
    Fd second = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_ERROR(bind_to(second, name4(port)), EADDRINUSE);
    EXPECT_ERROR(bind_to(second, name4(port, "0.0.0.0")), EADDRINUSE);
    EXPECT_OK(set_option(second, SOL_SOCKET, SO_REUSEADDR, 1));
    EXPECT_ERROR(bind_to(second, name4(port)), EADDRINUSE) << "a listener has it";
    EXPECT_OK(bind_to(second, name4(port, "127.0.0.2"))) << "another address";
    // The protocols have ports of their own.
    Fd datagrams = ::socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_OK(bind_to(datagrams, name4(port)));
}

TEST(InetSocket, a_port_may_be_shared_by_who_wants_it)
{
    Fd first = ::socket(AF_INET, SOCK_STREAM, 0), second = ::socket(AF_INET, SOCK_STREAM, 0);
    for (int fd : { int(first), int(second) })
        EXPECT_OK(set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1));
    ASSERT_OK(bind_to(first, name4(0)));
    uint16_t port = ntohs(name_of(first).sin_port);
    EXPECT_OK(bind_to(second, name4(port)));
    EXPECT_OK(::listen(first, 1));
    EXPECT_ERROR(::listen(second, 1), EADDRINUSE);

    Fd third = ::socket(AF_INET, SOCK_STREAM, 0), fourth = ::socket(AF_INET, SOCK_STREAM, 0);
    for (int fd : { int(third), int(fourth) })
        EXPECT_OK(set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1));
    ASSERT_OK(bind_to(third, name4(0)));
    EXPECT_OK(bind_to(fourth, name4(ntohs(name_of(third).sin_port))));
    EXPECT_OK(::listen(third, 1));
    EXPECT_OK(::listen(fourth, 1));
}

TEST(InetSocket, low_ports_are_for_the_privileged)
{
    std::ifstream file("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    int first = 1024;
    if (file >> first; first <= 1000) GTEST_SKIP() << "everybody may on this host";
    as_ordinary_user([] {
        Fd fd = ::socket(AF_INET, SOCK_STREAM, 0);
        EXPECT_ERROR(bind_to(fd, name4(1000)), EACCES);
    });
}

TEST(InetSocket, listening_gives_a_port)
{
    Fd fd = ::socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_OK(::listen(fd, 1));
    sockaddr_in name = name_of(fd);
    EXPECT_NE(name.sin_port, 0);
    EXPECT_EQ(name.sin_addr.s_addr, htonl(INADDR_ANY));
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    Fd client = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(connect_to(client, name)) << "any address is this machine's";
    EXPECT_EQ(peer_of(client).sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    Fd datagrams = ::socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_ERROR(::listen(datagrams, 1), EOPNOTSUPP);
    EXPECT_ERROR(::accept(client, nullptr, nullptr), EINVAL);
    EXPECT_ERROR(::accept(datagrams, nullptr, nullptr), EOPNOTSUPP);
}

TEST(InetSocket, connecting_without_waiting)
{
    Listener listener;
    Fd fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    EXPECT_ERROR(connect_to(fd, listener.name), EINPROGRESS);
    ASSERT_TRUE(becomes_ready(fd, POLLOUT));
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_ERROR), 0);
    EXPECT_OK(connect_to(fd, listener.name)) << "the outcome";
    EXPECT_ERROR(connect_to(fd, listener.name), EISCONN);

    sockaddr_in gone;
    {
        Listener other;
        gone = other.name;
    }
    Fd refused = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    EXPECT_ERROR(connect_to(refused, gone), EINPROGRESS);
    ASSERT_TRUE(becomes_ready(refused, POLLERR));
    EXPECT_EQ(poll_bits(refused), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
    EXPECT_EQ(option(refused, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    EXPECT_EQ(option(refused, SOL_SOCKET, SO_ERROR), 0) << "told once";
}

/// One that waits for room in a listener's queue.
struct Asking {
    Listener listener { 0 };
    Fd first = ::socket(AF_INET, SOCK_STREAM, 0);
    Asking() { EXPECT_OK(connect_to(first, listener.name)); }
};

TEST(InetSocket, connecting_is_given_up)
{
    Asking asking;
    for (int how : { SHUT_RD, SHUT_WR, SHUT_RDWR }) {
        Fd fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        EXPECT_ERROR(connect_to(fd, asking.listener.name), EINPROGRESS);
        EXPECT_ERROR(connect_to(fd, asking.listener.name), EALREADY);
        EXPECT_OK(::shutdown(fd, how));
        EXPECT_EQ(option(fd, SOL_SOCKET, SO_ERROR), ECONNRESET);
        EXPECT_ERROR(::shutdown(fd, how), ENOTCONN);
        EXPECT_ERROR(connect_to(fd, asking.listener.name), EINPROGRESS) << "anew";
    }
}

TEST(InetSocket, connecting_is_given_up_by_another_thread)
{
    Asking asking;
    Fd fd = ::socket(AF_INET, SOCK_STREAM, 0);
    std::thread other([&] { EXPECT_ERROR(connect_to(fd, asking.listener.name), ECONNRESET); });
    // Until it waits there.
    while (::shutdown(fd, SHUT_RDWR) != 0)
        ::usleep(1000);
    other.join();
}

TEST(InetSocket, accepting_without_waiting)
{
    Listener listener;
    ASSERT_OK(::fcntl(listener.fd, F_SETFL, O_NONBLOCK));
    EXPECT_ERROR(::accept(listener.fd, nullptr, nullptr), EAGAIN);
    EXPECT_EQ(poll_bits(listener.fd), 0);
    Fd client = ::socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_OK(connect_to(client, listener.name));
    EXPECT_TRUE(becomes_ready(listener.fd, POLLIN));
    sockaddr_in from;
    socklen_t length = sizeof from;
    Fd server = ::accept4(listener.fd, reinterpret_cast<sockaddr*>(&from), &length, SOCK_NONBLOCK);
    ASSERT_OK(server);
    EXPECT_EQ(from.sin_port, name_of(client).sin_port);
    char byte;
    EXPECT_ERROR(::recv(server, &byte, 1, 0), EAGAIN);
}

TEST(InetSocket, shut_listener)
{
    Listener listener;
    ASSERT_OK(::shutdown(listener.fd, SHUT_RD));
    EXPECT_ERROR(::accept(listener.fd, nullptr, nullptr), EINVAL);
    Fd client = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_ERROR(connect_to(client, listener.name), ECONNREFUSED);
    EXPECT_ERROR(::shutdown(client, SHUT_RDWR), ENOTCONN);
    EXPECT_ERROR(::shutdown(listener.fd, 3), EINVAL);
}

TEST(InetSocket, unread_data_makes_closing_a_reset)
{
    Connection c;
    ASSERT_EQ(::send(c.client, "unread", 6, 0), 6);
    ASSERT_TRUE(becomes_ready(c.server, POLLIN));
    c.server.reset();
    ASSERT_TRUE(becomes_ready(c.client, POLLERR));
    char byte;
    EXPECT_ERROR(::recv(c.client, &byte, 1, 0), ECONNRESET);
    EXPECT_EQ(::recv(c.client, &byte, 1, 0), 0) << "told once";
    EXPECT_ERROR(::send(c.client, "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(InetSocket, no_linger_is_a_reset)
{
    Connection c;
    linger none { 1, 0 };
    ASSERT_OK(::setsockopt(c.server, SOL_SOCKET, SO_LINGER, &none, sizeof none));
    c.server.reset();
    ASSERT_TRUE(becomes_ready(c.client, POLLERR));
    EXPECT_EQ(option(c.client, SOL_SOCKET, SO_ERROR), ECONNRESET);
}

TEST(InetSocket, writing_to_a_peer_that_has_gone)
{
    Connection c;
    c.server.reset();
    ASSERT_TRUE(becomes_ready(c.client, POLLIN));
    EXPECT_EQ(poll_bits(c.client), POLLIN | POLLOUT | POLLRDHUP);
    EXPECT_EQ(::send(c.client, "x", 1, 0), 1) << "nobody knows yet";
    ASSERT_TRUE(becomes_ready(c.client, POLLHUP));
    in_child([&] {
        ::signal(SIGPIPE, SIG_IGN);
        EXPECT_ERROR(::send(c.client, "x", 1, 0), EPIPE);
    });
    EXPECT_EQ(wait_for(start([&] { ::send(c.client, "x", 1, 0); })), killed_by(SIGPIPE));
    char byte;
    EXPECT_EQ(::recv(c.client, &byte, 1, 0), 0);
}

TEST(InetSocket, both_directions_shut)
{
    Connection c;
    EXPECT_EQ(poll_bits(c.client), POLLOUT);
    ASSERT_OK(::shutdown(c.client, SHUT_WR));
    EXPECT_EQ(poll_bits(c.client), POLLOUT);
    ASSERT_TRUE(becomes_ready(c.server, POLLIN));
    EXPECT_EQ(poll_bits(c.server), POLLIN | POLLOUT | POLLRDHUP);
    ASSERT_OK(::shutdown(c.server, SHUT_WR));
    ASSERT_TRUE(becomes_ready(c.client, POLLHUP));
    EXPECT_EQ(poll_bits(c.client), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    EXPECT_ERROR(::send(c.client, "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(InetSocket, unconnected)
{
    Fd fd = ::socket(AF_INET, SOCK_STREAM, 0);
    char byte;
    EXPECT_ERROR(::recv(fd, &byte, 1, 0), ENOTCONN);
    EXPECT_ERROR(::send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_EQ(poll_bits(fd), POLLOUT | POLLHUP);
}

TEST(InetSocket, looking_waiting_and_discarding)
{
    Connection c;
    ASSERT_EQ(::send(c.client, "abcdef", 6, 0), 6);
    ASSERT_TRUE(becomes_ready(c.server, POLLIN));
    char got[8] = {};
    EXPECT_EQ(::recv(c.server, got, 3, MSG_PEEK), 3);
    EXPECT_STREQ(got, "abc");
    int waiting = 0;
    EXPECT_OK(::ioctl(c.server, FIONREAD, &waiting));
    EXPECT_EQ(waiting, 6);
    EXPECT_EQ(::recv(c.server, nullptr, 2, MSG_TRUNC), 2);
    std::thread later([&] { ::send(c.client, "ghij", 4, 0); });
    EXPECT_EQ(::recv(c.server, got, 8, MSG_WAITALL), 8);
    later.join();
    EXPECT_EQ(std::string(got, 8), "cdefghij");
    EXPECT_ERROR(::recv(c.server, got, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(InetSocket, full_and_empty_again)
{
    Connection c;
    ASSERT_OK(::fcntl(c.client, F_SETFL, O_NONBLOCK));
    std::vector<char> block(65536, 'x');
    size_t sent = 0;
    ssize_t n;
    while ((n = ::send(c.client, block.data(), block.size(), 0)) > 0)
        sent += size_t(n);
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(poll_bits(c.client), 0);
    size_t received = 0;
    while (received < sent && (n = ::recv(c.server, block.data(), block.size(), 0)) > 0)
        received += size_t(n);
    EXPECT_EQ(received, sent);
    EXPECT_TRUE(becomes_ready(c.client, POLLOUT));
}

TEST(InetSocket, receive_timeout)
{
    Connection c;
    timeval soon { 0, 20'000 };
    ASSERT_OK(::setsockopt(c.server, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
    char byte;
    EXPECT_ERROR(::recv(c.server, &byte, 1, 0), EAGAIN);
}

TEST(InetSocket, options_are_kept)
{
    Fd fd = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    EXPECT_OK(set_option(fd, IPPROTO_TCP, TCP_NODELAY, 5));
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_OK(set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 33));
    EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 33);
    EXPECT_ERROR(set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 0), EINVAL);
    EXPECT_OK(set_option(fd, IPPROTO_IP, IP_TOS, 0x10));
    EXPECT_EQ(option(fd, IPPROTO_IP, IP_TOS), 0x10);
    EXPECT_OK(set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1));
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_ERROR(set_option(fd, IPPROTO_TCP, 9999, 1), ENOPROTOOPT);
    EXPECT_EQ(option(fd, IPPROTO_TCP, 9999), -ENOPROTOOPT);
    Fd datagrams = ::socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_ERROR(set_option(datagrams, IPPROTO_TCP, TCP_NODELAY, 1), ENOPROTOOPT);
}

TEST(InetSocket, disconnecting)
{
    Connection c;
    sockaddr none {};
    none.sa_family = AF_UNSPEC;
    EXPECT_OK(::connect(c.client, &none, sizeof none));
    sockaddr_in name;
    socklen_t length = sizeof name;
    EXPECT_ERROR(::getpeername(c.client, reinterpret_cast<sockaddr*>(&name), &length), ENOTCONN);
    EXPECT_OK(connect_to(c.client, c.listener.name));
}

TEST(InetSocket, interface)
{
    Fd fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    ifreq request {};
    std::strcpy(request.ifr_name, "lo");
    ASSERT_OK(::ioctl(fd, SIOCGIFINDEX, &request));
    int index = request.ifr_ifindex;
    ASSERT_OK(::ioctl(fd, SIOCGIFFLAGS, &request));
    EXPECT_EQ(request.ifr_flags & (IFF_LOOPBACK | IFF_UP), IFF_LOOPBACK | IFF_UP);
    ASSERT_OK(::ioctl(fd, SIOCGIFADDR, &request));
    EXPECT_EQ(reinterpret_cast<sockaddr_in&>(request.ifr_addr).sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    request = {};
    request.ifr_ifindex = index;
    ASSERT_OK(::ioctl(fd, SIOCGIFNAME, &request));
    EXPECT_STREQ(request.ifr_name, "lo");
    request.ifr_ifindex = 54321;
    EXPECT_ERROR(::ioctl(fd, SIOCGIFNAME, &request), ENODEV);
    std::strcpy(request.ifr_name, "none");
    EXPECT_ERROR(::ioctl(fd, SIOCGIFINDEX, &request), ENODEV);
}

TEST(InetSocket, listed_in_proc)
{
    Listener listener;
    char wanted[64];
    std::snprintf(wanted, sizeof wanted, " 0100007F:%04X 00000000:0000 0A ", ntohs(listener.name.sin_port));
    std::ifstream file("/proc/net/tcp");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    EXPECT_NE(text.find(wanted), std::string::npos) << text;
}

/// A connection has a peer only while it is one.
TEST(InetSocket, the_peer_of_what_is_over)
{
    sockaddr_in name;
    socklen_t length = sizeof name;
    auto peer = [&](int fd) { return ::getpeername(fd, reinterpret_cast<sockaddr*>(&name), &length); };
    {
        Connection c;
        linger const now { 1, 0 };
        ASSERT_EQ(::send(c.server, "unread", 6, 0), 6);
        EXPECT_OK(::setsockopt(c.server, SOL_SOCKET, SO_LINGER, &now, sizeof now));
        c.server = Fd();
        ASSERT_TRUE(becomes_ready(c.client, POLLHUP));
        EXPECT_ERROR(peer(c.client), ENOTCONN) << "it was reset";
        EXPECT_ERROR(::shutdown(c.client, SHUT_WR), ENOTCONN);
        char got[8];
        EXPECT_EQ(::recv(c.client, got, sizeof got, 0), 6) << "what had come is there";
        EXPECT_ERROR(::recv(c.client, got, sizeof got, 0), ECONNRESET);
    }
    Connection c;
    EXPECT_OK(::shutdown(c.client, SHUT_WR));
    ASSERT_TRUE(becomes_ready(c.server, POLLRDHUP));
    EXPECT_OK(peer(c.server));
    EXPECT_OK(peer(c.client));
    EXPECT_OK(::shutdown(c.server, SHUT_WR));
    ASSERT_TRUE(becomes_ready(c.client, POLLHUP));
    EXPECT_ERROR(peer(c.server), ENOTCONN) << "both have finished";
    EXPECT_ERROR(peer(c.client), ENOTCONN);
    EXPECT_ERROR(::shutdown(c.client, SHUT_RD), ENOTCONN);
}

} // namespace
} // namespace abi_test
