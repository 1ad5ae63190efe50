// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for packet sockets: packet(7), and the numbers of protocols above Ethernet.
#pragma once

#include "core/base/types.h"

namespace umbra::abi {

constexpr u16 eth_p_all = 3, eth_p_ip = 0x800, eth_p_ipv6 = 0x86dd;
constexpr u64 eth_header_size = 14, eth_address_size = 6;

constexpr i32 sol_packet = 263;
constexpr i32 packet_add_membership = 1, packet_drop_membership = 2, packet_statistics = 6,
              packet_auxdata = 8, packet_origdev = 9, packet_ignore_outgoing = 23;
constexpr u16 packet_mr_unicast = 3; ///< the last of the kinds of memberships
constexpr u8 packet_host = 0, packet_broadcast = 1, packet_multicast = 2, packet_otherhost = 3,
             packet_outgoing = 4;

/// struct sockaddr_ll
struct LinkAddress {
    u16 family;
    u16 protocol; ///< in network byte order
    i32 interface;
    u16 hardware_type;
    u8 packet_type;
    u8 address_length;
    u8 address[8];
};
static_assert(sizeof(LinkAddress) == 20);
constexpr u32 link_address_at = 12; ///< offsetof(sockaddr_ll, sll_addr)

/// struct packet_mreq
struct PacketMembership {
    i32 interface;
    u16 type;
    u16 address_length;
    u8 address[8];
    bool operator==(PacketMembership const&) const = default;
};
static_assert(sizeof(PacketMembership) == 16);

/// struct tpacket_stats
struct PacketStatistics {
    u32 packets, drops;
};

/// struct tpacket_auxdata
struct PacketAuxData {
    u32 status, length, captured;
    u16 link_at, network_at, vlan_tci, vlan_tpid;
};
static_assert(sizeof(PacketAuxData) == 20);

} // namespace umbra::abi
