// SPDX-License-Identifier: GPL-2.0-or-later
// Datagrams, mostly of this machine with itself. As anywhere with UDP, what finds no room is lost, and what finds no socket comes
// back to a connected sender as ECONNREFUSED.
#include "core/net/inet/udp-socket.h"

#include "core/abi/inet.h"
#include "core/kernel.h"
#include "core/net/capture/capture.h"
#include "core/net/inet/checksum.h"
#include "core/net/inet/ip-input.h"
#include "core/net/network-namespace.h"
#include "core/task/task.h"
#include "core/vfs/operations.h"

namespace umbra::net {

namespace {
constexpr u64 kMaxDatagram = 65507; ///< of IPv4: 65,535 bytes less two headers

/// What a router or the destination would say, after the datagram has gone.
bool is_answer(Errno why) { return why == err::connrefused || why == err::hostunreach; }
} // namespace

UdpSocket::UdpSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 protocol)
    : DatagramSocket(space, std::move(path), flags, family, abi::sock_dgram, protocol)
{
}

UdpSocket::~UdpSocket()
{
    drop_corked();
    ports().release(*this);
}

void UdpSocket::drop_corked()
{
    if (corked_) let_go(corked_->text.size());
    corked_.reset();
}

PortTable& UdpSocket::ports() const
{
    return protocol() == abi::ipproto_udplite ? space().udplite_ports : space().udp_ports;
}

Result<void> UdpSocket::connect(Task& task, SocketAddress const& address)
{
    if (address.length < sizeof(u16)) return err::inval;
    if (address.family() == abi::af_unspec) {
        remote = { IpAddress::any(PortUser::family), 0 };
        if (outside_) outside_->disconnect();
        return {};
    }
    InetName const to = TRY(destination(address));
    TRY(check_broadcast(to.address));
    TRY(bind_for(task, to));
    if (outside_) outside_->disconnect();
    if (to.address.is_multicast() && protocol() == abi::ipproto_udp) {
        local.address = source_for_group(*TRY(way_to_group(to.address)), to.address);
        remote = to;
        return {};
    }
    if (TRY(way_for(to.address)) == Way::outside && !space().is_broadcast(to.address)) {
        auto const connected = TRY(outside())->connect(to);
        if (connected.is_error() && !is_answer(connected.error())) return connected;
    }
    // What it sends comes from there now.
    if (local.address.is_any()) local.address = space().source_for(to.address);
    remote = to;
    return {};
}

Result<OutsideDatagrams*> UdpSocket::outside()
{
    if (protocol() != abi::ipproto_udp) return err::netunreach; // no socket of the host's stands for it
    if (!outside_) outside_ = TRY(space().uplink->open_datagrams(*this, local));
    return outside_.get();
}

void UdpSocket::arrived(InetName const& from, std::span<u8 const> data)
{
    take_from_outside(from, space().source_for(from.address), data);
}

void UdpSocket::take_from_outside(InetName const& from, IpAddress const& to, std::span<u8 const> data)
{
    if (is_connected() && from != remote) return;
    if (PortUser::family == abi::af_inet && !from.address.is_v4()) return;
    auto made = make_datagram(data.size(), from, {});
    if (made.is_error()) return;
    Datagram datagram = std::move(made).value();
    if (auto const* way = space().way_to(from.address)) {
        datagram.notes.to = to;
        datagram.notes.interface = way->index;
    }
    datagram.notes.arrived = vfs::current_time(kernel_);
    if (space().capture) [[unlikely]] {
        space().capture->datagram(from, { to, local.port }, protocol(), datagram.notes, data);
    }
    std::ranges::copy(data, datagram.data.get());
    deliver(std::move(datagram));
}

/// The socket that fits best: connected to us before bound to the address before bound to any.
UdpSocket* UdpSocket::find_receiver(
    PortTable const& ports, InetName const& to, InetName const& from, i32 interface)
{
    UdpSocket* best = nullptr;
    int best_score = -1;
    auto [first, last] = ports.users().equal_range(to.port);
    for (auto at = first; at != last; ++at) {
        auto& other = static_cast<UdpSocket&>(*at->second);
        bool const from_peer = other.remote.port == from.port
            && (other.remote.address == from.address || from.address.is_any());
        if (!other.hears(interface)) continue;
        if (!other.covers(to.address) || (other.is_connected() && !from_peer)) continue;
        int const score = 4 * other.is_connected() + 2 * (other.local.address == to.address)
            + (other.only_interface != 0);
        if (score > best_score) best = &other, best_score = score;
    }
    return best;
}

