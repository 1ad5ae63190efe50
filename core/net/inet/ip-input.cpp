// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/net/inet/ip-input.h"

#include "core/abi/inet.h"
#include "core/abi/packet.h"
#include "core/net/capture/capture.h"
#include "core/net/inet/checksum.h"
#include "core/net/inet/icmp-socket.h"
#include "core/net/inet/icmp.h"
#include "core/net/inet/udp-socket.h"
#include "core/net/network-namespace.h"
#include "core/vfs/operations.h"

namespace umbra::net {

namespace {

constexpr u64 kIpv6Header = 40;

IpAddress address_at(std::span<u8 const> bytes, u64 at, bool is_v4)
{
    if (is_v4) return IpAddress::v4(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
    IpAddress address;
    std::copy_n(bytes.begin() + i64(at), address.bytes.size(), address.bytes.begin());
    return address;
}

std::optional<IpPacket> parse_v4(std::span<u8 const> bytes)
{
    constexpr u64 length_at = 2, fragment_at = 6, ttl_at = 8, protocol_at = 9, from_at = 12, to_at = 16;
    constexpr u16 more_and_offset = 0x3fff;
    u64 const header = u64(bytes[0] & 15) * sizeof(u32);
    if (bytes.size() < kIpHeader || header < kIpHeader) return std::nullopt;
    u64 const length = get_word(bytes, length_at);
    if (length < header || length > bytes.size()) return std::nullopt;
    if (get_word(bytes, fragment_at) & more_and_offset) return std::nullopt;
    if (checksum_fold(checksum_sum(bytes.first(header))) != kChecksumMask) return std::nullopt;
    bytes = bytes.first(length); // what follows is padding
    IpPacket packet { .protocol = bytes[protocol_at], .whole = bytes, .payload = bytes.subspan(header) };
    packet.from = address_at(bytes, from_at, true);
    packet.to = address_at(bytes, to_at, true);
    packet.notes.hop_limit = bytes[ttl_at];
    packet.notes.traffic_class = bytes[1];
    return packet;
}

std::optional<IpPacket> parse_v6(std::span<u8 const> bytes)
{
    constexpr u64 length_at = 4, next_at = 6, hops_at = 7, from_at = 8, to_at = 24;
    if (bytes.size() < kIpv6Header) return std::nullopt;
    u64 const length = kIpv6Header + get_word(bytes, length_at);
    if (length > bytes.size()) return std::nullopt;
    bytes = bytes.first(length);
    IpPacket packet { .protocol = bytes[next_at], .whole = bytes, .payload = bytes.subspan(kIpv6Header) };
    packet.from = address_at(bytes, from_at, false);
    packet.to = address_at(bytes, to_at, false);
    packet.notes.hop_limit = bytes[hops_at];
    packet.notes.traffic_class = u8(get_word(bytes, 0) >> 4);
    if (packet.from.is_v4() || packet.to.is_v4()) return std::nullopt; // mapped ones are on no wire
    return packet;
}

bool is_icmp(IpPacket const& packet)
{
    return packet.protocol == (packet.to.is_v4() ? abi::ipproto_icmp : abi::ipproto_icmpv6);
}

void take_in(NetworkNamespace& space, IcmpMessage const& message)
{
    IcmpSocket::arrive(space, message);
    bool const is_v4 = message.to.is_v4();
    if (!is_echo_request(message.bytes, is_v4)) return;
    if (!has_right_checksum(message.bytes, message.from, message.to)) return;
    std::vector<u8> reply(message.bytes.begin(), message.bytes.end());
    turn_into_reply(reply, is_v4);
    set_checksum(reply, message.to, message.from);
    PacketNotes notes { .to = message.from, .interface = message.notes.interface };
    notes.traffic_class = message.notes.traffic_class;
    notes.arrived = message.notes.arrived;
    send_inside(space, { message.to, message.from, notes, reply });
}

/// Tells the sender that nobody here has the port, or the protocol (RFC 792, RFC 4443), with the packet's beginning.
void refuse(NetworkNamespace& space, IpPacket const& packet, bool for_port)
{
    constexpr u8 unreachable = 3, no_protocol = 2, no_port = 3;
    constexpr u8 unreachable6 = 1, no_port6 = 4, parameter_problem6 = 4, unknown_next_header = 1;
    constexpr u8 next_header_at = 6;
    constexpr u64 most = 548, most6 = 1232; // so that all of it is at most 576 bytes, or 1,280
    bool const is_v4 = packet.to.is_v4();
    if (packet.to.is_multicast() || packet.from.is_any()) return;
    auto const quoted = packet.whole.first(std::min(packet.whole.size(), is_v4 ? most : most6));
    std::vector<u8> message(kEchoHeader + quoted.size());
    message[0] = is_v4 ? unreachable : for_port ? unreachable6 : parameter_problem6;
    if (is_v4)
        message[1] = for_port ? no_port : no_protocol;
    else
        message[1] = for_port ? no_port6 : unknown_next_header;
    if (!is_v4 && !for_port) message[kEchoHeader - 1] = next_header_at;
    std::ranges::copy(quoted, message.begin() + kEchoHeader);
    set_checksum(message, packet.to, packet.from);
    PacketNotes const notes {
        .to = packet.from, .interface = packet.notes.interface, .arrived = packet.notes.arrived
    };
    send_inside(space, { packet.to, packet.from, notes, message });
}

void take_in(NetworkNamespace& space, IpPacket const& packet)
{
    if (!space.reaches(packet.to)) return;
    if (is_icmp(packet)) return take_in(space, { packet.from, packet.to, packet.notes, packet.payload });
    switch (packet.protocol) {
    case abi::ipproto_udp:
    case abi::ipproto_udplite:
        if (!UdpSocket::take_in(space, packet)) refuse(space, packet, true);
        return;
    case abi::ipproto_tcp: // connections have no segments
        return;
    }
    if (!space.raw_ports.users().contains(u16(packet.protocol))) refuse(space, packet, false);
}

} // namespace

std::optional<IpPacket> parse_ip_packet(std::span<u8 const> bytes)
{
    constexpr u8 v4 = 4, v6 = 6;
    if (bytes.empty()) return std::nullopt;
    u8 const version = bytes[0] >> 4;
    if (version == v4) return parse_v4(bytes);
    if (version == v6) return parse_v6(bytes);
    return std::nullopt;
}

bool is_martian(PacketSight const& sight, IpPacket const& packet)
{
    bool const is_local = packet.from.is_loopback() || packet.to.is_loopback();
    return sight.sender && packet.to.is_v4() && is_local;
}

void loop_back(NetworkNamespace& space, PacketSight const& sight)
{
    if (space.capture) space.capture->pass(sight);
    auto packet = parse_ip_packet(sight.packet);
    if (!packet) return;
    if (sight.ethertype != (packet->to.is_v4() ? abi::eth_p_ip : abi::eth_p_ipv6)) return;
    if (is_martian(sight, *packet)) return;
    packet->notes.to = packet->to;
    packet->notes.interface = sight.interface.index;
    packet->notes.arrived = vfs::current_time(space.kernel);
    take_in(space, *packet);
}

void show(NetworkNamespace const& space, IcmpMessage const& message)
{
    if (space.capture) [[unlikely]]
        space.capture->icmp(message.from, message.to, message.notes, message.bytes);
}

void send_inside(NetworkNamespace& space, IcmpMessage const& message)
{
    show(space, message);
    take_in(space, message);
}

} // namespace umbra::net
