// SPDX-License-Identifier: GPL-2.0-or-later
// Datagrams, mostly of this machine with itself. As anywhere with UDP, what finds no room is lost, and what finds no socket comes
// back to a connected sender as ECONNREFUSED.
#include "core/net/inet/udp-socket.h"

#include "core/abi/inet.h"
#include "core/abi/ioctl.h"
#include "core/kernel.h"
#include "core/net/network-namespace.h"
#include "core/net/unix/endpoint.h"
#include "core/task/task.h"
#include "core/vfs/operations.h"

namespace umbra::net {

namespace {
constexpr u64 kMaxDatagram = 65507; ///< of IPv4: 65,535 bytes less two headers
constexpr u64 kMemoryShare = 8; ///< queues may take an eighth of the memory limit beside it
} // namespace

UdpSocket::UdpSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 protocol)
    : InetSocket(space, std::move(path), flags, family, abi::sock_dgram, protocol)
    , PortUser(family)
    , kernel_(space.kernel)
{
}

UdpSocket::~UdpSocket()
{
    while (!queue_.empty())
        drop_first();
    ports().release(*this);
}

PortTable& UdpSocket::ports() const
{
    return protocol() == abi::ipproto_udplite ? space().udplite_ports : space().udp_ports;
}

u32 UdpSocket::state_number() const { return is_connected() ? abi::tcp_established : abi::tcp_close; }

Result<void> UdpSocket::connect(Task& task, SocketAddress const& address)
{
    if (address.length < sizeof(u16)) return err::inval;
    if (address.family() == abi::af_unspec) {
        remote = { IpAddress::any(PortUser::family), 0 };
        if (outside_) outside_->disconnect();
        return {};
    }
    InetName const to = TRY(destination(address));
    TRY(bind_for(task, to));
    if (!space().reaches(to.address))
        TRY(TRY(outside())->connect(to));
    else if (outside_)
        outside_->disconnect();
    // What it sends comes from there now.
    if (local.address.is_any()) local.address = space().source_for(to.address);
    remote = to;
    return {};
}

Result<void> UdpSocket::shutdown(i32 how)
{
    if (how < abi::shut_rd || how > abi::shut_rdwr) return err::inval;
    if (!is_connected()) return err::notconn;
    receive_shut_ |= how != abi::shut_wr;
    send_shut_ |= how != abi::shut_rd;
    waiters_.wake_all();
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
    if (is_connected() && from != remote) return;
    if (PortUser::family == abi::af_inet && !from.address.is_v4()) return;
    if (Network::of(kernel_).queued_bytes + data.size() + kOverhead
        > kernel_.options().memory_limit / kMemoryShare)
        return;
    Datagram datagram { std::unique_ptr<u8[]>(new u8[data.size()]), data.size(), from, {} };
    if (auto const* way = space().way_to(from.address)) {
        datagram.notes.to = way->source_for(from.address)->address;
        datagram.notes.interface = way->index;
    }
    datagram.notes.arrived = vfs::current_time(kernel_);
    std::ranges::copy(data, datagram.data.get());
    deliver(std::move(datagram));
}

void UdpSocket::failed(Errno why)
{
    error_ = why;
    waiters_.wake_all();
}

/// The socket that fits best: connected to us before bound to the address before bound to any.
UdpSocket* UdpSocket::find_receiver(PortTable const& ports, InetName const& to, InetName const& from)
{
    UdpSocket* best = nullptr;
    int best_score = -1;
    auto [first, last] = ports.users().equal_range(to.port);
    for (auto at = first; at != last; ++at) {
        auto& other = static_cast<UdpSocket&>(*at->second);
        bool const from_peer = other.remote.port == from.port
            && (other.remote.address == from.address || from.address.is_any());
        if (!other.covers(to.address) || (other.is_connected() && !from_peer)) continue;
        int const score = 2 * other.is_connected() + (other.local.address == to.address);
        if (score > best_score) best = &other, best_score = score;
    }
    return best;
}

bool UdpSocket::deliver_from_outside(
    NetworkNamespace const& space, InetName const& to, InetName const& from, std::span<u8 const> data)
{
    UdpSocket* const receiver = find_receiver(space.udp_ports, to, from);
    if (receiver) receiver->arrived(from, data);
    return receiver;
}

void UdpSocket::deliver(Datagram datagram)
{
    if (receive_shut_ || queued_ + datagram.size + kOverhead > receive_buffer()) return;
    queued_ += datagram.size + kOverhead;
    Network::of(kernel_).queued_bytes += datagram.size + kOverhead;
    queue_.push_back(std::move(datagram));
    waiters_.wake_all(abi::pollin | abi::pollrdnorm);
}

