// SPDX-License-Identifier: GPL-2.0-or-later
// What passes the interfaces of a network namespace, for those who want to see it. Between sockets there are no packets: the
// capture makes those that a wire would have seen, at the moment at which the bytes go over. Who sends asks `space.capture`,
// which is null as long as nobody watches. References: the namespace holds it. Guarded by the kernel lock; nothing here waits.
#pragma once

#include <span>
#include <vector>

#include "core/net/capture/packet-maker.h"
#include "core/net/capture/packet-watcher.h"

namespace umbra::net {

class NetworkNamespace;
class TcpEnd;
struct PacketNotes;

class Capture {
public:
    explicit Capture(NetworkNamespace& space)
        : space_(space)
    {
    }
    Capture(Capture const&) = delete;

    void add(PacketWatcher& watcher) { watchers_.push_back(&watcher); }
    void remove(PacketWatcher& watcher) { std::erase(watchers_, &watcher); }
    bool has_watchers() const { return !watchers_.empty(); }

    /// One that is there as it is.
    void pass(PacketSight const& sight)
    {
        for (PacketWatcher* watcher : watchers_)
            watcher->see(sight);
    }

    /// `interface`: its index, or 0: what the addresses say.
    void datagram(InetName const& from, InetName const& to, i32 protocol, PacketNotes const& notes,
        std::span<u8 const> data, i32 interface = 0);
    void icmp(
        IpAddress const& from, IpAddress const& to, PacketNotes const& notes, std::span<u8 const> message);

    // A connection, tcp-capture.cpp. What is sent is acknowledged at once.
    void tcp_asks(TcpEnd& asker);
    /// Where the ends are each other's peers.
    void tcp_answers(TcpEnd& answerer);
    void tcp_refuses(TcpEnd const& asker);
    /// To a peer that is gone: its answer is a reset.
    void tcp_sends(TcpEnd& sender, std::span<u8 const> data);
    void tcp_finishes(TcpEnd& sender);
    void tcp_resets(TcpEnd const& sender);

private:
    Interface const& interface_for(PacketHead const& head) const;
    void pass(Interface const& interface, PacketHead const& head, std::span<u8 const> packet);
    void tcp_acknowledges(TcpEnd& sender);
    void forward(TcpEnd const& end, u8 flags, std::span<u8 const> data = {});
    void backward(TcpEnd const& end, u8 flags);
    void segment(PacketHead const& head, TcpHead tcp, std::span<u8 const> data);
    u16 segment_size(PacketHead const& head) const;
    u32 first_sequence() const;

    NetworkNamespace& space_;
    std::vector<PacketWatcher*> watchers_;
};

} // namespace umbra::net
