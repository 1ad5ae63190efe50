// SPDX-License-Identifier: GPL-2.0-or-later
// Packets that are cut anywhere, or say of themselves what is not so.
#include "drivers-virtual/net/switch/packet.h"

#include <vector>

#include <gtest/gtest.h>

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
    auto const refusal = parse_refusal(icmp);
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->from.port, 1000);
    EXPECT_EQ(refusal->to.port, 53);
    icmp[1] = 1;
    EXPECT_FALSE(parse_refusal(icmp));
}

} // namespace
} // namespace umbra::drivers