bool UdpSocket::deliver_from_outside(
    NetworkNamespace const& space, InetName const& to, InetName const& from, std::span<u8 const> data)
{
    i32 const interface = space.interfaces.back().index;
    if (!to.address.is_multicast() && !space.is_broadcast(to.address)) {
        UdpSocket* const receiver = find_receiver(space.udp_ports, to, from, interface);
        if (receiver) receiver->take_from_outside(from, to.address, data);
        return receiver;
    }
    auto [first, last] = space.udp_ports.users().equal_range(to.port);
    for (auto at = first; at != last; ++at) {
        auto& one = static_cast<UdpSocket&>(*at->second);
        if (one.wants_of_many(from, to, interface)) one.take_from_outside(from, to.address, data);
    }
    return true; // of what is for many nobody says that he does not want it
}

bool UdpSocket::take_in(NetworkNamespace const& space, IpPacket const& packet)
{
    constexpr u64 to_port_at = 2, length_at = 4, checksum_at = 6;
    bool const is_lite = packet.protocol == abi::ipproto_udplite; // whose length is a coverage
    auto bytes = packet.payload;
    if (bytes.size() < kUdpHeader) return true;
    u64 const length = is_lite ? bytes.size() : get_word(bytes, length_at);
    if (length < kUdpHeader || length > bytes.size()) return true;
    bytes = bytes.first(length);
    bool const is_checked = get_word(bytes, checksum_at) || is_lite || !packet.to.is_v4();
    // A part that is covered alone (RFC 3828) is not looked at.
    bool const is_whole = !is_lite || !get_word(bytes, length_at) || get_word(bytes, length_at) == length;
    if (is_checked && is_whole && transport_checksum(packet.from, packet.to, packet.protocol, bytes) != 0)
        return true;
    InetName const from { packet.from, get_word(bytes, 0) }, to { packet.to, get_word(bytes, to_port_at) };
    UdpSocket* const receiver = find_receiver(space.ports(packet.protocol), to, from, packet.notes.interface);
    if (!receiver) return false;
    auto made = receiver->make_datagram(length - kUdpHeader, from, packet.notes);
    if (made.is_error()) return true;
    std::ranges::copy(bytes.subspan(kUdpHeader), made.value().data.get());
    receiver->deliver(std::move(made).value());
    return true;
}

Result<UdpSocket::Letter> UdpSocket::address(Task& task, SendRequest const& request)
{
    bool const named = request.to && request.to->length > 0;
    if (!named && !is_connected()) return err::destaddrreq;
    InetName const to = named ? TRY(destination(*request.to)) : remote;
    if (to.port == 0) return err::inval;
    bool const to_group = to.address.is_multicast() && protocol() == abi::ipproto_udp;
    if (to_group) TRY(way_to_group(to.address));
    TRY(check_broadcast(to.address));
    Way const way = to_group ? Way::inside : TRY(way_for(to.address));
    PacketNotes const notes = TRY(notes_for(to, request.ancillary));
    TRY(bind_for(task, to));
    if (way == Way::outside) TRY(outside());
    return Letter { to, named, way, notes };
}

Result<void> UdpSocket::post(Letter const& letter, Datagram datagram)
{
    if (is_for_many(letter.to.address) && protocol() == abi::ipproto_udp)
        return send_to_many(letter, std::move(datagram));
    if (letter.way == Way::inside) send_inside(std::move(datagram), letter.to, letter.named);
    if (letter.way != Way::outside) return {};
    auto const sent = send_outside(datagram, letter.to);
    if (!sent.is_error() || !is_answer(sent.error())) return sent;
    note_answer(sent.error(), letter.named);
    return {};
}

Result<u64> UdpSocket::send(Task& task, IoBuffer& data, SendRequest& request)
{
    if (request.flags & abi::msg_oob) return err::opnotsupp;
    u64 const size = data.remaining();
    if (size + (corked_ ? corked_->text.size() : 0) > kMaxDatagram) {
        drop_corked();
        return err::msgsize;
    }
    if (error_) return Errno(take_error());
    if (send_shut_) return err::pipe;
    bool const more = request.flags & abi::msg_more || option(protocol(), abi::udp_cork);
    if (more || corked_) {
        TRY(cork(task, data, request));
        if (!more) TRY(uncork());
        return size;
    }
    Letter const letter = TRY(address(task, request));
    Datagram datagram = TRY(make_datagram(size, local, letter.notes));
    TRY(data.take_all(datagram.data.get(), size));
    auto const posted = post(letter, std::move(datagram));
    if (!posted.is_error()) return size;
    data.rewind(size); // nothing of it has been sent
    return posted.error();
}

Result<void> UdpSocket::cork(Task& task, IoBuffer& data, SendRequest const& request)
{
    std::optional<Letter> letter;
    if (!corked_) letter = TRY(address(task, request));
    std::vector<u8> piece(data.remaining());
    // May wait: another call may begin one, add to it or end it meanwhile.
    if (auto const taken = data.take_all(piece.data(), piece.size()); taken.is_error()) {
        drop_corked();
        return taken;
    }
    if (!corked_ && !letter) letter = TRY(address(task, request));
    if (!corked_) corked_ = Corked { *letter, {} };
    if (corked_->text.size() + piece.size() > kMaxDatagram) {
        drop_corked();
        return err::msgsize;
    }
    TRY(hold(piece.size()));
    corked_->text.insert(corked_->text.end(), piece.begin(), piece.end());
    return {};
}

