// SPDX-License-Identifier: GPL-2.0-or-later
// Internet datagrams (udp(7)), and IPv6 beside IPv4 (ipv6(7)).
#include "inet.h"

#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <vector>

namespace abi_test {
namespace {

struct Datagrams {
    Fd a, b;
    sockaddr_in a_name {}, b_name {};
    Datagrams()
        : a(::socket(AF_INET, SOCK_DGRAM, 0))
        , b(::socket(AF_INET, SOCK_DGRAM, 0))
    {
        EXPECT_OK(bind_to(a, name4(0)));
        EXPECT_OK(bind_to(b, name4(0)));
        a_name = name_of(a), b_name = name_of(b);
    }
    ssize_t send_to_b(char const* text) const
    {
        return ::sendto(
            a, text, std::strlen(text), 0, reinterpret_cast<sockaddr const*>(&b_name), sizeof b_name);
    }
};

TEST(InetDatagram, udplite_has_options_of_its_own)
{
    constexpr int send_coverage = 10, receive_coverage = 11;
    for (int family : { AF_INET, AF_INET6 }) {
        Fd a = ::socket(family, SOCK_DGRAM, IPPROTO_UDPLITE);
        if (a < 0) SKIP_AS_HOST_LACKS("UDP-Lite");
        int value = 0;
        socklen_t length = sizeof value;
        EXPECT_OK(::getsockopt(a, SOL_SOCKET, SO_PROTOCOL, &value, &length));
        EXPECT_EQ(value, IPPROTO_UDPLITE);
        for (auto [wanted, kept] : { std::pair(0, 0), { 1, 8 }, { 20, 20 }, { 100000, 65535 }, { -5, 8 } })
            for (int option : { send_coverage, receive_coverage }) {
                EXPECT_OK(::setsockopt(a, IPPROTO_UDPLITE, option, &wanted, sizeof wanted));
                EXPECT_OK(::getsockopt(a, IPPROTO_UDPLITE, option, &value, &length));
                EXPECT_EQ(value, kept);
            }
    }
    Fd plain = ::socket(AF_INET, SOCK_DGRAM, 0);
    int value = 8;
    EXPECT_ERROR(::setsockopt(plain, IPPROTO_UDPLITE, send_coverage, &value, sizeof value), ENOPROTOOPT);
}

TEST(InetDatagram, udplite_has_ports_of_its_own)
{
    Fd lite = ::socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE),
       other = ::socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
    if (lite < 0) SKIP_AS_HOST_LACKS("UDP-Lite");
    Fd plain = ::socket(AF_INET, SOCK_DGRAM, 0);
    ASSERT_OK(bind_to(plain, name4(0)));
    auto const name = name_of(plain);
    if (bind_to(lite, name) != 0) return; // somebody else on the host has it
    EXPECT_ERROR(bind_to(other, name), EADDRINUSE);
    ASSERT_EQ(::sendto(other, "lite", 4, 0, reinterpret_cast<sockaddr const*>(&name), sizeof name), 4);
    char got[16];
    EXPECT_EQ(::recv(lite, got, sizeof got, 0), 4);
    EXPECT_ERROR(::recv(plain, got, sizeof got, MSG_DONTWAIT), EAGAIN);
}

TEST(InetDatagram, whole_messages_with_their_sender)
{
    Datagrams d;
    ASSERT_EQ(d.send_to_b("first"), 5);
    ASSERT_EQ(d.send_to_b(""), 0);
    ASSERT_EQ(d.send_to_b("third"), 5);
    char got[16] = {};
    sockaddr_in from;
    socklen_t length = sizeof from;
    EXPECT_EQ(::recvfrom(d.b, got, sizeof got, 0, reinterpret_cast<sockaddr*>(&from), &length), 5);
    EXPECT_EQ(from.sin_port, d.a_name.sin_port);
    EXPECT_EQ(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    EXPECT_EQ(::recv(d.b, got, sizeof got, 0), 0);
    EXPECT_EQ(::recv(d.b, got, 2, MSG_PEEK | MSG_TRUNC), 5);
    EXPECT_EQ(::recv(d.b, got, 2, 0), 2) << "the rest is lost";
    EXPECT_ERROR(::recv(d.b, got, 2, MSG_DONTWAIT), EAGAIN);
}

/// What arrives next, or "(nothing)".
std::string next_of(int socket)
{
    char text[100];
    ssize_t const size = ::recv(socket, text, sizeof text, MSG_DONTWAIT);
    return size < 0 ? "(nothing)" : std::string(text, size_t(size));
}

TEST(InetDatagram, put_together_from_several_calls)
{
    Datagrams pair;
    ASSERT_OK(connect_to(pair.a, name_of(pair.b)));
    EXPECT_EQ(::send(pair.a, "one ", 4, MSG_MORE), 4);
    EXPECT_EQ(::send(pair.a, "two ", 4, MSG_MORE), 4);
    EXPECT_EQ(next_of(pair.b), "(nothing)");
    EXPECT_EQ(::send(pair.a, "three", 5, 0), 5);
    EXPECT_EQ(next_of(pair.b), "one two three");
    EXPECT_EQ(::send(pair.a, "four", 4, 0), 4);
    EXPECT_EQ(next_of(pair.b), "four");
    // The first call says where it goes.
    Datagrams other;
    EXPECT_EQ(::send(pair.a, "a", 1, MSG_MORE), 1);
    sockaddr_in const elsewhere = name_of(other.b);
    EXPECT_EQ(
        ::sendto(pair.a, "b", 1, 0, reinterpret_cast<sockaddr const*>(&elsewhere), sizeof elsewhere), 1);
    EXPECT_EQ(next_of(pair.b), "ab");
    EXPECT_EQ(next_of(other.b), "(nothing)");
}

TEST(InetDatagram, corked)
{
    Datagrams pair;
    ASSERT_OK(connect_to(pair.a, name_of(pair.b)));
    EXPECT_EQ(option(pair.a, IPPROTO_UDP, UDP_CORK), 0);
    int on = 5, off = 0;
    ASSERT_OK(::setsockopt(pair.a, IPPROTO_UDP, UDP_CORK, &on, sizeof on));
    EXPECT_EQ(option(pair.a, IPPROTO_UDP, UDP_CORK), 1);
    EXPECT_EQ(::send(pair.a, "one ", 4, 0), 4);
    EXPECT_EQ(::send(pair.a, "two", 3, 0), 3);
    EXPECT_EQ(next_of(pair.b), "(nothing)");
    ASSERT_OK(::setsockopt(pair.a, IPPROTO_UDP, UDP_CORK, &off, sizeof off));
    EXPECT_EQ(next_of(pair.b), "one two");
    EXPECT_EQ(next_of(pair.b), "(nothing)");
    // What becomes too long is dropped, all of it.
    std::string const half(40'000, 'x');
    EXPECT_EQ(::send(pair.a, half.data(), half.size(), MSG_MORE), ssize_t(half.size()));
    EXPECT_ERROR(::send(pair.a, half.data(), half.size(), 0), EMSGSIZE);
    EXPECT_EQ(::send(pair.a, "after", 5, 0), 5);
    EXPECT_EQ(next_of(pair.b), "after");
    // So is what cannot be read.
    EXPECT_EQ(::send(pair.a, "lost", 4, MSG_MORE), 4);
    EXPECT_ERROR(::send(pair.a, reinterpret_cast<void*>(8), 4, 0), EFAULT);
    EXPECT_EQ(::send(pair.a, "again", 5, 0), 5);
    EXPECT_EQ(next_of(pair.b), "again");
}

TEST(InetDatagram, connected)
{
    Datagrams d;
    ASSERT_OK(connect_to(d.b, d.a_name));
    Fd stranger = ::socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_EQ(::sendto(stranger, "x", 1, 0, reinterpret_cast<sockaddr*>(&d.b_name), sizeof d.b_name), 1);
    ASSERT_EQ(d.send_to_b("peer"), 4);
    char got[8] = {};
    EXPECT_EQ(::recv(d.b, got, sizeof got, 0), 4) << "others' are not for it";
    EXPECT_EQ(::send(d.b, "back", 4, 0), 4);
    EXPECT_EQ(::recv(d.a, got, sizeof got, 0), 4);
    EXPECT_ERROR(::send(d.a, "x", 1, 0), EDESTADDRREQ);
}

TEST(InetDatagram, nobody_there)
{
    Datagrams d;
    d.b.reset();
    EXPECT_EQ(d.send_to_b("lost"), 4) << "without a connection nobody tells";
    EXPECT_EQ(option(d.a, SOL_SOCKET, SO_ERROR), 0);
    ASSERT_OK(connect_to(d.a, d.b_name));
    EXPECT_EQ(::send(d.a, "x", 1, 0), 1);
    char byte;
    EXPECT_ERROR(::recv(d.a, &byte, 1, 0), ECONNREFUSED);
}

TEST(InetDatagram, limits)
{
    Datagrams d;
    std::vector<char> block(65508);
    auto* to = reinterpret_cast<sockaddr*>(&d.b_name);
    EXPECT_ERROR(::sendto(d.a, block.data(), 65508, 0, to, sizeof d.b_name), EMSGSIZE);
    EXPECT_EQ(::sendto(d.a, block.data(), 65507, 0, to, sizeof d.b_name), 65507);
    int waiting = 0;
    EXPECT_OK(::ioctl(d.b, FIONREAD, &waiting));
    EXPECT_EQ(waiting, 65507);
}

TEST(InetDatagram, sending_gives_a_port)
{
    Datagrams d;
    Fd fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_EQ(name_of(fd).sin_port, 0);
    EXPECT_EQ(::sendto(fd, "x", 1, 0, reinterpret_cast<sockaddr*>(&d.b_name), sizeof d.b_name), 1);
    EXPECT_NE(name_of(fd).sin_port, 0);
}

bool has_ipv6()
{
    Fd fd = ::socket(AF_INET6, SOCK_STREAM, 0);
    return fd >= 0 && bind_to(fd, name6(0, "::1")) == 0;
}

TEST(Inet6Socket, one_socket_for_both_families)
{
    if (!has_ipv6()) SKIP_AS_HOST_LACKS("IPv6");
    Fd listener = ::socket(AF_INET6, SOCK_STREAM, 0);
    ASSERT_OK(set_option(listener, IPPROTO_IPV6, IPV6_V6ONLY, 0));
    ASSERT_OK(bind_to(listener, name6(0, "::")));
    ASSERT_OK(::listen(listener, 4));
    uint16_t port = ntohs(name_of<sockaddr_in6>(listener).sin6_port);
    EXPECT_ERROR(set_option(listener, IPPROTO_IPV6, IPV6_V6ONLY, 1), EINVAL) << "too late";

    Fd six = ::socket(AF_INET6, SOCK_STREAM, 0), four = ::socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_OK(connect_to(six, name6(port, "::1")));
    ASSERT_OK(connect_to(four, name4(port)));
    Fd from_six = ::accept(listener, nullptr, nullptr), from_four = ::accept(listener, nullptr, nullptr);
    char text[64];
    auto peer = peer_of<sockaddr_in6>(from_six);
    ::inet_ntop(AF_INET6, &peer.sin6_addr, text, sizeof text);
    EXPECT_STREQ(text, "::1");
    peer = peer_of<sockaddr_in6>(from_four);
    ::inet_ntop(AF_INET6, &peer.sin6_addr, text, sizeof text);
    EXPECT_STREQ(text, "::ffff:127.0.0.1");

    Fd other = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_ERROR(bind_to(other, name4(port)), EADDRINUSE);
}

TEST(Inet6Socket, only_its_own_family)
{
    if (!has_ipv6()) SKIP_AS_HOST_LACKS("IPv6");
    // On a busy host a port that is free for IPv6 may be taken for IPv4: one of many is free for both.
    Fd listener, four;
    uint16_t port = 0;
    int bound = -1;
    for (int tries = 0; tries < 100 && bound != 0; ++tries) {
        listener = ::socket(AF_INET6, SOCK_STREAM, 0);
        ASSERT_OK(set_option(listener, IPPROTO_IPV6, IPV6_V6ONLY, 1));
        EXPECT_EQ(option(listener, IPPROTO_IPV6, IPV6_V6ONLY), 1);
        ASSERT_OK(bind_to(listener, name6(0, "::")));
        port = ntohs(name_of<sockaddr_in6>(listener).sin6_port);
        four = ::socket(AF_INET, SOCK_STREAM, 0);
        bound = bind_to(four, name4(port));
    }
    EXPECT_OK(bound);
    Fd mapped = ::socket(AF_INET6, SOCK_STREAM, 0);
    ASSERT_OK(set_option(mapped, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    EXPECT_ERROR(connect_to(mapped, name6(port, "::ffff:127.0.0.1")), ENETUNREACH);
    EXPECT_ERROR(bind_to(mapped, name4(port)), EINVAL) << "too short";
    sockaddr_in6 wrong = name6(port, "::1");
    wrong.sin6_family = AF_INET;
    EXPECT_ERROR(bind_to(mapped, wrong), EAFNOSUPPORT);
}

TEST(Inet6Socket, datagrams)
{
    if (!has_ipv6()) SKIP_AS_HOST_LACKS("IPv6");
    Fd a = ::socket(AF_INET6, SOCK_DGRAM, 0), b = ::socket(AF_INET6, SOCK_DGRAM, 0);
    ASSERT_OK(bind_to(a, name6(0, "::1")));
    ASSERT_OK(connect_to(b, name_of<sockaddr_in6>(a)));
    ASSERT_EQ(::send(b, "six", 3, 0), 3);
    char got[8];
    sockaddr_in6 from;
    socklen_t length = sizeof from;
    EXPECT_EQ(::recvfrom(a, got, sizeof got, 0, reinterpret_cast<sockaddr*>(&from), &length), 3);
    EXPECT_EQ(length, sizeof from);
    EXPECT_EQ(from.sin6_port, name_of<sockaddr_in6>(b).sin6_port);
}

TEST(InetDatagram, the_queue_of_errors_is_not_waited_for)
{
    Datagrams d;
    char byte;
    EXPECT_ERROR(::recv(d.b, &byte, 1, MSG_ERRQUEUE), EAGAIN);
    Fd stream = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_ERROR(::recv(stream, &byte, 1, MSG_ERRQUEUE), EAGAIN);
}

TEST(InetDatagram, options_of_ipv6_packets_are_switches)
{
    Fd fd = ::socket(AF_INET6, SOCK_DGRAM, 0);
    for (int name : { IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, IPV6_RECVHOPOPTS, IPV6_RECVRTHDR,
             IPV6_RECVDSTOPTS, IPV6_RECVPATHMTU, IPV6_DONTFRAG, IPV6_2292PKTINFO, IPV6_2292HOPOPTS,
             IPV6_2292DSTOPTS, IPV6_2292RTHDR, IPV6_2292HOPLIMIT }) {
        EXPECT_EQ(option(fd, IPPROTO_IPV6, name), 0) << name;
        EXPECT_OK(set_option(fd, IPPROTO_IPV6, name, 1)) << name;
        EXPECT_EQ(option(fd, IPPROTO_IPV6, name), 1) << name;
        EXPECT_OK(set_option(fd, IPPROTO_IPV6, name, 0)) << name;
        EXPECT_EQ(option(fd, IPPROTO_IPV6, name), 0) << name;
    }
}

TEST(InetDatagram, binding_any_address_without_a_family)
{
    for (int type : { SOCK_STREAM, SOCK_DGRAM }) {
        Fd fd = ::socket(AF_INET, type, 0);
        auto name = name4(0);
        name.sin_family = AF_UNSPEC;
        EXPECT_ERROR(bind_to(fd, name), EAFNOSUPPORT) << "any other address";
        name.sin_addr.s_addr = INADDR_ANY;
        EXPECT_OK(bind_to(fd, name));
        EXPECT_NE(name_of(fd).sin_port, 0);
        Fd six = ::socket(AF_INET6, type, 0);
        auto any = name6(0, "::");
        any.sin6_family = AF_UNSPEC;
        EXPECT_ERROR(bind_to(six, any), EAFNOSUPPORT);
    }
}

} // namespace
} // namespace abi_test
