// SPDX-License-Identifier: GPL-2.0-or-later
// A network of frames: `--net switch:NAME`, `tap:NAME` and `passt:PATH`. The instance is a machine on a wire, and speaks TCP/IP
// with whoever else is there.
#pragma once

#include "core/net/uplink.h"
#include "drivers-virtual/net/ethernet/stack.h"

namespace umbra::drivers {

class EthernetNetwork final : public net::Uplink {
public:
    /// Before the vCPUs run. `impairments`: of what is sent.
    EthernetNetwork(Kernel& kernel, std::unique_ptr<Wire> wire, Impairments const& impairments);

    /// On a vCPU.
    void start() { stack_.start(); }
    /// Waits until what guests have sent has arrived, or nobody takes it. By a task, at the end.
    void drain() { stack_.drain(); }
    net::IpAddress address() const { return stack_.address(); }

    net::Interface make_interface() override { return wire_->make_interface(); }
    Result<void> connect(net::TcpEnd& near) override;
    Result<std::unique_ptr<net::OutsideDatagrams>> open_datagrams(
        net::DatagramUser& user, net::InetName const& local) override;
    Result<std::unique_ptr<net::OutsideDatagrams>> open_echoes(net::DatagramUser& user) override;
    bool has_neighbours() const override { return true; }
    void group_changed(net::IpAddress const& group, bool is_joined) override;

private:
    std::unique_ptr<Wire> wire_;
    IpStack stack_;
    u16 last_identifier_ = 0; ///< of echoes
};

} // namespace umbra::drivers
