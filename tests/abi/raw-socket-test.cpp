// SPDX-License-Identifier: GPL-2.0-or-later
// Raw sockets of any protocol, and packets with headers of the sender's own (raw(7), ipv6(7), RFC 791, RFC 768).
#include "packets.h"

#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

namespace abi_test {
namespace {

constexpr int kUnused = 253; ///< a protocol for experiments (RFC 3692)
constexpr int kSolRaw = 255, kIpv6Checksum = 7;

Bytes bytes_of(std::string const& text) { return { text.begin(), text.end() }; }

/// Without checksum and length, which the kernel sets, and without addresses but the last.
Bytes packet4(uint8_t protocol, Bytes const& payload, char const* from = "127.0.0.1")
{
    Bytes packet(20);
    packet[0] = 0x45, packet[8] = 33, packet[9] = protocol;
    auto const source = name4(0, from).sin_addr, destination = name4(0).sin_addr;
    std::memcpy(&packet[12], &source, 4);
    std::memcpy(&packet[16], &destination, 4);
    packet.insert(packet.end(), payload.begin(), payload.end());
    return packet;
}

/// Without a checksum, which IPv4 allows.
Bytes datagram(uint16_t from, uint16_t to, std::string const& text)
{
    uint16_t const size = uint16_t(8 + text.size());
    Bytes bytes = { uint8_t(from >> 8), uint8_t(from), uint8_t(to >> 8), uint8_t(to), uint8_t(size >> 8),
        uint8_t(size), 0, 0 };
    bytes.insert(bytes.end(), text.begin(), text.end());
    return bytes;
}

uint16_t port_of(int socket) { return ntohs(name_of(socket).sin_port); }

TEST(RawSocket, needs_a_protocol_and_the_right)
{
    EXPECT_ERROR(::socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
    EXPECT_ERROR(::socket(AF_INET6, SOCK_RAW, 0), EPROTONOSUPPORT);
    if (::geteuid() == 0)
        in_child([] {
            ASSERT_OK(::setuid(65534));
            EXPECT_ERROR(::socket(AF_INET, SOCK_RAW, kUnused), EPERM);
            EXPECT_ERROR(::socket(AF_INET6, SOCK_RAW, kUnused), EPERM);
        });
    else
        EXPECT_ERROR(::socket(AF_INET, SOCK_RAW, kUnused), EPERM);
}

TEST(RawSocket, sends_and_sees_its_protocol)
{
    on_own_loopback([] {
        Fd one = ::socket(AF_INET, SOCK_RAW, kUnused), other = ::socket(AF_INET, SOCK_RAW, kUnused),
           stranger = ::socket(AF_INET, SOCK_RAW, kUnused - 1);
        ASSERT_OK(one);
        EXPECT_EQ(option(one, SOL_SOCKET, SO_PROTOCOL), kUnused);
        EXPECT_EQ(port_of(one), kUnused);
        EXPECT_EQ(option(one, IPPROTO_IP, IP_HDRINCL), 0);
        ASSERT_OK(set_option(one, IPPROTO_IP, IP_TTL, 7));
        ASSERT_EQ(send_to(one, bytes_of("payload"), name4(99, "127.0.0.5")), 7);
        for (int socket : { int(one), int(other) }) {
            Bytes const got = next(socket);
            ASSERT_EQ(got.size(), 27u);
            EXPECT_EQ(got[0], 0x45);
            EXPECT_EQ(word(got, 2), 27);
            EXPECT_EQ(got[8], 7);
            EXPECT_EQ(got[9], kUnused);
            EXPECT_EQ(checksum_of(got.data(), 20), 0);
            EXPECT_EQ(std::memcmp(&got[12], "\x7f\0\0\1\x7f\0\0\5", 8), 0);
            EXPECT_EQ(Bytes(got.begin() + 20, got.end()), bytes_of("payload"));
        }
        EXPECT_TRUE(is_silent(stranger));
        EXPECT_NE(read_file("/proc/net/raw").find(":00FD"), std::string::npos);
    });
}

TEST(RawSocket, a_bound_one_sees_its_address_and_a_connected_one_its_peer)
{
    on_own_loopback([] {
        Fd bound = ::socket(AF_INET, SOCK_RAW, kUnused), connected = ::socket(AF_INET, SOCK_RAW, kUnused),
           sender = ::socket(AF_INET, SOCK_RAW, kUnused);
        ASSERT_OK(bind_to(bound, name4(3, "127.0.0.2")));
        ASSERT_OK(connect_to(connected, name4(0, "127.0.0.3")));
        EXPECT_ERROR(bind_to(connected, name4(0)), EINVAL);
        EXPECT_ERROR(bind_to(sender, name4(0, "192.0.2.1")), EADDRNOTAVAIL);
        ASSERT_EQ(send_to(sender, bytes_of("a"), name4(0)), 1);
        EXPECT_TRUE(is_silent(bound));
        EXPECT_TRUE(is_silent(connected));
        ASSERT_EQ(send_to(sender, bytes_of("b"), name4(0, "127.0.0.2")), 1);
        EXPECT_EQ(next(bound)[20], 'b');
        ASSERT_OK(bind_to(sender, name4(0, "127.0.0.3")));
        ASSERT_EQ(send_to(sender, bytes_of("c"), name4(0)), 1);
        EXPECT_EQ(next(connected)[20], 'c');
        EXPECT_ERROR(::send(sender, "d", 1, 0), EDESTADDRREQ);
        ASSERT_EQ(::send(connected, "d", 1, 0), 1);
    });
}

TEST(RawSocket, the_senders_own_header)
{
    on_own_loopback([] {
        Fd raw = ::socket(AF_INET, SOCK_RAW, kUnused);
        ASSERT_OK(set_option(raw, IPPROTO_IP, IP_HDRINCL, 1));
        EXPECT_EQ(option(raw, IPPROTO_IP, IP_HDRINCL), 1);
        Bytes sent = packet4(kUnused, bytes_of("own"), "127.0.0.77");
        sent[4] = 0x12, sent[5] = 0x34, sent[10] = 1; // an identification; a wrong checksum
        ASSERT_EQ(send_to(raw, sent, name4(0)), 23);
        Bytes got = next(raw);
        ASSERT_EQ(got.size(), 23u);
        EXPECT_EQ(word(got, 2), 23) << "the length is the kernel's to set";
        EXPECT_EQ(word(got, 4), 0x1234);
        EXPECT_EQ(got[8], 33);
        EXPECT_EQ(checksum_of(got.data(), 20), 0) << "and so is the checksum";
        EXPECT_EQ(got[15], 77) << "from whom it likes";
        ASSERT_EQ(send_to(raw, packet4(kUnused, bytes_of("own"), "0.0.0.0"), name4(0)), 23);
        got = next(raw);
        EXPECT_EQ(std::memcmp(&got[12], "\x7f\0\0\1", 4), 0) << "an address that is left out";
        EXPECT_NE(word(got, 4), 0) << "an identification that is left out";
        EXPECT_ERROR(send_to(raw, Bytes(19, 0x45), name4(0)), EINVAL);
        Bytes longer = packet4(kUnused, {});
        longer[0] = 0x46; // a header of 24 bytes
        EXPECT_ERROR(send_to(raw, longer, name4(0)), EINVAL);
        EXPECT_TRUE(is_silent(raw));
    });
}

TEST(RawSocket, of_protocol_255_always_has_headers)
{
    on_own_loopback([] {
        Fd raw = ::socket(AF_INET, SOCK_RAW, IPPROTO_RAW), seen = ::socket(AF_INET, SOCK_RAW, kUnused);
        EXPECT_EQ(option(raw, IPPROTO_IP, IP_HDRINCL), 1);
        ASSERT_EQ(send_to(raw, packet4(kUnused, bytes_of("x")), name4(0)), 21);
        EXPECT_EQ(next(seen)[20], 'x') << "of whatever protocol the header says";
        EXPECT_TRUE(is_silent(raw));
        ASSERT_EQ(send_to(raw, packet4(IPPROTO_RAW, bytes_of("y")), name4(0)), 21);
        EXPECT_EQ(next(raw)[20], 'y');
    });
}

TEST(RawSocket, sees_datagrams_and_makes_them)
{
    on_own_loopback([] {
        Fd raw = ::socket(AF_INET, SOCK_RAW, IPPROTO_UDP), one = ::socket(AF_INET, SOCK_DGRAM, 0),
           other = ::socket(AF_INET, SOCK_DGRAM, 0);
        ASSERT_OK(bind_to(one, name4(0)));
        ASSERT_OK(bind_to(other, name4(0)));
        ASSERT_EQ(send_to(one, bytes_of("hello"), name_of(other)), 5);
        Bytes got = next(raw);
        ASSERT_EQ(got.size(), 33u);
        EXPECT_EQ(word(got, 20), port_of(one));
        EXPECT_EQ(word(got, 22), port_of(other));
        EXPECT_EQ(word(got, 24), 13);
        EXPECT_EQ(next(other), bytes_of("hello"));
        ASSERT_EQ(send_to(raw, datagram(port_of(one), port_of(other), "forged"), name4(0)), 14);
        sockaddr_in from {};
        socklen_t length = sizeof from;
        char room[20];
        ASSERT_TRUE(becomes_ready(other, POLLIN));
        ASSERT_EQ(::recvfrom(other, room, sizeof room, 0, reinterpret_cast<sockaddr*>(&from), &length), 6);
        EXPECT_EQ(from.sin_port, name_of(one).sin_port);
        EXPECT_EQ(next(raw).size(), 34u) << "and it sees its own";
    });
}

TEST(RawSocket, broken_datagrams_reach_nobody)
{
    on_own_loopback([] {
        Fd raw = ::socket(AF_INET, SOCK_RAW, IPPROTO_UDP), there = ::socket(AF_INET, SOCK_DGRAM, 0);
        ASSERT_OK(bind_to(there, name4(0)));
        Bytes wrong_sum = datagram(9, port_of(there), "abc"), long_one = wrong_sum, short_one = wrong_sum;
        wrong_sum[7] = 1;
        long_one[5] = 200;
        short_one[5] = 7;
        for (Bytes const& bytes : { wrong_sum, long_one, short_one, Bytes(5) })
            ASSERT_EQ(send_to(raw, bytes, name4(0)), ssize_t(bytes.size()));
        Bytes padded = datagram(9, port_of(there), "abc");
        padded.push_back('!');
        ASSERT_EQ(send_to(raw, padded, name4(0)), 12);
        EXPECT_EQ(next(there), bytes_of("abc")) << "as long as its header says";
        EXPECT_TRUE(is_silent(there));
    });
}

TEST(RawSocket, is_told_that_nobody_is_there)
{
    on_own_loopback([] {
        Fd udp = ::socket(AF_INET, SOCK_RAW, IPPROTO_UDP), icmp = ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP),
           headers = ::socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
        ASSERT_EQ(send_to(udp, datagram(7, 8, "anybody"), name4(0)), 15);
        Bytes got = next(icmp);
        ASSERT_EQ(got.size(), 20u + 8 + 20 + 15);
        EXPECT_EQ(got[20], ICMP_DEST_UNREACH);
        EXPECT_EQ(got[21], ICMP_PORT_UNREACH);
        EXPECT_EQ(checksum_of(&got[20], got.size() - 20), 0);
        EXPECT_EQ(word(got, 28 + 20), 7) << "with the packet's beginning";
        ASSERT_EQ(send_to(headers, packet4(kUnused, bytes_of("anybody")), name4(0)), 27);
        got = next(icmp);
        EXPECT_EQ(got[20], ICMP_DEST_UNREACH);
        EXPECT_EQ(got[21], ICMP_PROT_UNREACH);
        EXPECT_TRUE(is_silent(icmp));
    });
}

TEST(RawSocket, an_echo_with_a_header_of_its_own)
{
    on_own_loopback([] {
        Fd raw = ::socket(AF_INET, SOCK_RAW, IPPROTO_RAW), icmp = ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
        Bytes const echo = with_checksum(echo_request(ICMP_ECHO, 5, 6, "ping"));
        ASSERT_EQ(send_to(raw, packet4(IPPROTO_ICMP, echo, "127.0.0.8"), name4(0)), 32);
        Bytes const request = next(icmp), answer = next(icmp);
        ASSERT_EQ(answer.size(), 32u);
        EXPECT_EQ(request[20], ICMP_ECHO);
        EXPECT_EQ(answer[20], ICMP_ECHOREPLY);
        EXPECT_EQ(answer[19], 8) << "to who the header says has asked";
        EXPECT_TRUE(is_silent(icmp));
    });
}

TEST(RawSocket, fragments_and_other_versions_are_not_for_us)
{
    on_own_loopback([] {
        Fd raw = ::socket(AF_INET, SOCK_RAW, IPPROTO_RAW), seen = ::socket(AF_INET, SOCK_RAW, kUnused);
        Bytes first = packet4(kUnused, Bytes(8, 'f'));
        first[6] = 0x20; // more will follow
        ASSERT_EQ(send_to(raw, first, name4(0)), 28);
        Bytes other_version = packet4(kUnused, bytes_of("v"));
        other_version[0] = 0x55;
        ASSERT_EQ(send_to(raw, other_version, name4(0)), 21);
        ASSERT_EQ(send_to(raw, packet4(kUnused, bytes_of("e")), name4(0)), 21);
        EXPECT_EQ(next(seen)[20], 'e');
        EXPECT_TRUE(is_silent(seen));
    });
}

TEST(RawSocket, sees_segments)
{
    on_own_loopback([] {
        Fd raw = ::socket(AF_INET, SOCK_RAW, IPPROTO_TCP), listener = ::socket(AF_INET, SOCK_STREAM, 0),
           client = ::socket(AF_INET, SOCK_STREAM, 0);
        ASSERT_OK(bind_to(listener, name4(0)));
        ASSERT_OK(::listen(listener, 1));
        ASSERT_OK(connect_to(client, name_of(listener)));
        constexpr uint8_t syn = 2, ack = 16;
        Bytes const ask = next(raw), answer = next(raw);
        EXPECT_EQ(word(ask, 22), port_of(listener));
        EXPECT_EQ(ask[33], syn);
        EXPECT_EQ(word(answer, 22), port_of(client));
        EXPECT_EQ(answer[33], syn | ack);
    });
}

TEST(RawSocket, by_ipv6)
{
    on_own_loopback([] {
        Fd raw = ::socket(AF_INET6, SOCK_RAW, kUnused), v4 = ::socket(AF_INET, SOCK_RAW, kUnused);
        ASSERT_OK(raw);
        EXPECT_EQ(option(raw, kSolRaw, kIpv6Checksum), -1);
        ASSERT_EQ(send_to(raw, bytes_of("six"), name6(0, "::1")), 3);
        EXPECT_EQ(next(raw), bytes_of("six")) << "without a header";
        EXPECT_TRUE(is_silent(v4));
        EXPECT_ERROR(set_option(raw, IPPROTO_IPV6, kIpv6Checksum, 3), EINVAL) << "odd";
        ASSERT_OK(set_option(raw, IPPROTO_IPV6, kIpv6Checksum, 4));
        EXPECT_EQ(option(raw, IPPROTO_IPV6, kIpv6Checksum), 4);
        ASSERT_EQ(send_to(raw, Bytes(8), name6(0, "::1")), 8);
        Bytes const got = next(raw);
        EXPECT_EQ(got.size(), 8u);
        EXPECT_NE(word(got, 4), 0) << "the kernel has set it";
        EXPECT_ERROR(send_to(raw, Bytes(5), name6(0, "::1")), EINVAL) << "no room for it";
        Fd icmp = ::socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
        EXPECT_EQ(option(icmp, kSolRaw, kIpv6Checksum), 2);
        EXPECT_ERROR(set_option(icmp, IPPROTO_IPV6, kIpv6Checksum, 2), EINVAL);
    });
}

TEST(RawSocket, too_long)
{
    on_own_loopback([] {
        Fd raw = ::socket(AF_INET, SOCK_RAW, kUnused);
        EXPECT_ERROR(send_to(raw, Bytes(65516), name4(0)), EMSGSIZE);
        EXPECT_ERROR(send_to(raw, Bytes(9), name4(0), MSG_OOB), EOPNOTSUPP);
        EXPECT_ERROR(send_to(raw, Bytes(9), name6(0, "::1")), EAFNOSUPPORT);
        ASSERT_EQ(send_to(raw, Bytes(2000), name4(0)), 2000);
        char little[30];
        ASSERT_TRUE(becomes_ready(raw, POLLIN));
        EXPECT_EQ(::recv(raw, little, sizeof little, MSG_TRUNC), 2020) << "its whole length";
    });
}

} // namespace
} // namespace abi_test
