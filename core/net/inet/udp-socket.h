// SPDX-License-Identifier: GPL-2.0-or-later
// AF_INET and AF_INET6 datagram sockets (udp(7), udplite(7)). A datagram goes straight into the queue of the socket it
// is for, or to the uplink.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "core/net/inet/inet-socket.h"
#include "core/net/uplink.h"

namespace umbra::net {

class UdpSocket final : public InetSocket, public PortUser, private DatagramUser {
public:
    UdpSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 protocol);
    ~UdpSocket() override;

    Result<void> connect(Task& task, SocketAddress const& address) override;
    Result<void> shutdown(i32 how) override;
    Result<u64> send(Task& task, IoBuffer& data, SendRequest& request) override;
    Result<u64> receive(Task& task, IoBuffer& data, ReceiveRequest& request) override;
    u32 readiness() override;
    WaitQueue* wait_queue() override { return &waiters_; }
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override;

    /// A datagram that has come from outside for a socket of the namespace; false: there is none.
    static bool deliver_from_outside(
        NetworkNamespace const& space, InetName const& to, InetName const& from, std::span<u8 const> data);

    u32 state_number() const override;
    u64 receive_queue_bytes() const override { return queued_; }
    u64 inode_number() const override { return inode().number(); }

protected:
    PortUser& user() override { return *this; }
    PortTable& ports() const override;
    i32 take_error() override;

private:
    struct Datagram {
        std::unique_ptr<u8[]> data;
        u64 size;
        InetName from;
        PacketNotes notes;
    };

    void arrived(InetName const& from, std::span<u8 const> data) override;
    void failed(Errno why) override;

    /// The socket's share of the outside, made when it is first asked for.
    Result<OutsideDatagrams*> outside();
    /// To somebody of this machine's.
    void send_inside(Datagram datagram, InetName const& to, bool named);
    static UdpSocket* find_receiver(PortTable const& ports, InetName const& to, InetName const& from);
    /// Takes a datagram, or drops it where there is no room.
    void deliver(Datagram datagram);
    void drop_first();

    static constexpr u64 kOverhead = 256; ///< so that empty datagrams fill a queue too
    Kernel& kernel_;
    std::deque<Datagram> queue_;
    u64 queued_ = 0; ///< bytes in the queue, with overhead
    bool receive_shut_ = false, send_shut_ = false;
    std::optional<Errno> error_; ///< reported once
    std::unique_ptr<OutsideDatagrams> outside_;
    WaitQueue waiters_;
};

} // namespace umbra::net
