// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/switch/protocol.h"

#include <gtest/gtest.h>

namespace umbra::drivers {
namespace {

std::span<u8 const> bytes(std::string const& text)
{
    return { reinterpret_cast<u8 const*>(text.data()), text.size() }; // chars are bytes
}

std::string frame_to(net::Interface::HardwareAddress const& address, size_t payload = 46)
{
    return std::string(address.begin(), address.end()) + std::string(8 + payload, 'x');
}

TEST(SwitchWire, ANumberGivesTheAddressAndTheOtherWayRound)
{
    for (unsigned port = 1; port <= kLastPort; ++port)
        EXPECT_EQ(port_of(switch_address(u8(port))), port);
    EXPECT_EQ(port_of(switch_address(0)), 0);
    EXPECT_EQ(port_of(switch_address(kSwitchItself)), 0);
    EXPECT_EQ(port_of(switch_address(255)), 0);
    EXPECT_EQ(port_of(net::IpAddress::v4(10, 0, 2, 1)), 0);
    EXPECT_EQ(port_of(net::IpAddress { { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 3, 1 } }), 0);
}

TEST(SwitchWire, NamesOfSocketsDiffer)
{
    EXPECT_EQ(socket_name(1000, "lab", 7), "umbra-switch/1000/lab/7");
    EXPECT_NE(socket_name(1000, "lab", 7), socket_name(1001, "lab", 7));
    EXPECT_NE(socket_name(1000, "lab", 7), socket_name(1000, "lab1", 7));
}

TEST(SwitchWire, TheInterfaceHasTheAddressAndLeadsToTheOthers)
{
    auto const eth0 = make_switch_interface(4);
    EXPECT_TRUE(eth0.is_own(switch_address(4)));
    EXPECT_FALSE(eth0.is_own(switch_address(5)));
    EXPECT_TRUE(eth0.leads_to(switch_address(5)));
    EXPECT_EQ(eth0.addresses.front().last(), switch_address(255));
}

TEST(SwitchWire, AGreetingArrivesAsItWas)
{
    Greeting const greeting { 17, "web-1.lab" };
    EXPECT_EQ(decode_greeting(bytes(encode(greeting))), greeting);
    Greeting const nameless { 253, "" };
    EXPECT_EQ(decode_greeting(bytes(encode(nameless))), nameless);
}

TEST(SwitchWire, WhatIsNoGreetingIsNotTaken)
{
    EXPECT_FALSE(decode_greeting({}));
    EXPECT_FALSE(decode_greeting(bytes("\x01")));
    EXPECT_FALSE(decode_greeting(bytes("\x02\x01web")));
    EXPECT_FALSE(decode_greeting(bytes(std::string("\x01\x00web", 5))));
    EXPECT_FALSE(decode_greeting(bytes("\x01\xfe"
                                       "web")));
    EXPECT_FALSE(decode_greeting(bytes("\x01\x01we b")));
    EXPECT_FALSE(decode_greeting(bytes("\x01\x01" + std::string(kMostHostName + 1, 'a'))));
}

TEST(SwitchWire, AFrameGoesWhereItsAddressSays)
{
    auto const to_nine = destination_of(bytes(frame_to(hardware_address_of(9))));
    EXPECT_FALSE(to_nine.is_everywhere);
    EXPECT_EQ(to_nine.port, 9);
    EXPECT_TRUE(destination_of(bytes(frame_to({ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }))).is_everywhere);
    EXPECT_TRUE(destination_of(bytes(frame_to({ 0x01, 0x00, 0x5e, 1, 2, 3 }))).is_everywhere);
    EXPECT_TRUE(destination_of(bytes(frame_to({ 0x33, 0x33, 0, 0, 0, 1 }))).is_everywhere);
}

TEST(SwitchWire, OtherFramesGoNowhere)
{
    auto goes_nowhere = [](std::string const& frame) {
        auto const to = destination_of(bytes(frame));
        return !to.is_everywhere && to.port == 0;
    };
    EXPECT_TRUE(goes_nowhere(frame_to({ 0x02, 0, 0, 0, 0, 9 })));
    EXPECT_TRUE(goes_nowhere(frame_to(hardware_address_of(0))));
    EXPECT_TRUE(goes_nowhere(frame_to(hardware_address_of(kSwitchItself))));
    EXPECT_TRUE(goes_nowhere(std::string(kEthernetHeader - 1, '\xff')));
    EXPECT_TRUE(goes_nowhere(frame_to(hardware_address_of(9), kMostFrame)));
    EXPECT_FALSE(goes_nowhere(frame_to(hardware_address_of(9), kMostPayload)));
}

} // namespace
} // namespace umbra::drivers
