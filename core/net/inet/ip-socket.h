// SPDX-License-Identifier: GPL-2.0-or-later
// What sockets right above IP share, ping sockets and raw ones: a peer has an address and needs no port.
#pragma once

#include "core/net/inet/outside-echoes.h"

namespace umbra::net {

class IpSocket : public DatagramSocket {
public:
    IpSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 type, i32 protocol);

    Result<void> connect(Task& task, SocketAddress const& address) override;

protected:
    bool has_peer() const override { return has_peer_; }
    bool by_v4() const { return PortUser::family == abi::af_inet; }
    /// EDESTADDRREQ, EINVAL, EAFNOSUPPORT, ENETUNREACH.
    Result<InetName> choose_destination(SendRequest const& request);

    OutsideEchoes outside_ { *this };

private:
    bool has_peer_ = false;
};

} // namespace umbra::net
