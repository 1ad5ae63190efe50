// SPDX-License-Identifier: GPL-2.0-or-later
// Interfaces of a network namespace, as netdevice(7) and rtnetlink(7) show them: "lo", and where the instance has a way out
// "eth0" in the first namespace. No packet passes either: connections and datagrams go from socket to socket, or to the
// Uplink.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/net/inet/address.h"

namespace umbra::net {

/// An address of an interface.
struct InterfaceAddress {
    IpAddress address {};
    u8 prefix = 0; ///< bits, of 32 for IPv4
    u8 scope = 0; ///< RT_SCOPE_*
    std::string label {};
    bool is_v4() const { return address.is_v4(); }
    /// Whether the other address begins with the same bits.
    bool covers(IpAddress const& other) const;
    /// The address with all bits behind the prefix 0, or 1: the broadcast address.
    IpAddress first() const { return masked(false); }
    IpAddress last() const { return masked(true); }

private:
    IpAddress masked(bool ones) const;
};

/// What has passed, for statistics. A message of a stream counts as a packet.
struct InterfaceCounters {
    u64 received_bytes = 0, received_packets = 0, sent_bytes = 0, sent_packets = 0;

    void count_sent(u64 bytes) { sent_bytes += bytes, ++sent_packets; }
    void count_received(u64 bytes) { received_bytes += bytes, ++received_packets; }
};

struct Interface {
    using HardwareAddress = std::array<u8, 6>;

    std::string name;
    i32 index;
    i32 mtu;
    bool is_loopback;
    HardwareAddress hardware_address {};
    bool is_up = false;
    bool was_up = false; ///< ever
    std::vector<InterfaceAddress> addresses {};
    std::optional<IpAddress> gateway {}, gateway_v6 {}; ///< for whatever no prefix covers
    InterfaceCounters counters {};

    static constexpr i32 kQueueLength = 1000;

    /// IFF_UP on or off. With the first, the addresses of a loopback interface come by themselves.
    void set_up(bool up);
    /// Whether the address is this machine's: with IPv4 the whole prefix of a loopback interface is.
    bool is_own(IpAddress const& other) const;
    /// Whether what is sent to the address leaves here: to a neighbour, or by the gateway.
    bool leads_to(IpAddress const& other) const;
    /// The first address that can speak to `to`; null if there is none.
    InterfaceAddress const* source_for(IpAddress const& to) const;
    /// EEXIST.
    Result<void> add_address(InterfaceAddress address);
    /// EADDRNOTAVAIL.
    Result<InterfaceAddress> remove_address(IpAddress const& address, u8 prefix);
    u32 flags() const; ///< IFF_*
    u16 hardware_type() const; ///< ARPHRD_*
    HardwareAddress broadcast_address() const;
    std::optional<IpAddress> const& gateway_of(bool is_v4) const { return is_v4 ? gateway : gateway_v6; }
};

constexpr char const* kLoopbackName = "lo";
constexpr i32 kLoopbackIndex = 1;

} // namespace umbra::net
