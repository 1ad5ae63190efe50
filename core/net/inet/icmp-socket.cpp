// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/net/inet/icmp-socket.h"

#include <algorithm>

#include "core/abi/inet.h"
#include "core/kernel.h"
#include "core/net/inet/icmp.h"
#include "core/net/network-namespace.h"
#include "core/task/task.h"
#include "core/vfs/operations.h"

namespace umbra::net {

namespace {
constexpr u64 kMaxMessage = 65535;
} // namespace

IcmpSocket::IcmpSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 protocol)
    : IpSocket(space, std::move(path), flags, family, abi::sock_dgram, protocol)
{
}

IcmpSocket::~IcmpSocket() { ports().release(*this); }

PortTable& IcmpSocket::ports() const { return space().ping_ports; }

Result<void> IcmpSocket::bind(Task& task, SocketAddress const& address)
{
    InetName const name = TRY(inet_name_of(address, PortUser::family));
    if (!space().has(name.address)) return err::addrnotavail;
    if (is_bound()) return err::inval;
    copy_reuse_options();
    uid = task.credentials().euid;
    // An identifier is taken whatever the address.
    auto [first, last] = ports().users().equal_range(name.port);
    if (std::any_of(
            first, last, [&](auto const& entry) { return !entry.second->reuse_address || !reuse_address; }))
        return err::addrinuse;
    return ports().bind(space(), *this, name);
}

Result<u64> IcmpSocket::send(Task& task, IoBuffer& data, SendRequest& request)
{
    u64 const size = data.remaining();
    if (size > kMaxMessage) return err::msgsize;
    if (size < kEchoHeader) return err::inval;
    if (request.flags & abi::msg_oob) return err::opnotsupp;
    std::vector<u8> bytes(size);
    TRY(data.take_all(bytes.data(), size));
    auto const sent = send_message(task, bytes, request);
    if (!sent.is_error()) return size;
    data.rewind(size); // nothing of it has been sent
    return sent.error();
}

Result<void> IcmpSocket::send_message(Task& task, std::span<u8> bytes, SendRequest const& request)
{
    if (!is_echo_request(bytes, by_v4()) || bytes[1] != 0) return err::inval;
    InetName const to = TRY(choose_destination(request));
    if (error_) return Errno(take_error());
    if (send_shut_) return err::pipe;
    Way const way = TRY(way_for(to.address));
    PacketNotes notes = TRY(notes_for(to, request.ancillary));
    TRY(bind_for(task, to));
    IpAddress from = notes.source.is_any() ? local.address : notes.source;
    if (from.is_any()) from = space().source_for(to.address);
    set_echo_identifier(bytes, local.port);
    set_checksum(bytes, from, to.address);
    notes.interface = way_in();
    notes.arrived = vfs::current_time(kernel_);
    IcmpMessage const message { from, to.address, notes, bytes };
    if (way == Way::outside) return outside_.send(to, message);
    if (way == Way::inside) net::send_inside(space(), message);
    return {};
}

void IcmpSocket::arrive(NetworkNamespace& space, IcmpMessage const& message)
{
    bool const is_v4 = message.to.is_v4();
    if (!is_echo_reply(message.bytes, is_v4)) return;
    if (!has_right_checksum(message.bytes, message.from, message.to)) return;
    auto [first, last] = space.ping_ports.users().equal_range(echo_identifier(message.bytes));
    for (auto at = first; at != last; ++at) {
        auto& ping = static_cast<IcmpSocket&>(*at->second);
        if (ping.by_v4() != is_v4 || !ping.covers(message.to)) continue;
        if (!ping.hears(message.notes.interface)) continue;
        auto made = ping.make_datagram(message.bytes.size(), { message.from, 0 }, message.notes);
        if (made.is_error()) return; // what finds no room is lost
        std::ranges::copy(message.bytes, made.value().data.get());
        ping.deliver(std::move(made).value());
        return;
    }
}

Result<u64> IcmpSocket::receive(Task& task, IoBuffer& data, ReceiveRequest& request)
{
    if (request.flags & abi::msg_oob) return err::opnotsupp;
    u64 const before = data.remaining();
    u64 const size = TRY(DatagramSocket::receive(task, data, request));
    return std::min(size, before); // Linux tells the whole length of raw ones only
}

} // namespace umbra::net
