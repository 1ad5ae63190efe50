// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/ethernet/packet.h"

#include <algorithm>

#include "core/net/inet/checksum.h"

namespace umbra::drivers {

namespace {

constexpr u64 kEthernet = 14, kTypeAt = 12, kArpSize = 28;
constexpr u16 kTypeIp = 0x0800, kTypeArp = 0x0806, kTypeIpv6 = 0x86dd, kArpRequest = 1;
constexpr u64 kLeastIp = 20, kIpv6 = 40, kUdpHeader = 8, kLeastTcp = 20, kIcmpHeader = 8;
constexpr u8 kOptionsOfHops = 0, kTcp = 6, kUdp = 17, kIcmpV6 = 58, kNeighbourSolicitation = 135;

u16 word_at(std::span<u8 const> bytes, u64 at) { return u16(bytes[at] << 8 | bytes[at + 1]); }

net::IpAddress address_at(std::span<u8 const> bytes, u64 at)
{
    return net::IpAddress::v4(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
}

net::IpAddress v6_address_at(std::span<u8 const> bytes, u64 at)
{
    net::IpAddress address;
    std::ranges::copy(bytes.subspan(at, address.bytes.size()), address.bytes.begin());
    return address;
}

/// What the checksum is made of.
std::span<u8 const> address_bytes(net::IpAddress const& address)
{
    return std::span(address.bytes).subspan(address.is_v4() ? 12 : 0);
}

/// The header with as much of what follows as there is.
std::optional<Packet> parse_head(std::span<u8 const> packet)
{
    if (packet.size() >= kIpv6 && packet[0] >> 4 == 6)
        return Packet { v6_address_at(packet, 8), v6_address_at(packet, 24), packet[6],
            packet.subspan(kIpv6) };
    if (packet.size() < kLeastIp || packet[0] >> 4 != 4) return std::nullopt;
    u64 const header = (packet[0] & 0xf) * 4u;
    if (header < kLeastIp || header > packet.size()) return std::nullopt;
    return Packet { address_at(packet, 12), address_at(packet, 16), packet[9], packet.subspan(header) };
}

} // namespace

bool asks_for_hardware_address(std::span<u8 const> frame)
{
    constexpr u64 operation = kEthernet + 6, sender = kEthernet + 14, target = kEthernet + 24;
    if (frame.size() > kEthernet + kIpv6 && word_at(frame, kTypeAt) == kTypeIpv6)
        return frame[kEthernet + 6] == kIcmpV6 && frame[kEthernet + kIpv6] == kNeighbourSolicitation;
    return frame.size() >= kEthernet + kArpSize && word_at(frame, kTypeAt) == kTypeArp
        && word_at(frame, operation) == kArpRequest && address_at(frame, sender) != address_at(frame, target);
}

bool is_fragment(std::span<u8 const> frame)
{
    constexpr u64 place = kEthernet + 6;
    constexpr u16 more_and_offset = 0x3fff;
    return frame.size() >= kEthernet + kLeastIp && word_at(frame, kTypeAt) == kTypeIp
        && (word_at(frame, place) & more_and_offset);
}

bool may_be_taken(std::span<u8 const> frame)
{
    if (frame.size() < kEthernet || word_at(frame, kTypeAt) != kTypeIpv6) return true;
    if (frame.size() <= kEthernet + kIpv6) return false;
    u8 const next = frame[kEthernet + 6];
    // What says who is in a group has options of hops before it.
    if (next == kOptionsOfHops) return frame[kEthernet + kIpv6] == kIcmpV6;
    return next == kTcp || next == kUdp || next == kIcmpV6;
}

std::optional<Packet> parse_packet(std::span<u8 const> packet)
{
    auto parsed = parse_head(packet);
    if (!parsed) return std::nullopt;
    u64 const header = packet.size() - parsed->payload.size();
    u64 const total = packet[0] >> 4 == 4 ? word_at(packet, 2) : kIpv6 + word_at(packet, 4);
    if (total < header || total > packet.size()) return std::nullopt;
    parsed->payload = packet.subspan(header, total - header);
    return parsed;
}

std::optional<ReceivedDatagram> parse_datagram(std::span<u8 const> packet)
{
    auto const ip = parse_packet(packet);
    if (!ip || ip->protocol != kUdp || ip->payload.size() < kUdpHeader) return std::nullopt;
    u64 const size = word_at(ip->payload, 4);
    if (size < kUdpHeader || size > ip->payload.size()) return std::nullopt;
    auto const datagram = ip->payload.first(size);
    bool const is_v4 = packet[0] >> 4 == 4;
    if (word_at(datagram, 6) || !is_v4) {
        u32 sum = net::checksum_sum(address_bytes(ip->from), u32(size) + kUdp);
        sum = net::checksum_sum(datagram, net::checksum_sum(address_bytes(ip->to), sum));
        if (net::checksum_fold(sum) != 0xffff) return std::nullopt;
    }
    return ReceivedDatagram { { ip->from, word_at(datagram, 0) }, { ip->to, word_at(datagram, 2) },
        datagram.subspan(kUdpHeader) };
}

std::optional<ConnectionRequest> parse_connection_request(std::span<u8 const> packet)
{
    auto const ip = parse_head(packet);
    if (!ip || ip->protocol != kTcp || ip->payload.size() < kLeastTcp) return std::nullopt;
    constexpr u8 syn = 2, rst = 4, ack = 16;
    if ((ip->payload[13] & (syn | rst | ack)) != syn) return std::nullopt;
    return ConnectionRequest { { ip->from, word_at(ip->payload, 0) }, { ip->to, word_at(ip->payload, 2) } };
}

std::optional<Refusal> parse_refusal(std::span<u8 const> icmp, bool is_v4)
{
    u8 const unreachable = is_v4 ? 3 : 1, port = is_v4 ? 3 : 4;
    if (icmp.size() < kIcmpHeader || icmp[0] != unreachable || icmp[1] != port) return std::nullopt;
    auto const sent = parse_head(icmp.subspan(kIcmpHeader));
    if (!sent || sent->protocol != kUdp || sent->payload.size() < kUdpHeader) return std::nullopt;
    return Refusal { { sent->from, word_at(sent->payload, 0) }, { sent->to, word_at(sent->payload, 2) } };
}

} // namespace umbra::drivers