Result<void> UdpSocket::uncork()
{
    if (!corked_) return {};
    let_go(corked_->text.size());
    Corked const all = std::move(*corked_);
    corked_.reset();
    Datagram datagram = TRY(make_datagram(all.text.size(), local, all.letter.notes));
    std::ranges::copy(all.text, datagram.data.get());
    return post(all.letter, std::move(datagram));
}

Result<void> UdpSocket::set_option(Task& task, i32 level, i32 name, std::span<u8 const> value)
{
    TRY(DatagramSocket::set_option(task, level, name, value));
    if (level == protocol() && name == abi::udp_cork && !option(level, name)) return uncork();
    return {};
}

Result<void> UdpSocket::send_outside(Datagram const& datagram, InetName const& to)
{
    std::span<u8 const> const data(datagram.data.get(), datagram.size);
    OutsideDatagrams& way = *TRY(outside());
    if (space().capture) [[unlikely]] {
        InetName from = datagram.from;
        if (from.address.is_any() || from.address.is_multicast())
            from.address = space().source_for(to.address);
        space().capture->datagram(from, to, protocol(), datagram.notes, data); // an answer may come at once
    }
    return way.send(to, data);
}

void UdpSocket::send_inside(Datagram datagram, InetName const& to, bool named)
{
    if (!datagram.notes.source.is_any())
        datagram.from.address = datagram.notes.source;
    else if (local.address.is_any() || local.address.is_multicast())
        datagram.from.address = space().source_for(to.address);
    datagram.notes.interface = way_in();
    datagram.notes.arrived = vfs::current_time(kernel_);
    if (space().capture) [[unlikely]]
        space().capture->datagram(
            datagram.from, to, protocol(), datagram.notes, { datagram.data.get(), datagram.size });
    if (UdpSocket* receiver = find_receiver(ports(), to, local, way_in())) {
        receiver->deliver(std::move(datagram));
    } else {
        note_answer(err::connrefused, named);
    }
}

bool UdpSocket::is_for_many(IpAddress const& to) const
{
    return to.is_multicast() || space().is_broadcast(to);
}

Result<void> UdpSocket::check_broadcast(IpAddress const& to) const
{
    bool const may = is_on(abi::so_broadcast) || !space().is_broadcast(to);
    return may ? Result<void>() : err::acces;
}

bool UdpSocket::wants_of_many(InetName const& from, InetName const& to, i32 interface) const
{
    if (!covers(to.address) || !hears(interface) || (is_connected() && remote != from)) return false;
    return !to.address.is_multicast() || hears_group(to.address, interface);
}

Result<void> UdpSocket::send_to_many(Letter const& letter, Datagram datagram)
{
    InetName const& to = letter.to;
    bool const is_group = to.address.is_multicast();
    Interface* const way = is_group ? TRY(way_to_group(to.address)) : space().way_to(to.address);
    if (!way) return err::netunreach;
    i32 const index = way->index;
    bool const by_v4 = to.address.is_v4();
    bool const comes_back = way->is_loopback || !is_group
        || (by_v4 ? option(abi::ipproto_ip, abi::ip_multicast_loop)
                  : option(abi::ipproto_ipv6, abi::ipv6_multicast_loop));
    PacketNotes notes = letter.notes;
    notes.interface = index;
    notes.arrived = vfs::current_time(kernel_);
    IpAddress const own = is_group ? source_for_group(*way, to.address) : space().source_for(to.address);
    InetName const from { notes.source.is_any() ? own : notes.source, local.port };
    std::span<u8 const> const text(datagram.data.get(), datagram.size);
    if (space().capture) [[unlikely]]
        space().capture->datagram(from, to, protocol(), notes, text, index);
    if (comes_back && (!is_group || space().is_member(to.address, index)))
        give_to_many(from, to, notes, text);
    bool const has_neighbours = !way->is_loopback && space().uplink && space().uplink->has_neighbours();
    return has_neighbours ? TRY(outside())->send(to, text) : Result<void>();
}

void UdpSocket::give_to_many(
    InetName const& from, InetName const& to, PacketNotes const& notes, std::span<u8 const> text)
{
    auto [first, last] = ports().users().equal_range(to.port);
    for (auto at = first; at != last; ++at) {
        auto& other = static_cast<UdpSocket&>(*at->second);
        if (!other.wants_of_many(from, to, notes.interface)) continue;
        auto copy = make_datagram(text.size(), from, notes);
        if (copy.is_error()) break; // what finds no room is lost
        std::ranges::copy(text, copy.value().data.get());
        other.deliver(std::move(copy).value());
    }
}

void UdpSocket::note_answer(Errno why, bool named)
{
    if ((is_connected() && !named) || wants_errors()) fail(why);
}

} // namespace umbra::net
