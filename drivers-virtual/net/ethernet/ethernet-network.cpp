// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/ethernet/ethernet-network.h"

#include "core/kernel.h"
#include "drivers-virtual/net/ethernet/connection.h"
#include "drivers-virtual/net/ethernet/datagrams.h"

namespace umbra::drivers {

EthernetNetwork::EthernetNetwork(Kernel& kernel, std::unique_ptr<Wire> wire, Impairments const& impairments)
    : wire_(std::move(wire))
    , stack_(kernel, *wire_)
{
    stack_.line().impair(impairments);
}

Result<void> EthernetNetwork::connect(net::TcpEnd& near)
{
    start();
    net::IpAddress const& to = near.remote.address;
    if (wire_->is_itself(to)) return err::connrefused;
    if (to.is_multicast() || stack_.space().is_broadcast(to)) return err::netunreach;
    TRY(wire_->check_destination(to));
    return StackConnection::begin(stack_, near);
}

Result<std::unique_ptr<net::OutsideDatagrams>> EthernetNetwork::open_datagrams(
    net::DatagramUser& user, net::InetName const& local)
{
    start();
    return std::unique_ptr<net::OutsideDatagrams>(std::make_unique<StackDatagrams>(stack_, user, local.port));
}

Result<std::unique_ptr<net::OutsideDatagrams>> EthernetNetwork::open_echoes(net::DatagramUser& user)
{
    start();
    return std::unique_ptr<net::OutsideDatagrams>(
        std::make_unique<StackEchoes>(stack_, user, ++last_identifier_));
}

void EthernetNetwork::group_changed(net::IpAddress const& group, bool is_joined)
{
    start();
    stack_.join_group(group, is_joined);
}

} // namespace umbra::drivers