void UdpSocket::drop_first()
{
    queued_ -= queue_.front().size + kOverhead;
    Network::of(kernel_).queued_bytes -= queue_.front().size + kOverhead;
    queue_.pop_front();
}

Result<u64> UdpSocket::send(Task& task, IoBuffer& data, SendRequest& request)
{
    if (request.flags & abi::msg_oob) return err::opnotsupp;
    u64 const size = data.remaining();
    if (size > kMaxDatagram) return err::msgsize;
    if (error_) return Errno(take_error());
    if (send_shut_) return err::pipe;
    bool const named = request.to && request.to->length > 0;
    if (!named && !is_connected()) return err::destaddrreq;
    InetName const to = named ? TRY(destination(*request.to)) : remote;
    if (to.port == 0) return err::inval;
    bool const leaves = !space().reaches(to.address);
    if (leaves && !space().way_to(to.address)) return err::netunreach;
    PacketNotes const notes = TRY(notes_for(to, request.ancillary));
    TRY(bind_for(task, to));
    if (Network::of(kernel_).queued_bytes + size + kOverhead > kernel_.options().memory_limit / kMemoryShare)
        return err::nobufs;
    Datagram datagram { std::unique_ptr<u8[]>(new u8[size]), size, local, notes };
    TRY(data.take_all(datagram.data.get(), size));
    if (leaves)
        TRY(TRY(outside())->send(to, { datagram.data.get(), size }));
    else
        send_inside(std::move(datagram), to, named);
    return size;
}

void UdpSocket::send_inside(Datagram datagram, InetName const& to, bool named)
{
    if (!datagram.notes.source.is_any())
        datagram.from.address = datagram.notes.source;
    else if (local.address.is_any())
        datagram.from.address = space().source_for(to.address);
    datagram.notes.interface = space().loopback().index;
    datagram.notes.arrived = vfs::current_time(kernel_);
    if (UdpSocket* receiver = find_receiver(ports(), to, local)) {
        receiver->deliver(std::move(datagram));
    } else if ((is_connected() && !named) || wants_errors()) {
        error_ = err::connrefused;
        waiters_.wake_all();
    }
}

Result<u64> UdpSocket::receive(Task&, IoBuffer& data, ReceiveRequest& request)
{
    if (request.flags & abi::msg_oob) return err::opnotsupp;
    if (request.flags & abi::msg_errqueue) return err::again;
    if (queue_.empty()) {
        if (error_) return Errno(take_error());
        return receive_shut_ ? Result<u64>(0) : err::again;
    }
    // Copying may wait, and another reader must not get the same: out of the queue it goes first.
    Datagram datagram;
    if (request.flags & abi::msg_peek) {
        Datagram const& first = queue_.front();
        datagram = { std::unique_ptr<u8[]>(new u8[first.size]), first.size, first.from, first.notes };
        std::memcpy(datagram.data.get(), first.data.get(), first.size);
    } else {
        Datagram& first = queue_.front();
        datagram = { std::move(first.data), first.size, first.from, first.notes };
        drop_first();
    }
    u64 const wanted = std::min(datagram.size, data.remaining());
    TRY(data.put_all(datagram.data.get(), wanted));
    request.from = socket_address_of(datagram.from, PortUser::family);
    add_messages(datagram.notes, datagram.from.address, request.ancillary);
    if (wanted < datagram.size) request.result_flags |= abi::msg_trunc;
    return request.flags & abi::msg_trunc ? datagram.size : wanted;
}

u32 UdpSocket::readiness()
{
    u32 ready = abi::pollout | abi::pollwrnorm;
    if (error_) ready |= abi::pollerr;
    if (receive_shut_ && send_shut_) ready |= abi::pollhup;
    if (receive_shut_) ready |= abi::pollrdhup;
    if (receive_shut_ || !queue_.empty()) ready |= abi::pollin | abi::pollrdnorm;
    return ready;
}

i32 UdpSocket::take_error()
{
    auto error = std::exchange(error_, std::nullopt);
    return error ? i32(*error) : 0;
}

Result<i64> UdpSocket::ioctl(Task& task, u32 command, u64 argument)
{
    i32 value = 0;
    if (command == abi::siocinq && !queue_.empty())
        value = i32(queue_.front().size);
    else if (command != abi::siocinq && command != abi::siocoutq)
        return InetSocket::ioctl(task, command, argument);
    TRY(UserOut<i32> { GuestAddr(argument) }.copy_out(task, value));
    return 0;
}

} // namespace umbra::net
