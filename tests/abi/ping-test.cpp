// SPDX-License-Identifier: GPL-2.0-or-later
// Echoes: ping sockets and raw ICMP sockets (icmp(7), raw(7), RFC 792, RFC 4443).
#include "packets.h"

#include <grp.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

namespace abi_test {
namespace {

constexpr int kSolRaw = 255, kIcmpFilter = 1;

bool set_groups(std::string const& range)
{
    Fd file = ::open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY);
    return ::write(file, range.data(), range.size()) == ssize_t(range.size());
}

/// Runs the body where everybody may have ping sockets.
template <typename Body> void where_one_may_ping(Body&& body)
{
    if (::geteuid() != 0) {
        Fd probe = ::socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        if (probe < 0) SKIP_AS_HOST_LACKS("ping sockets for ordinary users");
        return in_child(body);
    }
    in_namespace(CLONE_NEWNET, [&] {
        bring_loopback_up();
        ASSERT_TRUE(set_groups("0 2147483647"));
        body();
    });
}

TEST(Ping, gets_its_echo)
{
    where_one_may_ping([] {
        Fd ping = ::socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        ASSERT_OK(ping);
        EXPECT_EQ(option(ping, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
        EXPECT_EQ(option(ping, SOL_SOCKET, SO_PROTOCOL), IPPROTO_ICMP);
        EXPECT_EQ(poll_bits(ping), POLLOUT);
        ASSERT_EQ(send_to(ping, echo_request(ICMP_ECHO, 7, 3, "hello"), name4(0)), 13);
        auto const name = name_of(ping);
        EXPECT_NE(name.sin_port, 0) << "an identifier of its own";
        ASSERT_TRUE(becomes_ready(ping, POLLIN));
        char room[4];
        EXPECT_EQ(::recv(ping, room, sizeof room, MSG_PEEK | MSG_TRUNC), 4) << "no whole length as with UDP";
        Bytes got(100);
        sockaddr_in from {};
        socklen_t length = sizeof from;
        ASSERT_EQ(
            ::recvfrom(ping, got.data(), got.size(), 0, reinterpret_cast<sockaddr*>(&from), &length), 13);
        got.resize(13);
        EXPECT_EQ(got[0], ICMP_ECHOREPLY);
        EXPECT_EQ(got[1], 0);
        EXPECT_EQ(checksum_of(got.data(), got.size()), 0) << "right as it is";
        EXPECT_EQ(htons(word(got, 4)), name.sin_port);
        EXPECT_EQ(word(got, 6), 3);
        EXPECT_EQ(std::string(got.begin() + 8, got.end()), "hello");
        EXPECT_EQ(from.sin_family, AF_INET);
        EXPECT_EQ(from.sin_port, 0);
        EXPECT_EQ(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
        EXPECT_TRUE(is_silent(ping));
    });
}

TEST(Ping, gets_its_echo_by_ipv6)
{
    where_one_may_ping([] {
        Fd ping = ::socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
        ASSERT_OK(ping);
        EXPECT_EQ(option(ping, IPPROTO_IPV6, IPV6_V6ONLY), 1);
        ASSERT_OK(set_option(ping, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
        ASSERT_EQ(send_to(ping, echo_request(ICMP6_ECHO_REQUEST, 7, 9, "odd"), name6(0, "::1")), 11);
        Bytes got(100);
        char control[100];
        sockaddr_in6 from {};
        iovec part { got.data(), got.size() };
        msghdr header { &from, sizeof from, &part, 1, control, sizeof control, 0 };
        ASSERT_TRUE(becomes_ready(ping, POLLIN));
        ASSERT_EQ(::recvmsg(ping, &header, 0), 11);
        got.resize(11);
        EXPECT_EQ(got[0], ICMP6_ECHO_REPLY);
        EXPECT_EQ(htons(word(got, 4)), name_of<sockaddr_in6>(ping).sin6_port);
        EXPECT_EQ(word(got, 6), 9);
        EXPECT_EQ(from.sin6_port, 0);
        EXPECT_TRUE(IN6_IS_ADDR_LOOPBACK(&from.sin6_addr));
        cmsghdr const* const note = CMSG_FIRSTHDR(&header);
        ASSERT_NE(note, nullptr);
        EXPECT_EQ(note->cmsg_type, IPV6_HOPLIMIT);
        EXPECT_EQ(*reinterpret_cast<int const*>(CMSG_DATA(note)), 64);
        EXPECT_ERROR(send_to(ping, echo_request(ICMP_ECHO, 7, 9, "odd"), name6(0, "::1")), EINVAL);
        EXPECT_ERROR(
            send_to(ping, echo_request(ICMP6_ECHO_REQUEST, 7, 9, ""), name6(0, "::ffff:127.0.0.1")), EINVAL);
    });
}

TEST(Ping, sends_echo_requests_only)
{
    where_one_may_ping([] {
        Fd ping = ::socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        Bytes const request = echo_request(ICMP_ECHO, 0, 1, "");
        EXPECT_ERROR(send_to(ping, echo_request(ICMP_ECHOREPLY, 0, 1, ""), name4(0)), EINVAL);
        EXPECT_ERROR(send_to(ping, echo_request(ICMP_TIMESTAMP, 0, 1, ""), name4(0)), EINVAL);
        Bytes other = request;
        other[1] = 1;
        EXPECT_ERROR(send_to(ping, other, name4(0)), EINVAL) << "a code";
        EXPECT_ERROR(send_to(ping, Bytes(7, 8), name4(0)), EINVAL);
        EXPECT_ERROR(send_to(ping, Bytes(0x10000, 8), name4(0)), EMSGSIZE);
        EXPECT_ERROR(send_to(ping, request, name4(0), MSG_OOB), EOPNOTSUPP);
        EXPECT_ERROR(send_to(ping, request, name6(0, "::1")), EAFNOSUPPORT);
        EXPECT_ERROR(::send(ping, request.data(), request.size(), 0), EDESTADDRREQ);
        EXPECT_ERROR(::listen(ping, 1), EOPNOTSUPP);
        EXPECT_ERROR(::socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6), EPROTONOSUPPORT);
        EXPECT_ERROR(::socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMP), EPROTONOSUPPORT);
    });
}

TEST(Ping, identifiers)
{
    where_one_may_ping([] {
        Fd a = ::socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), b = ::socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        constexpr uint16_t id = 77; // no port: it needs no right
        ASSERT_OK(bind_to(a, name4(id)));
        EXPECT_EQ(name_of(a).sin_port, htons(id));
        EXPECT_ERROR(bind_to(a, name4(id + 1)), EINVAL);
        EXPECT_ERROR(bind_to(b, name4(1, "192.0.2.77")), EADDRNOTAVAIL);
        EXPECT_EQ(option(a, SOL_SOCKET, SO_REUSEADDR), 1) << "from the first";
        ASSERT_OK(set_option(b, SOL_SOCKET, SO_REUSEADDR, 0));
        EXPECT_ERROR(bind_to(b, name4(id)), EADDRINUSE);
        EXPECT_ERROR(bind_to(b, name4(id, "127.0.0.2")), EADDRINUSE) << "the address does not matter";
        ASSERT_OK(set_option(b, SOL_SOCKET, SO_REUSEADDR, 1));
        EXPECT_OK(bind_to(b, name4(id)));
        EXPECT_EQ(send_to(a, echo_request(ICMP_ECHO, 1, 1, ""), name4(0)), 8);
        Fd c = ::socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        EXPECT_EQ(send_to(c, echo_request(ICMP_ECHO, id, 1, ""), name4(0)), 8);
        EXPECT_EQ(htons(word(next(c), 4)), name_of(c).sin_port) << "never somebody else's";
        EXPECT_NE(read_file("/proc/net/icmp").find(":004D"), std::string::npos);
    });
}

TEST(Ping, connected)
{
    where_one_may_ping([] {
        Fd ping = ::socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        ASSERT_OK(set_option(ping, IPPROTO_IP, IP_RECVTTL, 1));
        ASSERT_OK(connect_to(ping, name4(0, "127.0.0.9")));
        auto const own = name_of(ping);
        EXPECT_EQ(own.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
        Bytes const request = echo_request(ICMP_ECHO, 0, 1, "x");
        EXPECT_EQ(::send(ping, request.data(), request.size(), 0), 9);
        EXPECT_EQ(next(ping)[0], ICMP_ECHOREPLY);
        sockaddr_in peer {};
        socklen_t length = sizeof peer;
        EXPECT_ERROR(::getpeername(ping, reinterpret_cast<sockaddr*>(&peer), &length), ENOTCONN)
            << "without a port";
        ASSERT_OK(connect_to(ping, name4(5)));
        EXPECT_EQ(peer_of(ping).sin_port, htons(5));
        sockaddr const none {};
        ASSERT_OK(::connect(ping, &none, sizeof none));
        EXPECT_ERROR(::send(ping, request.data(), request.size(), 0), EDESTADDRREQ);
    });
}

TEST(Ping, shut)
{
    where_one_may_ping([] {
        for (int protocol : { IPPROTO_ICMP, IPPROTO_UDP }) {
            Fd socket = ::socket(AF_INET, SOCK_DGRAM, protocol);
            EXPECT_ERROR(::shutdown(socket, SHUT_WR), ENOTCONN);
            EXPECT_ERROR(send_to(socket, echo_request(ICMP_ECHO, 1, 1, ""), name4(9), MSG_NOSIGNAL), EPIPE)
                << "and yet it is";
        }
    });
}

TEST(Ping, groups_that_may)
{
    NEEDS_ROOT();
    in_namespace(CLONE_NEWNET, [] {
        bring_loopback_up();
        EXPECT_ERROR(::socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), EACCES) << "nobody at first, not even root";
        EXPECT_ERROR(::socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6), EACCES);
        ASSERT_TRUE(set_groups("40 50"));
        EXPECT_ERROR(::socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), EACCES);
        gid_t const groups[] = { 3, 45 };
        ASSERT_OK(::setgroups(2, groups));
        EXPECT_OK(int(Fd(::socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP))));
        ASSERT_OK(::setgroups(1, groups));
        EXPECT_ERROR(::socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), EACCES);
        ASSERT_OK(::setegid(50));
        EXPECT_OK(int(Fd(::socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6))));
    });
}

