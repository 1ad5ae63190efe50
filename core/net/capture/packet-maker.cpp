// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/net/capture/packet-maker.h"

#include "core/abi/inet.h"
#include "core/net/inet/checksum.h"
#include "core/net/inet/icmp.h"

namespace umbra::net {

namespace {

constexpr u64 kIpv6Header = 40, kV4At = 12; ///< where the IPv4 address stands in its mapped form
constexpr u16 kWindow = 0xffff;

bool is_v4(PacketHead const& head) { return head.to.address.is_v4(); }

/// What counts of an address.
std::span<u8 const> bytes_of(IpAddress const& address)
{
    return std::span(address.bytes).subspan(address.is_v4() ? kV4At : 0);
}

void put_long(std::span<u8> bytes, u64 at, u32 value)
{
    put_word(bytes, at, u16(value >> 16));
    put_word(bytes, at + 2, u16(value));
}

/// The header of IP, and room for `size` bytes behind it.
std::vector<u8> begin_packet(PacketHead const& head, i32 protocol, u64 size)
{
    std::vector<u8> packet(ip_header_size(head) + size);
    if (is_v4(head)) {
        auto const header = make_ip_header(
            head.from.address, head.to.address, size, head.hop_limit, head.traffic_class, protocol);
        std::ranges::copy(header, packet.begin());
        return packet;
    }
    constexpr u32 version = 6u << 28;
    constexpr u64 source_at = 8, destination_at = 24;
    put_long(packet, 0, version | u32(head.traffic_class) << 20);
    put_word(packet, 4, u16(size));
    packet[6] = u8(protocol);
    packet[7] = head.hop_limit;
    std::ranges::copy(head.from.address.bytes, packet.begin() + source_at);
    std::ranges::copy(head.to.address.bytes, packet.begin() + destination_at);
    return packet;
}

u16 checksum_of(PacketHead const& head, i32 protocol, std::span<u8 const> segment)
{
    return transport_checksum(head.from.address, head.to.address, protocol, segment);
}

} // namespace

u16 transport_checksum(IpAddress const& from, IpAddress const& to, i32 protocol, std::span<u8 const> payload)
{
    u32 sum = u32(protocol) + u32(payload.size());
    sum = checksum_sum(bytes_of(from), sum);
    sum = checksum_sum(bytes_of(to), sum);
    return u16(~checksum_fold(checksum_sum(payload, sum)));
}

u64 ip_header_size(PacketHead const& head) { return is_v4(head) ? kIpHeader : kIpv6Header; }

std::vector<u8> make_tcp_packet(PacketHead const& head, TcpHead const& tcp, std::span<u8 const> payload)
{
    constexpr u64 option_size = 4, checksum_at = 16;
    constexpr u8 segment_size_option = 2;
    u64 const header = kTcpHeader + (tcp.segment_size ? option_size : 0);
    auto packet = begin_packet(head, abi::ipproto_tcp, header + payload.size());
    auto const segment = std::span(packet).subspan(ip_header_size(head));
    put_word(segment, 0, head.from.port);
    put_word(segment, 2, head.to.port);
    put_long(segment, 4, tcp.sequence);
    put_long(segment, 8, tcp.acknowledgement);
    segment[12] = u8(header / 4 << 4);
    segment[13] = tcp.flags;
    put_word(segment, 14, tcp.flags & tcp_rst ? 0 : kWindow);
    if (tcp.segment_size) {
        segment[kTcpHeader] = segment_size_option;
        segment[kTcpHeader + 1] = option_size;
        put_word(segment, kTcpHeader + 2, tcp.segment_size);
    }
    std::ranges::copy(payload, segment.subspan(header).begin());
    put_word(segment, checksum_at, checksum_of(head, abi::ipproto_tcp, segment));
    return packet;
}

std::vector<u8> make_udp_packet(PacketHead const& head, i32 protocol, std::span<u8 const> payload)
{
    constexpr u64 checksum_at = 6;
    auto packet = begin_packet(head, protocol, kUdpHeader + payload.size());
    auto const datagram = std::span(packet).subspan(ip_header_size(head));
    put_word(datagram, 0, head.from.port);
    put_word(datagram, 2, head.to.port);
    put_word(datagram, 4, u16(datagram.size()));
    std::ranges::copy(payload, datagram.subspan(kUdpHeader).begin());
    u16 const sum = checksum_of(head, protocol, datagram);
    put_word(datagram, checksum_at, sum ? sum : u16(kChecksumMask)); // 0 would say that there is none
    return packet;
}

std::vector<u8> make_ip_packet(PacketHead const& head, i32 protocol, std::span<u8 const> payload)
{
    auto packet = begin_packet(head, protocol, payload.size());
    std::ranges::copy(payload, packet.begin() + i64(ip_header_size(head)));
    return packet;
}

} // namespace umbra::net
