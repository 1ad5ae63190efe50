// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/net/inet/datagram-socket.h"

#include "core/abi/inet.h"
#include "core/abi/ioctl.h"
#include "core/kernel.h"
#include "core/net/network-namespace.h"
#include "core/net/unix/endpoint.h"
#include "core/task/task.h"

namespace umbra::net {

DatagramSocket::DatagramSocket(
    NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 type, i32 protocol)
    : InetSocket(space, std::move(path), flags, family, type, protocol)
    , PortUser(family)
    , kernel_(space.kernel)
{
}

DatagramSocket::~DatagramSocket()
{
    while (!queue_.empty())
        drop_first();
}

u32 DatagramSocket::state_number() const { return has_peer() ? abi::tcp_established : abi::tcp_close; }

Result<void> DatagramSocket::shutdown(i32 how)
{
    if (how < abi::shut_rd || how > abi::shut_rdwr) return err::inval;
    receive_shut_ |= how != abi::shut_wr;
    send_shut_ |= how != abi::shut_rd;
    waiters_.wake_all();
    // Linux says so, and yet has done it.
    return has_peer() ? Result<void>() : err::notconn;
}

void DatagramSocket::fail(Errno why)
{
    error_ = why;
    waiters_.wake_all();
}

Result<DatagramSocket::Datagram> DatagramSocket::make_datagram(
    u64 size, InetName const& from, PacketNotes const& notes) const
{
    TRY(hold(size + kOverhead)); // is there room? It counts when it lies in a queue
    let_go(size + kOverhead);
    return Datagram { std::unique_ptr<u8[]>(new u8[size]), size, from, notes };
}

Result<void> DatagramSocket::hold(u64 size) const
{
    if (!Network::has_room(kernel_, size)) return err::nobufs;
    Network::of(kernel_).queued_bytes += size;
    return {};
}

void DatagramSocket::let_go(u64 size) const { Network::of(kernel_).queued_bytes -= size; }

void DatagramSocket::deliver(Datagram datagram)
{
    if (receive_shut_ || queued_ + datagram.size + kOverhead > receive_buffer()) return;
    queued_ += datagram.size + kOverhead;
    Network::of(kernel_).queued_bytes += datagram.size + kOverhead;
    queue_.push_back(std::move(datagram));
    waiters_.wake_all(abi::pollin | abi::pollrdnorm);
}

void DatagramSocket::drop_first()
{
    queued_ -= queue_.front().size + kOverhead;
    Network::of(kernel_).queued_bytes -= queue_.front().size + kOverhead;
    queue_.pop_front();
}

Result<u64> DatagramSocket::receive(Task&, IoBuffer& data, ReceiveRequest& request)
{
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

u32 DatagramSocket::readiness()
{
    u32 ready = abi::pollout | abi::pollwrnorm;
    if (error_) ready |= abi::pollerr;
    if (receive_shut_ && send_shut_) ready |= abi::pollhup;
    if (receive_shut_) ready |= abi::pollrdhup;
    if (receive_shut_ || !queue_.empty()) ready |= abi::pollin | abi::pollrdnorm;
    return ready;
}

i32 DatagramSocket::take_error()
{
    auto error = std::exchange(error_, std::nullopt);
    return error ? i32(*error) : 0;
}

Result<i64> DatagramSocket::ioctl(Task& task, u32 command, u64 argument)
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
