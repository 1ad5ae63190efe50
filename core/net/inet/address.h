// SPDX-License-Identifier: GPL-2.0-or-later
// Internet addresses. One form serves both families: an IPv4 address is its v4-mapped IPv6 address (RFC 4291, 2.5.5.2).
#pragma once

#include <algorithm>
#include <array>

#include "core/net/socket.h"

namespace umbra::net {

struct IpAddress {
    std::array<u8, 16> bytes {};

    static IpAddress v4(u8 a, u8 b, u8 c, u8 d)
    {
        return { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, a, b, c, d } };
    }
    static IpAddress any(i32 family) { return family == abi::af_inet ? v4(0, 0, 0, 0) : IpAddress {}; }
    static IpAddress loopback(bool is_v4)
    {
        return is_v4 ? v4(127, 0, 0, 1) : IpAddress { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } };
    }

    bool operator==(IpAddress const&) const = default;
    bool is_v4() const { return std::equal(bytes.begin(), bytes.begin() + 12, v4(0, 0, 0, 0).bytes.begin()); }
    bool is_any() const { return *this == IpAddress {} || *this == v4(0, 0, 0, 0); }
    bool is_multicast() const { return is_v4() ? bytes[12] >> 4 == 14 : bytes[0] == 0xff; }
    bool is_loopback() const { return is_v4() ? bytes[12] == 127 : *this == loopback(false); }
};

/// An address and a port, the latter in host byte order.
struct InetName {
    IpAddress address {};
    u16 port = 0;
    bool operator==(InetName const&) const = default;
};

/// What a guest gave for a socket of `family`. EINVAL: too short; EAFNOSUPPORT: another family.
Result<InetName> inet_name_of(SocketAddress const& address, i32 family);
/// The same for bind(2): old programs do not say that 0.0.0.0 is IPv4's.
Result<InetName> inet_name_to_bind(SocketAddress const& address, i32 family);
/// The other way round, as a socket of `family` shows it.
SocketAddress socket_address_of(InetName const& name, i32 family);

/// As people write it; of IPv6 all eight groups.
std::string text_of(IpAddress const& address);

} // namespace umbra::net
