// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/net/capture/capture.h"

#include "core/abi/inet.h"
#include "core/abi/packet.h"
#include "core/net/inet/inet-socket.h"
#include "core/net/network-namespace.h"

namespace umbra::net {

Interface const& Capture::interface_for(PacketHead const& head) const
{
    // What comes from outside or goes there has one foreign address.
    bool const is_inside = space_.reaches(head.from.address) && space_.reaches(head.to.address);
    return is_inside ? space_.interfaces.front() : space_.interfaces.back();
}

void Capture::pass(Interface const& interface, PacketHead const& head, std::span<u8 const> packet)
{
    Passage const outside = space_.reaches(head.to.address) ? Passage::arrives : Passage::leaves;
    pass(PacketSight { .interface = interface,
        .passage = interface.is_loopback ? Passage::loops : outside,
        .ethertype = head.to.address.is_v4() ? abi::eth_p_ip : abi::eth_p_ipv6,
        .packet = packet });
}

void Capture::datagram(InetName const& from, InetName const& to, i32 protocol, PacketNotes const& notes,
    std::span<u8 const> data, i32 interface)
{
    PacketHead const head { from, to, notes.hop_limit, notes.traffic_class };
    Interface const& by = interface ? *space_.find_interface(interface) : interface_for(head);
    pass(by, head, make_udp_packet(head, protocol, data));
}

void Capture::icmp(
    IpAddress const& from, IpAddress const& to, PacketNotes const& notes, std::span<u8 const> message)
{
    PacketHead const head { { from, 0 }, { to, 0 }, notes.hop_limit, notes.traffic_class };
    i32 const protocol = to.is_v4() ? abi::ipproto_icmp : abi::ipproto_icmpv6;
    pass(interface_for(head), head, make_ip_packet(head, protocol, message));
}

} // namespace umbra::net
