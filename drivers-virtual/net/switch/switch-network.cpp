// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/switch/switch-network.h"

#include "core/kernel.h"
#include "drivers-virtual/net/switch/connection.h"
#include "drivers-virtual/net/switch/datagrams.h"

namespace umbra::drivers {

SwitchNetwork::SwitchNetwork(Kernel& kernel, HostIo& io)
    : stack_(kernel, io)
{
}

hostabi::HostResult<void> SwitchNetwork::join(
    std::string_view switch_name, std::string_view host_name, Impairments const& impairments)
{
    stack_.line().impair(impairments);
    return stack_.port().join(switch_name, host_name);
}

Result<void> SwitchNetwork::connect(net::TcpEnd& near)
{
    start();
    net::IpAddress const& to = near.remote.address;
    if (to == switch_address(kSwitchItself, to.is_v4())) return err::connrefused;
    if (to.is_multicast() || stack_.space().is_broadcast(to)) return err::netunreach;
    TRY(check_destination(stack_, to));
    return SwitchConnection::begin(stack_, near);
}

Result<std::unique_ptr<net::OutsideDatagrams>> SwitchNetwork::open_datagrams(
    net::DatagramUser& user, net::InetName const& local)
{
    start();
    return std::unique_ptr<net::OutsideDatagrams>(
        std::make_unique<SwitchDatagrams>(stack_, user, local.port));
}

Result<std::unique_ptr<net::OutsideDatagrams>> SwitchNetwork::open_echoes(net::DatagramUser& user)
{
    start();
    return std::unique_ptr<net::OutsideDatagrams>(
        std::make_unique<SwitchEchoes>(stack_, user, ++last_identifier_));
}

void SwitchNetwork::group_changed(net::IpAddress const& group, bool is_joined)
{
    start();
    stack_.join_group(group, is_joined);
}

} // namespace umbra::drivers
