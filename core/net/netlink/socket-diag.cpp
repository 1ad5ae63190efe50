// SPDX-License-Identifier: GPL-2.0-or-later
// sock_diag(7): lists of sockets, for ss(8). One socket at a time cannot be asked for, and there are no filter programs.
#include "core/abi/inet.h"
#include "core/kernel.h"
#include "core/net/netlink/protocols.h"
#include "core/net/unix/unix-socket.h"
#include "core/task/task.h"

namespace umbra::net {

namespace {

u16 port_of(u8 const (&port)[2]) { return u16(port[0] << 8 | port[1]); }
void put_port(u8 (&to)[2], u16 port) { to[0] = u8(port >> 8), to[1] = u8(port); }

/// An IPv4 address stands at the beginning of its place.
void put_address(u8 (&to)[16], IpAddress const& address, bool is_v4)
{
    std::copy(address.bytes.begin() + (is_v4 ? 12 : 0), address.bytes.end(), to);
}

std::vector<u8> describe_inet(NetlinkRequest const& request, PortUser const& user)
{
    bool const is_v4 = user.family == abi::af_inet;
    abi::InetDiagMessage message {};
    message.family = u8(user.family);
    message.state = u8(user.state_number());
    put_port(message.id.source_port, user.local.port);
    put_port(message.id.peer_port, user.remote.port);
    put_address(message.id.source, user.local.address, is_v4);
    put_address(message.id.peer, user.remote.address, is_v4);
    message.id.cookie[0] = u32(user.inode_number());
    message.receive_queue = u32(user.receive_queue_bytes());
    message.send_queue = user.backlog();
    message.uid = request.task.credentials().user_namespace->uid_out(user.uid);
    message.inode = u32(user.inode_number());
    MessageWriter writer(request.head(abi::sock_diag_by_family));
    writer.put(message);
    // What is bound to one IPv6 address takes nothing of IPv4.
    bool const only_v6 = user.v6_only || !(user.local.address.is_any() || user.local.address.is_v4());
    if (!is_v4) writer.value(abi::inet_diag_skv6only, u8(only_v6));
    return writer.take();
}

Result<void> list_inet(NetlinkRequest& request)
{
    auto const asked = fixed_part<abi::InetDiagRequest>(request.message.payload);
    if (!asked) return err::inval;
    if (asked->protocol != abi::ipproto_tcp && asked->protocol != abi::ipproto_udp) return err::noent;
    Attributes const attributes(behind<abi::InetDiagRequest>(request.message.payload));
    if (!request.is_dump() || attributes.has(abi::inet_diag_req_bytecode)) return err::opnotsupp;
    auto const& space = request.space();
    auto const& ports = space.ports(asked->protocol);
    for (auto const& [port, user] : ports.users()) {
        if (user->family != asked->family || !(asked->states >> user->state_number() & 1)) continue;
        if (u16 const wanted = port_of(asked->id.source_port); wanted && wanted != port) continue;
        request.answers.push_back(describe_inet(request, *user));
    }
    return {};
}

u8 state_of(UnixEndpoint const& end)
{
    if (end.state == UnixEndpoint::State::listening) return abi::tcp_listen;
    return end.state == UnixEndpoint::State::connected ? abi::tcp_established : abi::tcp_close;
}

u32 inode_of(UnixEndpoint const& end) { return end.file ? u32(end.file->inode().number()) : 0; }

std::vector<u8> describe_unix(NetlinkRequest const& request, UnixEndpoint const& end, u32 show)
{
    MessageWriter writer(request.head(abi::sock_diag_by_family));
    u32 const inode = inode_of(end);
    writer.put(
        abi::UnixDiagMessage { u8(abi::af_unix), u8(end.type), state_of(end), 0, inode, { inode, 0 } });
    if ((show & abi::udiag_show_name) && !end.name.empty())
        writer.attribute(
            abi::unix_diag_name, { reinterpret_cast<u8 const*>(end.name.data()), end.name.size() });
    if ((show & abi::udiag_show_peer) && end.peer) writer.value(abi::unix_diag_peer, inode_of(*end.peer));
    if (show & abi::udiag_show_rqlen) {
        bool const listens = end.state == UnixEndpoint::State::listening;
        struct Lengths {
            u32 receive, send;
        } lengths { listens ? u32(end.pending.size()) : 0, listens ? end.backlog : u32(end.in_flight) };
        for (auto const& packet : end.queue)
            lengths.receive += u32(packet->size());
        writer.value(abi::unix_diag_rqlen, lengths);
    }
    return writer.value(abi::unix_diag_shutdown, u8(end.receive_shut | end.send_shut << 1)).take();
}

Result<void> list_unix(NetlinkRequest& request)
{
    auto const asked = fixed_part<abi::UnixDiagRequest>(request.message.payload);
    if (!asked) return err::inval;
    if (!request.is_dump()) return err::opnotsupp;
    for (UnixEndpoint& end : Network::of(request.task.kernel()).endpoints) {
        if (end.space.get() != &request.space() || !(asked->states >> state_of(end) & 1)) continue;
        request.answers.push_back(describe_unix(request, end, asked->show));
    }
    return {};
}

} // namespace

Result<void> answer_sock_diag(NetlinkRequest& request)
{
    if (request.type() != abi::sock_diag_by_family || request.message.payload.size() < 2) return err::inval;
    switch (request.message.payload[0]) {
    case abi::af_unix:
        return list_unix(request);
    case abi::af_inet:
    case abi::af_inet6:
        return list_inet(request);
    default:
        return err::noent;
    }
}

} // namespace umbra::net
