// SPDX-License-Identifier: GPL-2.0-or-later
// Echo requests to the outside: the gateway and the name server are answered for here, others through a ping socket of the
// host's, where the host lets the user have one.
#pragma once

#include "drivers-virtual/net/host-datagrams.h"

namespace umbra::drivers {

class HostEchoes final : public net::OutsideDatagrams {
public:
    HostEchoes(UserNetworkState& state, net::DatagramUser& user);

    Result<void> connect(net::InetName const&) override { return {}; } // each request is for itself
    void disconnect() override { }
    Result<void> send(net::InetName const& to, std::span<u8 const> request) override;

private:
    void answer(net::InetName const& from, std::span<u8 const> request);

    UserNetworkState& state_;
    net::DatagramUser& user_;
    HostDatagrams outside_;
};

} // namespace umbra::drivers
