// SPDX-License-Identifier: GPL-2.0-or-later
// AF_INET and AF_INET6 datagram sockets (udp(7), udplite(7)). A datagram goes straight into the queue of the socket it
// is for, or to the uplink.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/net/inet/datagram-socket.h"
#include "core/net/uplink.h"

namespace umbra::net {

struct IpPacket;

class UdpSocket final : public DatagramSocket, private DatagramUser {
public:
    UdpSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 protocol);
    ~UdpSocket() override;

    Result<void> connect(Task& task, SocketAddress const& address) override;
    Result<u64> send(Task& task, IoBuffer& data, SendRequest& request) override;
    Result<void> set_option(Task& task, i32 level, i32 name, std::span<u8 const> value) override;

    /// A datagram that has come from outside for a socket of the namespace, or for all that hear a group or a broadcast;
    /// false: there is none.
    static bool deliver_from_outside(
        NetworkNamespace const& space, InetName const& to, InetName const& from, std::span<u8 const> data);

    /// A packet of UDP or UDP-Lite that has come to this machine, from a raw socket or a packet socket; a broken one is
    /// lost. False: nobody has the port.
    static bool take_in(NetworkNamespace const& space, IpPacket const& packet);

protected:
    PortTable& ports() const override;

private:
    /// Where a datagram goes, and what is to be told of it.
    struct Letter {
        InetName to;
        bool named; ///< by the call, not by connect(2)
        Way way;
        PacketNotes notes;
    };
    /// One that is put together from several calls (UDP_CORK, MSG_MORE).
    struct Corked {
        Letter letter;
        std::vector<u8> text;
    };

    /// EDESTADDRREQ, EINVAL, ENETUNREACH and others. The socket is bound afterwards.
    Result<Letter> address(Task& task, SendRequest const& request);
    /// Sends it: what is lost on the way is no error.
    Result<void> post(Letter const& letter, Datagram datagram);
    /// Puts the data behind what is corked already.
    Result<void> cork(Task& task, IoBuffer& data, SendRequest const& request);
    Result<void> uncork();
    void drop_corked();

    void arrived(InetName const& from, std::span<u8 const> data) override;
    void take_from_outside(InetName const& from, IpAddress const& to, std::span<u8 const> data);
    void failed(Errno why) override { fail(why); }

    /// The socket's share of the outside, made when it is first asked for.
    Result<OutsideDatagrams*> outside();
    Result<void> send_outside(Datagram const& datagram, InetName const& to);
    /// To a group or to all on a wire: to those who hear it here, and to neighbours.
    Result<void> send_to_many(Letter const& letter, Datagram datagram);
    void give_to_many(
        InetName const& from, InetName const& to, PacketNotes const& notes, std::span<u8 const> text);
    bool is_for_many(IpAddress const& to) const;
    bool wants_of_many(InetName const& from, InetName const& to, i32 interface) const;
    /// EACCES: to all on a wire, without SO_BROADCAST.
    Result<void> check_broadcast(IpAddress const& to) const;
    /// To somebody of this machine's.
    void send_inside(Datagram datagram, InetName const& to, bool named);
    /// What was sent came back: a connected sender hears of it, and who has asked for errors.
    void note_answer(Errno why, bool named);
    static UdpSocket* find_receiver(
        PortTable const& ports, InetName const& to, InetName const& from, i32 interface);

    std::unique_ptr<OutsideDatagrams> outside_;
    std::optional<Corked> corked_;
};

} // namespace umbra::net
