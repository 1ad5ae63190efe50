// SPDX-License-Identifier: GPL-2.0-or-later
// Packets that are cut anywhere, or say of themselves what is not so.
#include "drivers-virtual/net/ethernet/packet.h"

#include <vector>

#include <gtest/gtest.h>

#include "core/net/inet/checksum.h"
#include "drivers-virtual/net/switch/protocol.h"

namespace umbra::drivers {
namespace {

/// 10.0.3.2:1000 to 10.0.3.1:53, without a checksum: "hi".
std::vector<u8> const kDatagram { 0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 3, 2, 10, 0, 3, 1, 3, 0xe8,
    0, 53, 0, 10, 0, 0, 'h', 'i' };

TEST(SwitchPacket, ADatagramIsRead)
{
    auto const read = parse_datagram(kDatagram);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->from, (net::InetName { net::IpAddress::v4(10, 0, 3, 2), 1000 }));
    EXPECT_EQ(read->to, (net::InetName { net::IpAddress::v4(10, 0, 3, 1), 53 }));
    EXPECT_EQ(std::string(read->data.begin(), read->data.end()), "hi");
}

TEST(SwitchPacket, WhatIsCutIsNot)
{
    for (size_t size = 0; size < kDatagram.size(); ++size)
        EXPECT_FALSE(parse_datagram(std::vector<u8>(kDatagram.begin(), kDatagram.begin() + long(size))));
}

TEST(SwitchPacket, NorWhatHasAWrongChecksumOrLength)
{
    auto wrong = kDatagram;
    wrong[27] = 1; // the checksum
    EXPECT_FALSE(parse_datagram(wrong));
    wrong = kDatagram, wrong[25] = 11; // the length of UDP's part
    EXPECT_FALSE(parse_datagram(wrong));
    wrong = kDatagram, wrong[0] = 0x4f; // a header longer than the packet
    EXPECT_FALSE(parse_datagram(wrong));
}

TEST(SwitchPacket, ARefusalNamesTheDatagram)
{
    std::vector<u8> icmp { 3, 3, 0, 0, 0, 0, 0, 0 };
    icmp.insert(icmp.end(), kDatagram.begin(), kDatagram.end());
    auto const refusal = parse_refusal(icmp, true);
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->from.port, 1000);
    EXPECT_EQ(refusal->to.port, 53);
    icmp[1] = 1;
    EXPECT_FALSE(parse_refusal(icmp, true));
}

/// The same by IPv6, with its checksum.
std::vector<u8> datagram_v6()
{
    std::vector<u8> packet { 0x60, 0, 0, 0, 0, 10, 17, 64 };
    for (u8 const port : { 2, 1 }) {
        auto const address = switch_address(port, false);
        packet.insert(packet.end(), address.bytes.begin(), address.bytes.end());
    }
    packet.insert(packet.end(), { 3, 0xe8, 0, 53, 0, 10, 0, 0, 'h', 'i' });
    u32 sum = net::checksum_sum(std::span(packet).subspan(8), 10 + 17);
    net::put_word(packet, 46, u16(~net::checksum_fold(sum)));
    return packet;
}

TEST(SwitchPacket, ADatagramOfIpv6IsRead)
{
    auto packet = datagram_v6();
    auto const read = parse_datagram(packet);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->from, (net::InetName { switch_address(2, false), 1000 }));
    EXPECT_EQ(read->to, (net::InetName { switch_address(1, false), 53 }));
    EXPECT_EQ(std::string(read->data.begin(), read->data.end()), "hi");
    for (size_t size = 0; size < packet.size(); ++size)
        EXPECT_FALSE(parse_datagram(std::span(packet).first(size)));
    packet[46] = packet[47] = 0;
    EXPECT_FALSE(parse_datagram(packet)) << "without a checksum";
}

TEST(SwitchPacket, ARefusalOfIpv6NamesTheDatagram)
{
    std::vector<u8> icmp { 1, 4, 0, 0, 0, 0, 0, 0 };
    auto const packet = datagram_v6();
    icmp.insert(icmp.end(), packet.begin(), packet.end());
    EXPECT_EQ(parse_refusal(icmp, false)->to.port, 53);
    EXPECT_FALSE(parse_refusal(icmp, true));
}

TEST(SwitchPacket, NeighboursAreAskedFor)
{
    std::vector<u8> frame(14 + 40 + 24);
    frame[12] = 0x86, frame[13] = 0xdd, frame[20] = 58, frame[54] = 135;
    EXPECT_TRUE(asks_for_hardware_address(frame));
    frame[54] = 136;
    EXPECT_FALSE(asks_for_hardware_address(frame)) << "that is an answer";
    EXPECT_FALSE(is_fragment(frame));
    EXPECT_TRUE(may_be_taken(frame));
    frame[20] = 44;
    EXPECT_FALSE(may_be_taken(frame)) << "a piece";
    frame[20] = 0, frame[54] = 44;
    EXPECT_FALSE(may_be_taken(frame)) << "a hidden one";
    frame[54] = 58;
    EXPECT_TRUE(may_be_taken(frame)) << "a report of groups";
    EXPECT_FALSE(may_be_taken(std::span(frame).first(54)));
    frame[12] = 0x08, frame[13] = 0;
    EXPECT_TRUE(may_be_taken(frame));
}

} // namespace
} // namespace umbra::drivers
