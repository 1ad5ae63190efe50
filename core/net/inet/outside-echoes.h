// SPDX-License-Identifier: GPL-2.0-or-later
// Echo requests of one socket to others than this machine, by the uplink, and the answers: each identifier of the guest's has
// a socket of the host's, which has another one. References: the socket owns it.
#pragma once

#include <map>

#include "core/net/inet/datagram-socket.h"
#include "core/net/inet/ip-input.h"

namespace umbra::net {

class OutsideEchoes {
public:
    explicit OutsideEchoes(DatagramSocket& owner);
    ~OutsideEchoes();

    /// EOPNOTSUPP: no echo request, which is all that the host's own ping socket sends.
    Result<void> send(InetName const& to, IcmpMessage const& message);

private:
    class Way;

    DatagramSocket& owner_;
    std::map<u16, std::unique_ptr<Way>> ways_; ///< by identifier
};

} // namespace umbra::net