struct RawEchoes : ::testing::Test {
    void SetUp() override
    {
        Fd probe = ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
        if (probe < 0) GTEST_SKIP() << "needs CAP_NET_RAW";
    }
};

TEST_F(RawEchoes, shows_requests_and_answers_with_their_headers)
{
    where_one_may_ping([] {
        Fd raw = ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
        ASSERT_OK(raw);
        EXPECT_EQ(name_of(raw).sin_port, htons(IPPROTO_ICMP));
        ASSERT_OK(set_option(raw, IPPROTO_IP, IP_TTL, 9));
        ASSERT_EQ(send_to(raw, with_checksum(echo_request(ICMP_ECHO, 0x1234, 1, "abc")), name4(0)), 11);
        for (uint8_t const type : { ICMP_ECHO, ICMP_ECHOREPLY }) {
            Bytes const got = next(raw);
            ASSERT_EQ(got.size(), 31u);
            EXPECT_EQ(got[0], 0x45);
            EXPECT_EQ(word(got, 2), 31) << "the whole length";
            EXPECT_EQ(got[8], type == ICMP_ECHO ? 9 : 64) << "time to live";
            EXPECT_EQ(got[9], IPPROTO_ICMP);
            EXPECT_EQ(checksum_of(got.data(), 20), 0);
            EXPECT_EQ(std::memcmp(&got[12], "\x7f\0\0\1\x7f\0\0\1", 8), 0);
            EXPECT_EQ(got[20], type);
            EXPECT_EQ(checksum_of(got.data() + 20, 11), 0);
            EXPECT_EQ(word(got, 24), 0x1234);
        }
        EXPECT_TRUE(is_silent(raw));
        EXPECT_NE(read_file("/proc/net/raw").find("00000000:0001"), std::string::npos);
    });
}

