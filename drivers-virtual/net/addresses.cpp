// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/addresses.h"

namespace umbra::drivers {

namespace {

constexpr u8 kPrefixV4 = 24, kPrefixV6 = 64;
constexpr u8 kGateway = 2, kNameServer = 3, kGuest = 15; ///< the last byte, in both families
constexpr u16 kDnsPort = 53;
constexpr i32 kMtu = 1500, kIndex = 2;

net::IpAddress own_v4(u8 last) { return net::IpAddress::v4(10, 0, 2, last); }

/// Of a prefix for local use (RFC 4193): fd75:6d62:7261::/64.
net::IpAddress own_v6(u8 last)
{
    return { { 0xfd, 0x75, 0x6d, 0x62, 0x72, 0x61, 0, 0, 0, 0, 0, 0, 0, 0, 0, last } };
}

bool is_own_network(net::IpAddress const& address)
{
    if (address.is_v4()) return net::InterfaceAddress { own_v4(0), kPrefixV4 }.covers(address);
    return net::InterfaceAddress { own_v6(0), kPrefixV6 }.covers(address);
}

/// This host, link-local, multicast, reserved.
bool is_never_forwarded(net::IpAddress const& address)
{
    auto const& b = address.bytes;
    if (address.is_v4()) {
        constexpr u8 this_network = 0, loopback = 127, multicast = 224;
        return b[12] == this_network || b[12] == loopback || (b[12] == 169 && b[13] == 254)
            || b[12] >= multicast;
    }
    constexpr u8 multicast = 0xff;
    bool const is_link_local = b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
    return b[0] == 0 || b[0] == multicast || is_link_local;
}

} // namespace

net::Interface make_user_interface(UserNetworkOptions const& options, std::array<u8, 3> unique)
{
    net::Interface eth0 { .name = "eth0", .index = kIndex, .mtu = kMtu, .is_loopback = false };
    // Locally administered, one for each instance.
    eth0.hardware_address = { 0x02, 0x75, 0x6d, unique[0], unique[1], unique[2] };
    eth0.is_up = eth0.was_up = true;
    eth0.addresses.push_back({ own_v4(kGuest), kPrefixV4, 0, eth0.name });
    eth0.gateway = own_v4(kGateway);
    if (options.ipv6) {
        eth0.addresses.push_back({ own_v6(kGuest), kPrefixV6, 0 });
        eth0.gateway_v6 = own_v6(kGateway);
    }
    return eth0;
}

net::IpAddress user_name_server() { return own_v4(kNameServer); }
net::IpAddress user_address() { return own_v4(kGuest); }
net::IpAddress user_gateway() { return own_v4(kGateway); }

bool is_user_machine(net::IpAddress const& address)
{
    return address == own_v4(kGateway) || address == own_v4(kNameServer) || address == own_v6(kGateway);
}

Result<hostabi::HostName> to_host(UserNetworkOptions const& options, net::InetName const& to)
{
    bool const is_v4 = to.address.is_v4();
    if (is_own_network(to.address)) {
        if (is_v4 && to.address == own_v4(kNameServer)) {
            if (to.port == kDnsPort && options.name_server) return *options.name_server;
            return err::connrefused;
        }
        if (to.address != (is_v4 ? own_v4(kGateway) : own_v6(kGateway))) return err::hostunreach;
        if (!options.host_loopback) return err::connrefused;
        return hostabi::HostName { net::IpAddress::loopback(is_v4).bytes, to.port };
    }
    if (is_never_forwarded(to.address)) return err::netunreach;
    return hostabi::HostName { to.address.bytes, to.port };
}

bool is_host_loopback(hostabi::HostName const& name) { return net::IpAddress { name.address }.is_loopback(); }

net::InetName from_host(hostabi::HostName const& peer)
{
    net::IpAddress const address { peer.address };
    if (!is_host_loopback(peer)) return { address, peer.port };
    return { address.is_v4() ? own_v4(kGateway) : own_v6(kGateway), peer.port };
}

} // namespace umbra::drivers
