// SPDX-License-Identifier: GPL-2.0-or-later
// What a machine does with packets that have come to it. Sockets of UDP and ping sockets pass their bytes to each other without
// any; packets are what raw sockets and packet sockets send (raw(7), packet(7)), and messages of ICMP. Guarded by the kernel
// lock; nothing here waits.
#pragma once

#include <optional>

#include "core/net/capture/packet-watcher.h"
#include "core/net/inet/inet-socket.h"

namespace umbra::net {

/// A packet taken apart. The bytes are the sender's.
struct IpPacket {
    IpAddress from {}, to {};
    i32 protocol = 0;
    PacketNotes notes {};
    std::span<u8 const> whole {}, payload {}; ///< with the header of IP, and behind it
};

/// IPv4 with its options (RFC 791), IPv6 without extension headers (RFC 8200). Nothing: it is broken, or a fragment, which is
/// not put together here.
std::optional<IpPacket> parse_ip_packet(std::span<u8 const> bytes);

/// Whether it came from the link with IPv4's loopback addresses, which no machine takes in (route_localnet is off).
bool is_martian(PacketSight const& sight, IpPacket const& packet);

/// A packet that this machine has sent to itself: it is seen, and taken in if it is one of IP and for us.
void loop_back(NetworkNamespace& space, PacketSight const& sight);

/// A message of ICMP or ICMPv6, without the header of IP.
struct IcmpMessage {
    IpAddress from, to;
    PacketNotes notes;
    std::span<u8 const> bytes;
};
/// To those who watch.
void show(NetworkNamespace const& space, IcmpMessage const& message);
/// To this machine itself: it is seen, and an echo request is answered.
void send_inside(NetworkNamespace& space, IcmpMessage const& message);

} // namespace umbra::net
