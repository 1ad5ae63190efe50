// SPDX-License-Identifier: GPL-2.0-or-later
// Messages of ICMP (RFC 792) and ICMPv6 (RFC 4443): checksums, echoes, and the header of IPv4 that a raw socket sees.
#pragma once

#include <span>

#include "core/net/inet/address.h"

namespace umbra::net {

constexpr u64 kEchoHeader = 8; ///< type, code, checksum, identifier, sequence number
constexpr u64 kIpHeader = 20; ///< of IPv4, without options

/// Type 8 and 128; 0 and 129.
bool is_echo_request(std::span<u8 const> message, bool is_v4);
bool is_echo_reply(std::span<u8 const> message, bool is_v4);
/// Of an echo, in host byte order.
u16 echo_identifier(std::span<u8 const> echo);
void set_echo_identifier(std::span<u8> echo, u16 identifier);

/// Whether the checksum fits: of ICMPv6 one with both addresses.
bool has_right_checksum(std::span<u8 const> message, IpAddress const& from, IpAddress const& to);
void set_checksum(std::span<u8> message, IpAddress const& from, IpAddress const& to);
/// Makes an answer of an echo request; its checksum is to be set. No other message has one.
void turn_into_reply(std::span<u8> request, bool is_v4);

/// RFC 791. `size`: of what follows.
std::array<u8, kIpHeader> make_ip_header(
    IpAddress const& from, IpAddress const& to, u64 size, u8 hop_limit, u8 traffic_class, i32 protocol);

} // namespace umbra::net
