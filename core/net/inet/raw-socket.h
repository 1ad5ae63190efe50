// SPDX-License-Identifier: GPL-2.0-or-later
// Raw sockets (SOCK_RAW of AF_INET and AF_INET6, raw(7)): they send packets of one protocol, of IPv4 with a header of their own if
// they want (IP_HDRINCL), and see each packet of it that arrives here. What the host's own sockets do not send, which is all but
// echo requests, does not leave the instance.
#pragma once

#include <array>

#include "core/net/inet/ip-socket.h"

namespace umbra::net {

class RawSocket final : public IpSocket, private PacketWatcher {
public:
    RawSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 protocol);
    ~RawSocket() override;

    Result<void> bind(Task& task, SocketAddress const& address) override;
    Result<u64> send(Task& task, IoBuffer& data, SendRequest& request) override;
    Result<u64> receive(Task& task, IoBuffer& data, ReceiveRequest& request) override;
    Result<void> set_option(Task& task, i32 level, i32 name, std::span<u8 const> value) override;
    Result<std::vector<u8>> get_option(Task& task, i32 level, i32 name) override;

protected:
    PortTable& ports() const override;

private:
    bool is_icmp() const;
    /// Errors as sendmsg(2).
    Result<void> send_message(std::vector<u8> bytes, SendRequest const& request);
    /// With the header of IP: the guest's, of which some parts are the kernel's to set, or one of ours. EINVAL.
    Result<std::vector<u8>> make_packet(std::vector<u8> bytes, InetName const& to, PacketNotes const& notes);
    Result<void> complete_header(std::vector<u8>& packet, IpAddress const& from) const;

    void see(PacketSight const& sight) override;
    bool wants(IpPacket const& packet) const;
    bool is_unwanted_type(IpPacket const& packet) const;
    /// The bytes of the filter that the option is; empty: another option.
    std::span<u8> filter(i32 level, i32 name);
    bool is_checksum_option(i32 level, i32 name) const;
    Result<void> set_checksum_place(i32 level, std::span<u8 const> value);

    bool has_header_; ///< IP_HDRINCL
    i32 checksum_at_ = -1; ///< IPV6_CHECKSUM: where the payload has it; -1: it is the sender's affair
    /// Types that it does not want, a bit each: ICMP_FILTER has 32, ICMP6_FILTER 256.
    std::array<u8, 32> unwanted_ {};
};

} // namespace umbra::net
