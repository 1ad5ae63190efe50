// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses as the library wants them, and back.
#pragma once

#include <cstring>

#include "core/net/inet/address.h"
#include "lwip/ip_addr.h"

namespace umbra::drivers {

inline ip_addr_t lwip_address(net::IpAddress const& address)
{
    auto const& b = address.bytes;
    ip_addr_t made = IPADDR6_INIT(0, 0, 0, 0);
    if (address.is_v4())
        IP_ADDR4(&made, b[12], b[13], b[14], b[15]);
    else
        std::memcpy(ip_2_ip6(&made)->addr, b.data(), b.size()); // in the order of the network, too
    return made;
}

inline net::IpAddress address_from(ip_addr_t const& address)
{
    if (IP_IS_V6_VAL(address)) {
        net::IpAddress made;
        std::memcpy(made.bytes.data(), ip_2_ip6(&address)->addr, made.bytes.size());
        return made;
    }
    auto const* v4 = ip_2_ip4(&address);
    return net::IpAddress::v4(ip4_addr1(v4), ip4_addr2(v4), ip4_addr3(v4), ip4_addr4(v4));
}

} // namespace umbra::drivers
