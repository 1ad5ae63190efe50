// SPDX-License-Identifier: GPL-2.0-or-later
// A capture of what passes the interfaces of a network namespace. Between sockets there are no packets: the capture makes those
// that a wire would have seen, at the moment at which the bytes go over. Who sends asks `space.capture`, which is null as a
// rule. References: it plugs itself into the namespace and out again. Guarded by the kernel lock; nothing here waits.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/net/capture/packet-maker.h"

namespace umbra::net {

class NetworkNamespace;
class TcpEnd;
struct PacketNotes;

/// Where the file is written.
class CaptureOutput {
public:
    /// False: there is no room, nothing of it was taken. With `always` it is taken nevertheless.
    virtual bool offer(std::string_view bytes, bool always) = 0;

protected:
    ~CaptureOutput() = default;
};

class Capture {
public:
    /// Of the interfaces that there are now.
    Capture(NetworkNamespace& space, CaptureOutput& output);
    /// The file ends with what was lost.
    ~Capture();
    Capture(Capture const&) = delete;

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

    u64 lost() const;

private:
    struct Counts {
        u64 passed = 0, lost = 0;
    };
    /// By its place in the file.
    u32 interface_for(PacketHead const& head) const;
    void pass(u32 interface, std::span<u8 const> packet);
    void tcp_acknowledges(TcpEnd& sender);
    void forward(TcpEnd const& end, u8 flags, std::span<u8 const> data = {});
    void backward(TcpEnd const& end, u8 flags);
    void segment(PacketHead const& head, TcpHead tcp, std::span<u8 const> data);
    u16 segment_size(PacketHead const& head) const;
    u32 first_sequence() const;
    u64 now() const;

    NetworkNamespace& space_;
    CaptureOutput& output_;
    std::vector<Counts> counts_; ///< by interface
};

} // namespace umbra::net
