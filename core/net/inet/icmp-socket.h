// SPDX-License-Identifier: GPL-2.0-or-later
// Ping sockets (SOCK_DGRAM with IPPROTO_ICMP or IPPROTO_ICMPV6, icmp(7)) and raw ones (SOCK_RAW, raw(7)). This machine answers
// echoes to its own addresses; those to others go to the uplink. A ping socket's identifier is its port; raw sockets see every
// message that arrives.
#pragma once

#include <array>
#include <map>

#include "core/net/inet/datagram-socket.h"

namespace umbra::net {

class IcmpSocket final : public DatagramSocket {
public:
    IcmpSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 type, i32 protocol);
    ~IcmpSocket() override;

    Result<void> bind(Task& task, SocketAddress const& address) override;
    Result<void> connect(Task& task, SocketAddress const& address) override;
    Result<u64> send(Task& task, IoBuffer& data, SendRequest& request) override;
    Result<u64> receive(Task& task, IoBuffer& data, ReceiveRequest& request) override;
    Result<void> set_option(Task& task, i32 level, i32 name, std::span<u8 const> value) override;
    Result<std::vector<u8>> get_option(Task& task, i32 level, i32 name) override;

protected:
    PortTable& ports() const override;
    bool has_peer() const override { return has_peer_; }

private:
    class Outside;
    /// A message on its way, without the header of IP.
    struct Message {
        IpAddress from, to;
        PacketNotes notes;
        std::span<u8 const> bytes;
    };

    bool is_raw() const { return type() == abi::sock_raw; }
    bool by_v4() const { return PortUser::family == abi::af_inet; }

    /// Errors as sendmsg(2).
    Result<void> send_message(Task& task, std::span<u8> message, SendRequest const& request);
    /// Whether it may send that. EINVAL.
    Result<void> check(std::span<u8 const> message) const;
    Result<InetName> choose_destination(SendRequest const& request);
    /// EOPNOTSUPP: no echo request.
    Result<void> send_outside(InetName const& to, Message const& message);
    /// To this machine: it is seen, and answered.
    static void pass_inside(NetworkNamespace& space, Message const& message);
    /// To a capture.
    static void show(NetworkNamespace const& space, Message const& message);
    /// Gives it to whoever is to have it.
    static void arrive(NetworkNamespace& space, Message const& message);
    bool wants(Message const& message) const;
    void take(Message const& message);
    /// The bytes of the filter that the option is; empty: another option.
    std::span<u8> filter(i32 level, i32 name);

    bool has_peer_ = false;
    /// Types that a raw socket does not want, a bit each: ICMP_FILTER has 32, ICMP6_FILTER 256.
    std::array<u8, 32> unwanted_ {};
    std::map<u16, std::unique_ptr<Outside>> outside_; ///< by identifier
};

} // namespace umbra::net
