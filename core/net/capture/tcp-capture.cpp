// SPDX-License-Identifier: GPL-2.0-or-later
// The segments of connections. Each end knows the number of the byte that it sends next and of the one that it expects
// (RFC 9293, 3.4): enough to go on when the other end is closed already.
#include <algorithm>

#include "core/kernel.h"
#include "core/net/capture/capture.h"
#include "core/net/inet/tcp-end.h"
#include "core/net/network-namespace.h"

namespace umbra::net {

namespace {
constexpr i32 kMostPacket = 65535;
} // namespace

u32 Capture::first_sequence() const
{
    std::array<u8, sizeof(u32)> bytes {};
    space_.kernel.platform().random_bytes(bytes);
    u32 number = 0;
    for (u8 byte : bytes)
        number = number << 8 | byte;
    return number;
}

u16 Capture::segment_size(PacketHead const& head) const
{
    i32 const mtu = std::min(interface_for(head).mtu, kMostPacket);
    return u16(mtu - i32(ip_header_size(head) + kTcpHeader));
}

void Capture::segment(PacketHead const& head, TcpHead tcp, std::span<u8 const> data)
{
    if (tcp.flags & tcp_syn) tcp.segment_size = segment_size(head);
    if (!(tcp.flags & tcp_ack)) tcp.acknowledgement = 0;
    pass(interface_for(head), head, make_tcp_packet(head, tcp, data));
}

void Capture::forward(TcpEnd const& end, u8 flags, std::span<u8 const> data)
{
    segment({ end.local, end.remote }, { end.numbers.next, end.numbers.expected, flags }, data);
}

/// From its peer.
void Capture::backward(TcpEnd const& end, u8 flags)
{
    segment({ end.remote, end.local }, { end.numbers.expected, end.numbers.next, flags }, {});
}

void Capture::tcp_asks(TcpEnd& asker)
{
    asker.numbers = { first_sequence(), 0 };
    forward(asker, tcp_syn);
    ++asker.numbers.next;
}

void Capture::tcp_answers(TcpEnd& answerer)
{
    TcpEnd& asker = *answerer.peer;
    asker.numbers.expected = first_sequence();
    backward(asker, tcp_syn | tcp_ack);
    ++asker.numbers.expected;
    answerer.numbers = { asker.numbers.expected, asker.numbers.next };
    forward(asker, tcp_ack);
}

void Capture::tcp_refuses(TcpEnd const& asker) { backward(asker, tcp_rst | tcp_ack); }

void Capture::tcp_acknowledges(TcpEnd& sender)
{
    if (sender.peer) sender.peer->numbers.expected = sender.numbers.next;
    backward(sender, tcp_ack);
}

void Capture::tcp_sends(TcpEnd& sender, std::span<u8 const> data)
{
    u64 const most = segment_size({ sender.local, sender.remote });
    while (!data.empty()) {
        auto const piece = data.first(std::min<u64>(data.size(), most));
        data = data.subspan(piece.size());
        forward(sender, data.empty() ? tcp_psh | tcp_ack : tcp_ack, piece);
        sender.numbers.next += u32(piece.size());
    }
    if (sender.peer)
        tcp_acknowledges(sender);
    else
        backward(sender, tcp_rst);
}

void Capture::tcp_finishes(TcpEnd& sender)
{
    forward(sender, tcp_fin | tcp_ack);
    ++sender.numbers.next;
    tcp_acknowledges(sender);
}

void Capture::tcp_resets(TcpEnd const& sender) { forward(sender, tcp_rst | tcp_ack); }

} // namespace umbra::net
