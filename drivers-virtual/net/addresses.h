// SPDX-License-Identifier: GPL-2.0-or-later
// The user network's addresses, and what they are on the host. The guest is 10.0.2.15, the host is its gateway 10.0.2.2, and a
// name server answers at 10.0.2.3; with IPv6 they have a prefix of their own. All other addresses are those of the world.
#pragma once

#include "core/net/interface.h"
#include "hostabi/socket.h"

namespace umbra::drivers {

struct UserNetworkOptions {
    bool host_loopback = false; ///< the gateway's address is the host's loopback
    bool ipv6 = false; ///< the host has a way to the world by it
    std::optional<hostabi::HostName> name_server {}; ///< the host's
};

/// eth0. `unique`: three bytes for its hardware address.
net::Interface make_user_interface(UserNetworkOptions const& options, std::array<u8, 3> unique);
/// The guest's name server; the only one, whatever the host has.
net::IpAddress user_name_server();
net::IpAddress user_address();
net::IpAddress user_gateway();

/// What a guest's destination is on the host. ECONNREFUSED: the host, which does not listen; EHOSTUNREACH: nobody in the guest's
/// own network has the address; ENETUNREACH: an address that no router forwards, such as the host's own loopback.
Result<hostabi::HostName> to_host(UserNetworkOptions const& options, net::InetName const& to);
/// Whether the address is one of the user network's own machines, the gateway and the name server.
bool is_user_machine(net::IpAddress const& address);
/// Who a peer of the host's is to the guest: the host's own loopback is the gateway.
net::InetName from_host(hostabi::HostName const& peer);
bool is_host_loopback(hostabi::HostName const& name);

} // namespace umbra::drivers
