// SPDX-License-Identifier: GPL-2.0-or-later
// Control messages of datagram sockets: what is said about a datagram by its sender, and to its receiver.
#include <algorithm>

#include "core/abi/inet.h"
#include "core/net/inet/inet-socket.h"
#include "core/net/network-namespace.h"

namespace umbra::net {

namespace {

/// An int from `least` to 255; -1, where it is allowed, is the default.
Result<void> set_byte(u8& out, ControlMessage const& message, i32 least)
{
    i32 value = 0;
    if (message.data.size() != sizeof value) return err::inval;
    std::memcpy(&value, message.data.data(), sizeof value);
    if (value < least || value > 255) return err::inval;
    if (value >= 0) out = u8(value);
    return {};
}

template <typename T> Result<T> structure_of(ControlMessage const& message)
{
    T value;
    if (message.data.size() < sizeof value) return err::inval;
    std::memcpy(&value, message.data.data(), sizeof value);
    return value;
}

Result<void> apply_v4(ControlMessage const& message, PacketNotes& notes, i32& interface)
{
    switch (message.type) {
    case abi::ip_ttl:
        return set_byte(notes.hop_limit, message, 1);
    case abi::ip_tos:
        if (message.data.size() == 1) {
            notes.traffic_class = message.data[0];
            return {};
        }
        return set_byte(notes.traffic_class, message, 0);
    case abi::ip_pktinfo: {
        if (message.data.size() != sizeof(abi::PacketInfo)) return err::inval;
        auto const info = TRY(structure_of<abi::PacketInfo>(message));
        interface = info.interface;
        auto const& b = info.source;
        notes.source = IpAddress::v4(b[0], b[1], b[2], b[3]);
        return {};
    }
    default:
        return err::inval;
    }
}

Result<void> apply_v6(ControlMessage const& message, PacketNotes& notes, i32& interface)
{
    switch (message.type) {
    case abi::ipv6_hoplimit:
    case abi::ipv6_2292hoplimit:
        return set_byte(notes.hop_limit, message, -1);
    case abi::ipv6_tclass:
        return set_byte(notes.traffic_class, message, -1);
    case abi::ipv6_pktinfo:
    case abi::ipv6_2292pktinfo: {
        auto const info = TRY(structure_of<abi::PacketInfo6>(message));
        interface = info.interface;
        std::ranges::copy(info.address, notes.source.bytes.begin());
        return {};
    }
    default:
        return err::inval;
    }
}

template <typename T> void add(Ancillary& out, i32 level, i32 type, T const& value)
{
    auto const* const bytes = reinterpret_cast<u8 const*>(&value);
    out.messages.push_back({ level, type, { bytes, bytes + sizeof value } });
}

} // namespace

Result<PacketNotes> InetSocket::notes_for(InetName const& to, Ancillary const& ancillary) const
{
    bool const by_v4 = to.address.is_v4();
    PacketNotes notes { .to = to.address };
    if (to.address.is_multicast())
        notes.hop_limit = u8(by_v4 ? option(abi::ipproto_ip, abi::ip_multicast_ttl)
                                   : option(abi::ipproto_ipv6, abi::ipv6_multicast_hops));
    else
        notes.hop_limit = u8(
            by_v4 ? option(abi::ipproto_ip, abi::ip_ttl) : option(abi::ipproto_ipv6, abi::ipv6_unicast_hops));
    notes.traffic_class
        = u8(by_v4 ? option(abi::ipproto_ip, abi::ip_tos) : option(abi::ipproto_ipv6, abi::ipv6_tclass));
    i32 interface = 0;
    for (ControlMessage const& message : ancillary.messages) {
        bool const is_v4 = message.level == abi::ipproto_ip;
        // Those of the other version are for nobody here.
        if (is_v4 != by_v4) continue;
        TRY(is_v4 ? apply_v4(message, notes, interface) : apply_v6(message, notes, interface));
    }
    if (interface && !space().find_interface(interface)) return err::nodev;
    if (!notes.source.is_any() && !space().has(notes.source)) return by_v4 ? err::inval : err::addrnotavail;
    return notes;
}

void InetSocket::add_messages(PacketNotes const& notes, IpAddress const& from, Ancillary& out) const
{
    constexpr i64 nanoseconds_a_microsecond = 1000;
    if (is_on(abi::so_timestampns))
        add(out, abi::sol_socket, abi::so_timestampns, notes.arrived);
    else if (is_on(abi::so_timestamp))
        add(out, abi::sol_socket, abi::so_timestamp,
            std::array<i64, 2> { notes.arrived.sec, notes.arrived.nsec / nanoseconds_a_microsecond });
    if (from.is_v4()) {
        if (option(abi::ipproto_ip, abi::ip_pktinfo)) {
            abi::PacketInfo info { .interface = notes.interface, .source = {}, .to = {} };
            std::copy_n(notes.to.bytes.begin() + 12, sizeof info.to, info.to);
            std::copy_n(notes.to.bytes.begin() + 12, sizeof info.source, info.source);
            add(out, abi::ipproto_ip, abi::ip_pktinfo, info);
        }
        if (option(abi::ipproto_ip, abi::ip_recvttl))
            add(out, abi::ipproto_ip, abi::ip_ttl, i32(notes.hop_limit));
        if (option(abi::ipproto_ip, abi::ip_recvtos))
            add(out, abi::ipproto_ip, abi::ip_tos, notes.traffic_class);
    }
    if (family() != abi::af_inet6) return;
    abi::PacketInfo6 info { .address = {}, .interface = notes.interface };
    std::ranges::copy(notes.to.bytes, info.address);
    if (option(abi::ipproto_ipv6, abi::ipv6_recvpktinfo))
        add(out, abi::ipproto_ipv6, abi::ipv6_pktinfo, info);
    if (from.is_v4()) return; // which has none of the others
    if (option(abi::ipproto_ipv6, abi::ipv6_recvhoplimit))
        add(out, abi::ipproto_ipv6, abi::ipv6_hoplimit, i32(notes.hop_limit));
    if (option(abi::ipproto_ipv6, abi::ipv6_recvtclass))
        add(out, abi::ipproto_ipv6, abi::ipv6_tclass, i32(notes.traffic_class));
    if (option(abi::ipproto_ipv6, abi::ipv6_2292pktinfo))
        add(out, abi::ipproto_ipv6, abi::ipv6_2292pktinfo, info);
    if (option(abi::ipproto_ipv6, abi::ipv6_2292hoplimit))
        add(out, abi::ipproto_ipv6, abi::ipv6_2292hoplimit, i32(notes.hop_limit));
}

} // namespace umbra::net
