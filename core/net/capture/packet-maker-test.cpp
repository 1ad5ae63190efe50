// SPDX-License-Identifier: GPL-2.0-or-later
// Headers byte by byte, and checksums by another way of counting: with 64 bits, and the end-around carry at every step.
#include "core/net/capture/packet-maker.h"

#include <string>

#include <gtest/gtest.h>

#include "core/abi/inet.h"

namespace umbra::net {
namespace {

using Bytes = std::vector<u8>;

/// 0xffff if `checksum` within is right; bytes beyond an odd end count as 0.
u64 counted(Bytes bytes)
{
    if (bytes.size() % 2) bytes.push_back(0);
    u64 sum = 0;
    for (size_t i = 0; i < bytes.size(); i += 2) {
        sum += u64(bytes[i]) * 256 + bytes[i + 1];
        if (sum > 0xffff) sum -= 0xffff;
    }
    return sum;
}

/// The addresses, the length and the protocol as RFC 793 and RFC 8200 lay them out, then what follows the header of IP.
Bytes with_pseudo_header(Bytes const& packet, u8 protocol)
{
    bool const is_v4 = packet[0] >> 4 == 4;
    size_t const addresses = is_v4 ? 12 : 8, header = is_v4 ? 20 : 40;
    Bytes all(packet.begin() + i64(addresses), packet.begin() + i64(header));
    size_t const size = packet.size() - header;
    if (is_v4)
        all.insert(all.end(), { 0, protocol, u8(size >> 8), u8(size) });
    else
        all.insert(all.end(), { 0, 0, u8(size >> 8), u8(size), 0, 0, 0, protocol });
    all.insert(all.end(), packet.begin() + i64(header), packet.end());
    return all;
}

PacketHead head_v4()
{
    return { { IpAddress::v4(10, 0, 2, 15), 0x1234 }, { IpAddress::v4(192, 0, 2, 255), 80 }, 63, 0x10 };
}

PacketHead head_v6()
{
    IpAddress other = IpAddress::loopback(false);
    other.bytes[0] = 0xfd, other.bytes[7] = 0xff;
    return { { IpAddress::loopback(false), 0x1234 }, { other, 80 }, 63, 0x10 };
}

std::span<u8 const> bytes_of(std::string_view text)
{
    return { reinterpret_cast<u8 const*>(text.data()), text.size() };
}

std::string text_at(Bytes const& packet, size_t start)
{
    return { packet.begin() + i64(start), packet.end() };
}

TEST(PacketMaker, HeaderOfIpv4)
{
    auto const packet = make_udp_packet(head_v4(), abi::ipproto_udp, bytes_of("odd"));
    ASSERT_EQ(packet.size(), 31u);
    Bytes const header(packet.begin(), packet.begin() + 20);
    EXPECT_EQ(counted(header), 0xffffu);
    EXPECT_EQ(
        Bytes(header.begin(), header.begin() + 10), (Bytes { 0x45, 0x10, 0, 31, 0, 0, 0x40, 0, 63, 17 }));
    EXPECT_EQ(Bytes(header.begin() + 12, header.end()), (Bytes { 10, 0, 2, 15, 192, 0, 2, 255 }));
}

TEST(PacketMaker, HeaderOfIpv6)
{
    auto const packet = make_udp_packet(head_v6(), abi::ipproto_udp, bytes_of("odd"));
    ASSERT_EQ(packet.size(), 51u);
    EXPECT_EQ(Bytes(packet.begin(), packet.begin() + 8), (Bytes { 0x61, 0, 0, 0, 0, 11, 17, 63 }));
    EXPECT_EQ(packet[23], 1);
    EXPECT_EQ(packet[24], 0xfd);
    EXPECT_EQ(packet[39], 1);
}

TEST(PacketMaker, Datagrams)
{
    for (auto const& head : { head_v4(), head_v6() })
        for (i32 protocol : { abi::ipproto_udp, abi::ipproto_udplite })
            for (std::string const text : { "", "a", "even", "odd", "\xff\xff\xff" }) {
                auto const packet = make_udp_packet(head, protocol, bytes_of(text));
                size_t const at = head.to.address.is_v4() ? 20 : 40;
                EXPECT_EQ(Bytes(packet.begin() + i64(at), packet.begin() + i64(at) + 6),
                    (Bytes { 0x12, 0x34, 0, 80, 0, u8(8 + text.size()) }));
                EXPECT_EQ(text_at(packet, at + 8), text);
                EXPECT_EQ(counted(with_pseudo_header(packet, u8(protocol))), 0xffffu) << text;
            }
}

TEST(PacketMaker, AChecksumOfZeroIsSentAsAllOnes)
{
    // With the right two bytes the sum is 0xffff, whose complement would say "no checksum".
    auto const plain = make_udp_packet(head_v4(), abi::ipproto_udp, bytes_of({ "\0\0", 2 }));
    Bytes const missing { plain[26], plain[27] };
    auto const packet = make_udp_packet(head_v4(), abi::ipproto_udp, missing);
    EXPECT_EQ(Bytes(packet.begin() + 26, packet.begin() + 28), (Bytes { 0xff, 0xff }));
}

TEST(PacketMaker, Segments)
{
    for (auto const& head : { head_v4(), head_v6() })
        for (u16 segment_size : { 0, 1460 }) {
            TcpHead const tcp { 0x01020304, 0xfffefdfc, tcp_psh | tcp_ack, segment_size };
            auto const packet = make_tcp_packet(head, tcp, bytes_of("hello"));
            size_t const at = ip_header_size(head), header = segment_size ? 24 : 20;
            ASSERT_EQ(packet.size(), at + header + 5);
            EXPECT_EQ(Bytes(packet.begin() + i64(at), packet.begin() + i64(at) + 14),
                (Bytes { 0x12, 0x34, 0, 80, 1, 2, 3, 4, 0xff, 0xfe, 0xfd, 0xfc, u8(header * 4), 0x18 }));
            EXPECT_EQ(text_at(packet, at + header), "hello");
            EXPECT_EQ(counted(with_pseudo_header(packet, 6)), 0xffffu);
            if (segment_size) {
                EXPECT_EQ(Bytes(packet.begin() + i64(at) + 20, packet.begin() + i64(at) + 24),
                    (Bytes { 2, 4, 1460 >> 8, 1460 & 0xff }));
            }
        }
}

TEST(PacketMaker, TheLargestHasARightChecksum)
{
    Bytes const data(65535 - 28, 0xff);
    auto const packet = make_udp_packet(head_v4(), abi::ipproto_udp, data);
    EXPECT_EQ(packet.size(), 65535u);
    EXPECT_EQ(counted(with_pseudo_header(packet, 17)), 0xffffu);
}

TEST(PacketMaker, MessagesStayAsTheyAre)
{
    Bytes const message { 8, 0, 1, 2, 3, 4, 5, 6, 7 };
    auto const v4 = make_ip_packet(head_v4(), abi::ipproto_icmp, message),
               v6 = make_ip_packet(head_v6(), abi::ipproto_icmpv6, message);
    EXPECT_EQ(v4[9], abi::ipproto_icmp);
    EXPECT_EQ(v6[6], abi::ipproto_icmpv6);
    EXPECT_EQ(Bytes(v4.begin() + 20, v4.end()), message);
    EXPECT_EQ(Bytes(v6.begin() + 40, v6.end()), message);
}

} // namespace
} // namespace umbra::net
