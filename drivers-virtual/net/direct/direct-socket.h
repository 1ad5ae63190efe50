// SPDX-License-Identifier: GPL-2.0-or-later
// A guest's socket that is one of the host's.
#pragma once

#include "core/net/socket.h"
#include "drivers-virtual/net/direct/direct-network.h"

namespace umbra::drivers {

/// The host's answer is the guest's; that the host's own descriptors are used up is ENFILE.
Errno direct_error(hostabi::HostErrno error);

class DirectSocket final : public net::Socket {
public:
    DirectSocket(DirectNetwork& network, net::NetworkNamespace& space, vfs::Path path, u32 flags, i32 family,
        i32 type, i32 protocol, hostabi::PlainSocket socket);
    ~DirectSocket() override;

    /// The host tells of it: poll(2) bits that hold since.
    void happened(u32 events);
    hostabi::PlainSocket const& host() const { return socket_; }
    u64 key = 0; ///< by which the network knows it

    /// EACCES for a port that is not everybody's, by the guest's capabilities.
    Result<void> bind(Task& task, net::SocketAddress const& address) override;
    Result<void> listen(Task& task, i32 backlog) override;
    Result<void> connect(Task& task, net::SocketAddress const& address) override;
    Result<Ref<net::Socket>> accept(u32 flags) override;
    Result<void> shutdown(i32 how) override;
    net::SocketAddress local_address() override;
    Result<net::SocketAddress> peer_address() override;
    Result<u64> send(Task& task, IoBuffer& data, net::SendRequest& request) override;
    Result<u64> receive(Task& task, IoBuffer& data, net::ReceiveRequest& request) override;
    Result<void> set_option(Task& task, i32 level, i32 name, std::span<u8 const> value) override;
    Result<std::vector<u8>> get_option(Task& task, i32 level, i32 name) override;
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override;
    u32 readiness() override { return socket_.readiness(); }
    WaitQueue* wait_queue() override { return &waiters_; }

private:
    bool is_stream() const;
    bool is_at_mark() const;
    bool is_tied() const; ///< to an interface
    bool names_interface(std::span<u8 const> name) const;
    bool is_listening() const override { return is_listening_; }
    i32 take_error() override { return socket_.error(); }
    bool is_connect_decided() const;
    Result<u64> send_piece(IoBuffer& data, u64 length, hostabi::PlainSocket::Sending const& how);

    DirectNetwork& network_;
    hostabi::PlainSocket socket_;
    WaitQueue waiters_;
    bool is_listening_ = false;
    u32 shuts_ = 0; ///< how often it was shut
};

} // namespace umbra::drivers
