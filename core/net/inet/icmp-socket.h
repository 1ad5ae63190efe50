// SPDX-License-Identifier: GPL-2.0-or-later
// Ping sockets (SOCK_DGRAM with IPPROTO_ICMP or IPPROTO_ICMPV6, icmp(7)). This machine answers echoes to its own addresses;
// those to others go to the uplink. A socket's identifier is its port.
#pragma once

#include "core/net/inet/ip-socket.h"

namespace umbra::net {

class IcmpSocket final : public IpSocket {
public:
    IcmpSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 protocol);
    ~IcmpSocket() override;

    Result<void> bind(Task& task, SocketAddress const& address) override;
    Result<u64> send(Task& task, IoBuffer& data, SendRequest& request) override;
    Result<u64> receive(Task& task, IoBuffer& data, ReceiveRequest& request) override;

    /// Gives an answer to the socket that has its identifier.
    static void arrive(NetworkNamespace& space, IcmpMessage const& message);

protected:
    PortTable& ports() const override;

private:
    /// Errors as sendmsg(2).
    Result<void> send_message(Task& task, std::span<u8> message, SendRequest const& request);
};

} // namespace umbra::net
