// SPDX-License-Identifier: GPL-2.0-or-later
// The network between instances on one host: `--net switch:NAME`. Each is a port of a switch, and speaks TCP/IP with the others.
#pragma once

#include "core/net/uplink.h"
#include "drivers-virtual/net/switch/stack.h"

namespace umbra::drivers {

class SwitchNetwork final : public net::Uplink {
public:
    SwitchNetwork(Kernel& kernel, HostIo& io);

    /// Before the vCPUs run. EADDRINUSE: all ports are taken.
    hostabi::HostResult<void> join(
        std::string_view switch_name, std::string_view host_name, Impairments const& impairments);
    /// On a vCPU.
    void start() { stack_.start(); }
    /// Waits until what guests have sent has arrived, or nobody takes it. By a task, at the end.
    void drain() { stack_.drain(); }
    net::IpAddress address() const { return stack_.address(); }

    net::Interface make_interface() override { return make_switch_interface(stack_.port().number()); }
    Result<void> connect(net::TcpEnd& near) override;
    Result<std::unique_ptr<net::OutsideDatagrams>> open_datagrams(
        net::DatagramUser& user, net::InetName const& local) override;
    Result<std::unique_ptr<net::OutsideDatagrams>> open_echoes(net::DatagramUser& user) override;
    bool has_neighbours() const override { return true; }
    void group_changed(net::IpAddress const& group, bool is_joined) override;

private:
    SwitchStack stack_;
    u16 last_identifier_ = 0; ///< of echoes
};

} // namespace umbra::drivers