TEST_F(RawEchoes, a_wrong_checksum_is_not_answered)
{
    where_one_may_ping([] {
        Fd raw = ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
        ASSERT_EQ(send_to(raw, echo_request(ICMP_ECHO, 1, 1, "abc"), name4(0)), 11);
        EXPECT_EQ(next(raw)[20], ICMP_ECHO);
        EXPECT_TRUE(is_silent(raw));
    });
}

TEST_F(RawEchoes, sees_what_ping_sockets_do)
{
    where_one_may_ping([] {
        Fd raw = ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP),
           stranger = ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP),
           ping = ::socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        ASSERT_OK(bind_to(stranger, name4(0, "127.0.0.2")));
        ASSERT_EQ(send_to(ping, echo_request(ICMP_ECHO, 1, 1, ""), name4(0)), 8);
        EXPECT_EQ(next(raw)[20], ICMP_ECHO);
        EXPECT_EQ(next(raw)[20], ICMP_ECHOREPLY);
        EXPECT_TRUE(is_silent(stranger)) << "bound to another address";
        EXPECT_EQ(next(ping)[0], ICMP_ECHOREPLY);
        // Answers that nobody asked for reach who has the identifier.
        Bytes answer = echo_request(ICMP_ECHOREPLY, ntohs(name_of(ping).sin_port), 6, "");
        ASSERT_EQ(send_to(raw, with_checksum(answer), name4(0)), 8);
        EXPECT_EQ(word(next(ping), 6), 6);
    });
}

