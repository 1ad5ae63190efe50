// SPDX-License-Identifier: GPL-2.0-or-later
// What ports of a switch have agreed on: the number of a port gives its address, its hardware address and the name of its
// socket; and the two messages between ports, a greeting and a frame of Ethernet. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "drivers-virtual/net/ethernet/wire.h"

namespace umbra::drivers {

using PortNumber = u8; ///< 1 to kLastPort; 0: none

constexpr PortNumber kLastPort = 253;
constexpr u8 kSwitchItself = 254; ///< the last byte of the address at which the switch answers
constexpr u8 kSwitchPrefix = 24, kSwitchPrefixV6 = 64;
constexpr u64 kMostHostName = 64;

enum class MessageKind : u8 { greeting = 1, frame = 2 };
constexpr u64 kMostMessage = 1 + kMostFrame;

/// Who is at a port.
struct Greeting {
    PortNumber port = 0;
    std::string host_name {};
    bool operator==(Greeting const&) const = default;
};

/// The abstract name of a port's socket.
std::string socket_name(u32 user, std::string_view switch_name, PortNumber port);
/// 10.0.3.PORT, or fd75:6d62:7261:3::PORT
net::IpAddress switch_address(u8 last, bool is_v4 = true);
/// Whether all who are on the switch, or could be, share the address's prefix.
bool is_on_switch(net::IpAddress const& address);
/// The port that has the address; 0: none can.
PortNumber port_of(net::IpAddress const& address);
net::Interface::HardwareAddress hardware_address_of(PortNumber port);
/// eth0 of who is at the port.
net::Interface make_switch_interface(PortNumber port);

/// Without the byte that says what it is.
std::string encode(Greeting const& greeting);
/// Null: not one of this version, or not one at all.
std::optional<Greeting> decode_greeting(std::span<u8 const> bytes);

/// Where a frame is to go.
struct Destination {
    bool is_everywhere = false; ///< broadcast and multicast
    PortNumber port = 0; ///< otherwise; 0: nowhere
};
/// A frame that is too short or too long goes nowhere.
Destination destination_of(std::span<u8 const> frame);

} // namespace umbra::drivers
