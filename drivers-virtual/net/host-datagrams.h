// SPDX-License-Identifier: GPL-2.0-or-later
// Datagrams with the outside. A guest's socket has one of the host's for each family that it uses, whose port the world answers
// to; sockets on a published port share the host's socket that has that port.
#pragma once

#include <set>

#include "core/net/network-namespace.h"
#include "drivers-virtual/net/addresses.h"
#include "drivers-virtual/net/host-watch.h"

namespace umbra::drivers {

/// What the parts of the user network work with.
struct UserNetworkState {
    Kernel& kernel;
    HostIo& io;
    UserNetworkOptions options;
    net::NetworkNamespace& space;
    std::unique_ptr<u8[]>
        room; ///< for one datagram, between the host and a queue; used under the kernel lock

    static constexpr u64 kRoom = 64 << 10;
    net::InterfaceCounters& counters() const { return space.interfaces.back().counters; }
};

/// A host's socket on a published port.
class PublishedDatagrams final : public WatchUser {
public:
    PublishedDatagrams(UserNetworkState& state, hostabi::HostSocket socket, u16 guest_port);
    /// Begins to receive. On a vCPU.
    void start();
    /// From the guest's port. As net::OutsideDatagrams::send.
    Result<void> send(net::InetName const& to, std::span<u8 const> data);
    u16 guest_port() const { return guest_port_; }

private:
    void ready(HostWatch& watch, u32 events) override;
    void note(hostabi::HostName const& peer);

    UserNetworkState& state_;
    hostabi::HostSocket socket_;
    u16 guest_port_;
    HostWatch readable_;
    /// Ports on the host's loopback that have sent something: who asks may be answered.
    std::set<u16> local_peers_;
};

/// One socket's share of the outside.
class HostDatagrams final : public net::OutsideDatagrams {
public:
    using Kind = hostabi::HostSocket::Kind;

    /// `kind`: datagram or echo.
    HostDatagrams(UserNetworkState& state, net::DatagramUser& user, RefPtr<PublishedDatagrams> published,
        Kind kind = Kind::datagram);
    ~HostDatagrams() override;

    Result<void> connect(net::InetName const& to) override;
    void disconnect() override;
    Result<void> send(net::InetName const& to, std::span<u8 const> data) override;

private:
    class Flow;
    Result<Flow*> flow(bool is_v4);

    UserNetworkState& state_;
    net::DatagramUser& user_;
    RefPtr<PublishedDatagrams> published_;
    Kind kind_;
    RefPtr<Flow> flows_[2]; ///< by IPv6, IPv4
};

} // namespace umbra::drivers
