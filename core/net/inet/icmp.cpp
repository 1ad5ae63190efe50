// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/net/inet/icmp.h"

#include "core/abi/inet.h"
#include "core/net/inet/checksum.h"

namespace umbra::net {

namespace {

constexpr u64 kChecksumAt = 2, kIdentifierAt = 4;

/// What the checksum is of beside the message: nothing, or RFC 8200's pseudo-header.
u32 pseudo_header_sum(u64 size, IpAddress const& from, IpAddress const& to)
{
    if (to.is_v4()) return 0;
    return checksum_sum(to.bytes, checksum_sum(from.bytes, u32(size) + u32(abi::ipproto_icmpv6)));
}

bool is_echo(std::span<u8 const> message, u8 type)
{
    return message.size() >= kEchoHeader && message[0] == type;
}

} // namespace

bool is_echo_request(std::span<u8 const> message, bool is_v4)
{
    return is_echo(message, is_v4 ? abi::icmp_echo : abi::icmpv6_echo);
}

bool is_echo_reply(std::span<u8 const> message, bool is_v4)
{
    return is_echo(message, is_v4 ? abi::icmp_echo_reply : abi::icmpv6_echo_reply);
}

u16 echo_identifier(std::span<u8 const> echo)
{
    return u16(echo[kIdentifierAt] << 8 | echo[kIdentifierAt + 1]);
}
void set_echo_identifier(std::span<u8> echo, u16 identifier) { put_word(echo, kIdentifierAt, identifier); }

bool has_right_checksum(std::span<u8 const> message, IpAddress const& from, IpAddress const& to)
{
    return checksum_fold(checksum_sum(message, pseudo_header_sum(message.size(), from, to))) == kChecksumMask;
}

void set_checksum(std::span<u8> message, IpAddress const& from, IpAddress const& to)
{
    put_word(message, kChecksumAt, 0);
    put_word(message, kChecksumAt,
        u16(~checksum_fold(checksum_sum(message, pseudo_header_sum(message.size(), from, to)))));
}

void turn_into_reply(std::span<u8> request, bool is_v4)
{
    request[0] = is_v4 ? abi::icmp_echo_reply : abi::icmpv6_echo_reply;
}

std::array<u8, kIpHeader> make_ip_header(
    IpAddress const& from, IpAddress const& to, u64 size, u8 hop_limit, u8 traffic_class, i32 protocol)
{
    constexpr u8 version_and_length = 0x45; // of 20 bytes
    constexpr u16 do_not_fragment = 0x4000;
    constexpr u64 source_at = 12, destination_at = 16, sum_at = 10;
    std::array<u8, kIpHeader> header { version_and_length, traffic_class };
    put_word(header, 2, u16(kIpHeader + size));
    put_word(header, 6, do_not_fragment);
    header[8] = hop_limit;
    header[9] = u8(protocol);
    std::copy_n(from.bytes.begin() + 12, 4, header.begin() + source_at);
    std::copy_n(to.bytes.begin() + 12, 4, header.begin() + destination_at);
    put_word(header, sum_at, u16(~checksum_fold(checksum_sum(header))));
    return header;
}

} // namespace umbra::net