TEST_F(RawEchoes, filter_by_type)
{
    where_one_may_ping([] {
        Fd raw = ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
        uint32_t const all_but_answers = ~(1u << ICMP_ECHOREPLY);
        uint32_t kept = 1;
        socklen_t length = sizeof kept;
        ASSERT_OK(::getsockopt(raw, kSolRaw, kIcmpFilter, &kept, &length));
        EXPECT_EQ(kept, 0u);
        ASSERT_OK(::setsockopt(raw, kSolRaw, kIcmpFilter, &all_but_answers, sizeof all_but_answers));
        ASSERT_OK(::getsockopt(raw, kSolRaw, kIcmpFilter, &kept, &length));
        EXPECT_EQ(kept, all_but_answers);
        ASSERT_EQ(send_to(raw, with_checksum(echo_request(ICMP_ECHO, 1, 1, "")), name4(0)), 8);
        EXPECT_EQ(next(raw)[20], ICMP_ECHOREPLY);
        EXPECT_TRUE(is_silent(raw));
        Fd ping = ::socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        EXPECT_ERROR(::setsockopt(ping, kSolRaw, kIcmpFilter, &kept, sizeof kept), ENOPROTOOPT);
    });
}

TEST_F(RawEchoes, of_ipv6_have_no_header_and_a_checksum)
{
    where_one_may_ping([] {
        Fd raw = ::socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
        ASSERT_OK(raw);
        icmp6_filter filter;
        ICMP6_FILTER_SETBLOCKALL(&filter);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
        ASSERT_OK(set_option(raw, kSolRaw, IPV6_CHECKSUM, 2));
        ASSERT_OK(::setsockopt(raw, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter));
        ASSERT_EQ(send_to(raw, echo_request(ICMP6_ECHO_REQUEST, 0x55, 2, "six"), name6(0, "::1")), 11);
        Bytes const got = next(raw);
        ASSERT_EQ(got.size(), 11u);
        EXPECT_EQ(got[0], ICMP6_ECHO_REPLY);
        EXPECT_EQ(word(got, 4), 0x55);
        Bytes with_pseudo_header(40);
        with_pseudo_header[15] = with_pseudo_header[31] = 1; // ::1 to ::1
        with_pseudo_header[35] = 11, with_pseudo_header[39] = IPPROTO_ICMPV6;
        with_pseudo_header.insert(with_pseudo_header.end(), got.begin(), got.end());
        EXPECT_EQ(checksum_of(with_pseudo_header.data(), with_pseudo_header.size()), 0);
        EXPECT_TRUE(is_silent(raw));
    });
}

TEST_F(RawEchoes, needs_the_capability)
{
    in_child([] {
        ASSERT_OK(::setgroups(0, nullptr));
        ASSERT_OK(::setresuid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser));
        EXPECT_ERROR(::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
        EXPECT_ERROR(::socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), EPERM);
    });
}

} // namespace
} // namespace abi_test
