// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel itself reads of frames and packets that have come over a wire: enough to give datagrams and answers to the
// guest's sockets. All else is the library's. Pure functions; what does not make sense is null.
#pragma once

#include <optional>

#include "core/net/inet/address.h"

namespace umbra::drivers {

constexpr u64 kMostDatagram = 65507; ///< of IPv4: 65,535 bytes less two headers
constexpr u64 kHeadersOfDatagramV6 = 40 + 8;
constexpr u64 kMostHeaders
    = 60 + 20; ///< of IPv4 with all options, or IPv6 without any, and the fixed part of TCP's

// Of a frame of Ethernet.
bool asks_for_hardware_address(std::span<u8 const> frame); ///< of somebody else (RFC 826, RFC 4861)
bool is_fragment(std::span<u8 const> frame); ///< of IPv4
/// False: pieces of IPv6 packets, which the library would put together wrongly (built without IPV6_FRAG_COPYHEADER it writes
/// beyond their headers where pointers have 64 bits), and headers that could hide one.
bool may_be_taken(std::span<u8 const> frame);

struct Packet {
    net::IpAddress from, to;
    u8 protocol;
    std::span<u8 const> payload;
};
/// Of IPv4 (RFC 791) or IPv6 (RFC 8200; headers of options are not looked behind), a whole one.
std::optional<Packet> parse_packet(std::span<u8 const> packet);

struct ReceivedDatagram {
    net::InetName from, to;
    std::span<u8 const> data;
};
/// Of UDP (RFC 768), with the right checksum; with IPv4 there may be none.
std::optional<ReceivedDatagram> parse_datagram(std::span<u8 const> packet);

/// The first packet of a connection, of which the headers are enough.
struct ConnectionRequest {
    net::InetName from, to;
};
std::optional<ConnectionRequest> parse_connection_request(std::span<u8 const> packet);

/// "Port unreachable": nobody has the port `to` that a datagram from `from` was for (RFC 792, RFC 4443).
struct Refusal {
    net::InetName from, to;
};
std::optional<Refusal> parse_refusal(std::span<u8 const> icmp, bool is_v4);

} // namespace umbra::drivers
