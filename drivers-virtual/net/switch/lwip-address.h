// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses of IPv4 as the library wants them, and back.
#pragma once

#include "core/net/inet/address.h"
#include "lwip/ip_addr.h"

namespace umbra::drivers {

/// Of an IPv4 address.
inline ip_addr_t lwip_address(net::IpAddress const& address)
{
    auto const& b = address.bytes;
    ip_addr_t made;
    IP_ADDR4(&made, b[12], b[13], b[14], b[15]);
    return made;
}

inline net::IpAddress address_from(ip_addr_t const& address)
{
    auto const* v4 = ip_2_ip4(&address);
    return net::IpAddress::v4(ip4_addr1(v4), ip4_addr2(v4), ip4_addr3(v4), ip4_addr4(v4));
}

} // namespace umbra::drivers
