// SPDX-License-Identifier: GPL-2.0-or-later
// The network that an unprivileged user can have: a guest's connections and datagrams go out through sockets of the host's, and
// ports of the host's lead in. No packets, no TCP of our own: what passes is streams and datagrams.
#pragma once

#include <vector>

#include "core/net/uplink.h"
#include "drivers-virtual/net/host-datagrams.h"

namespace umbra::drivers {

/// -p [ADDR:]HOSTPORT:GUESTPORT[/udp]
struct PublishedPort {
    hostabi::HostName host; ///< the unspecified address of IPv6: all addresses of both families
    u16 guest_port = 0;
    bool is_udp = false;
};

class UserNetwork final : public net::Uplink {
public:
    UserNetwork(Kernel& kernel, HostIo& io, UserNetworkOptions options);
    ~UserNetwork() override;

    /// Takes a port of the host's; nobody is heard before start(). EADDRINUSE, EACCES, EADDRNOTAVAIL, ...
    hostabi::HostResult<void> publish(PublishedPort const& port);
    /// Opens the published ports. On a vCPU.
    void start();

    net::Interface make_interface() override;
    Result<void> connect(net::TcpEnd& near) override;
    Result<std::unique_ptr<net::OutsideDatagrams>> open_datagrams(
        net::DatagramUser& user, net::InetName const& local) override;
    Result<std::unique_ptr<net::OutsideDatagrams>> open_echoes(net::DatagramUser& user) override;

private:
    class Listener;

    UserNetworkState state_;
    std::vector<Ref<Listener>> listeners_;
    std::vector<Ref<PublishedDatagrams>> published_;
};

} // namespace umbra::drivers
