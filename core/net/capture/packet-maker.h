// SPDX-License-Identifier: GPL-2.0-or-later
// Packets as they would pass an interface, from the header of IP on, with right lengths and checksums: IPv4 (RFC 791) where the
// addresses are, IPv6 (RFC 8200) otherwise. For a capture: nobody in here reads them.
#pragma once

#include <span>
#include <vector>

#include "core/net/inet/address.h"

namespace umbra::net {

/// Who sends it to whom. Of ICMP the ports are 0.
struct PacketHead {
    InetName from, to;
    u8 hop_limit = 64, traffic_class = 0;
};

enum TcpFlag : u8 { tcp_fin = 1, tcp_syn = 2, tcp_rst = 4, tcp_psh = 8, tcp_ack = 16 };

/// RFC 9293.
struct TcpHead {
    u32 sequence = 0, acknowledgement = 0;
    u8 flags = 0; ///< TcpFlag
    u16 segment_size = 0; ///< the option of the first segments; 0: without
};

constexpr u64 kTcpHeader = 20, kUdpHeader = 8; ///< bytes, without options

/// Bytes of the header of IP.
u64 ip_header_size(PacketHead const& head);
/// The payload and all headers are at most 65,535 bytes.
std::vector<u8> make_tcp_packet(PacketHead const& head, TcpHead const& tcp, std::span<u8 const> payload);
/// `protocol`: UDP, or UDP-Lite, whose checksum here covers all (RFC 3828).
std::vector<u8> make_udp_packet(PacketHead const& head, i32 protocol, std::span<u8 const> payload);
/// Of any protocol. The payload stays as it is, with a right checksum or a wrong one.
std::vector<u8> make_ip_packet(PacketHead const& head, i32 protocol, std::span<u8 const> payload);
/// Over the pseudo-header (which of IPv4 and IPv6 gives the same sum) and the payload: RFC 768, RFC 8200, 8.1.
u16 transport_checksum(IpAddress const& from, IpAddress const& to, i32 protocol, std::span<u8 const> payload);

} // namespace umbra::net
