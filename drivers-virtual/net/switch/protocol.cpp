// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/switch/protocol.h"

namespace umbra::drivers {

namespace {

constexpr u8 kVersion = 1;
constexpr u64 kGreetingHead = 2; ///< version, port
constexpr u8 kGroupBit = 1; ///< of the first byte of a hardware address
/// Locally administered, the same for all ports but for the last byte.
constexpr net::Interface::HardwareAddress kHardwareBase { 0x02, 0x75, 0x6d, 0x73, 0x77, 0 };

bool is_port(u8 number) { return number >= 1 && number <= kLastPort; }

} // namespace

std::string socket_name(u32 user, std::string_view switch_name, PortNumber port)
{
    return "umbra-switch/" + std::to_string(user) + "/" + std::string(switch_name) + "/"
        + std::to_string(port);
}

net::IpAddress switch_address(u8 last, bool is_v4)
{
    if (is_v4) return net::IpAddress::v4(10, 0, 3, last);
    return { { 0xfd, 'u', 'm', 'b', 'r', 'a', 0, 3, 0, 0, 0, 0, 0, 0, 0, last } };
}

bool is_on_switch(net::IpAddress const& address)
{
    u8 const prefix = address.is_v4() ? kSwitchPrefix : kSwitchPrefixV6;
    return net::InterfaceAddress { switch_address(0, address.is_v4()), prefix }.covers(address);
}

PortNumber port_of(net::IpAddress const& address)
{
    u8 const last = address.bytes.back();
    return is_port(last) && address == switch_address(last, address.is_v4()) ? last : PortNumber(0);
}

net::Interface::HardwareAddress hardware_address_of(PortNumber port)
{
    auto address = kHardwareBase;
    address.back() = port;
    return address;
}

net::Interface make_switch_interface(PortNumber port)
{
    net::Interface eth0 {
        .name = "eth0", .index = kEthernetIndex, .mtu = i32(kMostPayload), .is_loopback = false
    };
    eth0.hardware_address = hardware_address_of(port);
    eth0.is_up = eth0.was_up = true;
    eth0.addresses.push_back({ switch_address(port), kSwitchPrefix, 0, eth0.name });
    eth0.addresses.push_back({ switch_address(port, false), kSwitchPrefixV6, 0, {} });
    // It forwards to nobody, but a route to groups and to everybody has to be there.
    eth0.gateway = switch_address(kSwitchItself);
    eth0.gateway_v6 = switch_address(kSwitchItself, false);
    return eth0;
}

std::string encode(Greeting const& greeting)
{
    std::string bytes { char(kVersion), char(greeting.port) };
    return bytes + greeting.host_name.substr(0, kMostHostName);
}

std::optional<Greeting> decode_greeting(std::span<u8 const> bytes)
{
    if (bytes.size() < kGreetingHead || bytes.size() > kGreetingHead + kMostHostName) return std::nullopt;
    if (bytes[0] != kVersion || !is_port(bytes[1])) return std::nullopt;
    Greeting greeting { bytes[1], {} };
    for (u8 const byte : bytes.subspan(kGreetingHead)) {
        if (byte <= ' ' || byte >= 0x7f) return std::nullopt;
        greeting.host_name += char(byte);
    }
    return greeting;
}

Destination destination_of(std::span<u8 const> frame)
{
    if (frame.size() < kEthernetHeader || frame.size() > kMostFrame) return {};
    if (frame[0] & kGroupBit) return { true, 0 };
    u8 const last = frame[kHardwareBase.size() - 1];
    bool const is_ours = std::equal(kHardwareBase.begin(), kHardwareBase.end() - 1, frame.begin());
    return { false, is_ours && is_port(last) ? last : PortNumber(0) };
}

} // namespace umbra::drivers
