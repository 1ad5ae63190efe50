// SPDX-License-Identifier: GPL-2.0-or-later
// A wire that the host offers: a tap device, or the socket of a peer such as passt(1). The addresses are the user's to give, since
// nothing is asked on the wire. References: the port holds its side, and a poll in the ring holds it. Under the kernel lock.
#pragma once

#include "drivers-virtual/net/ethernet/wire.h"
#include "drivers-virtual/net/host-watch.h"
#include "drivers-virtual/net/link/link-addresses.h"
#include "hostabi/frame-channel.h"

namespace umbra::drivers {

class LinkPort final : public Wire {
public:
    LinkPort(HostIo& io, hostabi::FrameChannel channel, LinkAddresses addresses,
        net::Interface::HardwareAddress const& hardware_address);
    ~LinkPort() override;

    void start(WireUser& user) override;
    void send(std::span<u8 const> frame) override;
    net::Interface make_interface() const override;
    Result<void> check_destination(net::IpAddress const& address) const override;

private:
    class Side;

    LinkAddresses const addresses_;
    net::Interface::HardwareAddress const hardware_address_;
    RefPtr<Side> side_;
};

/// One that nobody else has, with near certainty: locally administered, the rest out of `random`.
net::Interface::HardwareAddress make_hardware_address(std::array<u8, 6> const& random);

} // namespace umbra::drivers
