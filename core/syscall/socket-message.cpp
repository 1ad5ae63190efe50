// SPDX-License-Identifier: GPL-2.0-or-later
// sendto, sendmsg, sendmmsg, recvfrom, recvmsg, recvmmsg.
#include <algorithm>

#include "core/net/control-message.h"
#include "core/syscall/iovec.h"
#include "core/syscall/socket-argument.h"
#include "core/syscall/wait-options.h"

namespace umbra {

namespace {

/// The retry loop, unless the call itself says not to wait.
template <typename Attempt>
Result<u64> with_waiting(SocketArgument const& socket, u32 flags, u32 events, Attempt attempt)
{
    return flags & abi::msg_dontwait ? attempt() : retry_until_ready(*socket.file, events, attempt);
}

SyscallResult send_message(
    Task& task, SocketArgument const& socket, IoBuffer& data, net::SendRequest& request)
{
    auto result = with_waiting(
        socket, request.flags, abi::pollout, [&] { return socket->send(task, data, request); });
    return i64(TRY(moved_or_error(data, result)));
}

/// A datagram's real length can be more than what was moved (MSG_TRUNC).
SyscallResult receive_message(
    Task& task, SocketArgument const& socket, IoBuffer& data, net::ReceiveRequest& request)
{
    // The queue of errors is never waited for (recv(2), MSG_ERRQUEUE).
    u32 const patience = request.flags & abi::msg_errqueue ? abi::msg_dontwait : request.flags;
    auto result
        = with_waiting(socket, patience, abi::pollin, [&] { return socket->receive(task, data, request); });
    if (result.ok()) return i64(std::max(result.value(), data.transferred()));
    return i64(TRY(moved_or_error(data, result)));
}

/// The iovec of a message; too many pieces are EMSGSIZE here.
Result<IoBuffer> message_buffer(Task& task, abi::MessageHeader const& header)
{
    if (header.vector_length > abi::iov_max) return err::msgsize;
    return import_iovec(task, { GuestAddr(header.vector) }, header.vector_length);
}

Result<i32> address_length(abi::MessageHeader const& header)
{
    if (header.name_length < 0) return err::inval;
    return std::min(header.name_length, i32(abi::sockaddr_max));
}

SyscallResult send_header(
    Task& task, SocketArgument const& socket, abi::MessageHeader const& header, u32 flags)
{
    net::SendRequest request { .flags = flags };
    net::SocketAddress address;
    i32 length = TRY(address_length(header));
    if (header.name != 0 && length > 0) {
        address = TRY(import_address(task, GuestAddr(header.name), length));
        request.to = &address;
    }
    auto data = TRY(message_buffer(task, header));
    if (header.control_length > u64(INT32_MAX)) return err::nobufs;
    if (header.control_length > 0)
        request.ancillary = TRY(net::import_control(task, GuestAddr(header.control), header.control_length));
    return send_message(task, socket, data, request);
}

/// Receives a message and brings `header` up to date (the caller writes it back).
SyscallResult receive_header(Task& task, SocketArgument const& socket, abi::MessageHeader& header, u32 flags)
{
    i32 room = TRY(address_length(header));
    auto data = TRY(message_buffer(task, header));
    net::ReceiveRequest request { .flags = flags };
    i64 count = TRY(receive_message(task, socket, data, request));
    auto control = TRY(net::export_control(task, request.ancillary, socket->wants_credentials(),
        GuestAddr(header.control), header.control_length, flags));
    if (header.name != 0) {
        u64 kept = std::min<u64>(request.from.length, u64(room));
        TRY(copy_to_user(task, GuestAddr(header.name), request.from.bytes, kept));
    }
    header.name_length = i32(request.from.length);
    header.control_length = control.length;
    header.flags = request.result_flags | control.flags | (flags & abi::msg_cmsg_cloexec);
    return count;
}

} // namespace

SyscallResult sys_sendto(
    Task& task, GuestFd fd, GuestAddr buffer, u64 length, u32 flags, GuestAddr address, i32 address_length)
{
    auto socket = TRY(socket_argument(task, fd));
    net::SendRequest request { .flags = flags };
    net::SocketAddress to;
    if (!address.is_null()) {
        to = TRY(import_address(task, address, address_length));
        request.to = &to;
    }
    auto data = IoBuffer::user(task, buffer, std::min<u64>(length, 0x7ffff000));
    return send_message(task, socket, data, request);
}

SyscallResult sys_recvfrom(Task& task, GuestFd fd, GuestAddr buffer, u64 length, u32 flags, GuestAddr address,
    UserInOut<i32> address_length)
{
    auto socket = TRY(socket_argument(task, fd));
    net::ReceiveRequest request { .flags = flags };
    auto data = IoBuffer::user(task, buffer, std::min<u64>(length, 0x7ffff000));
    i64 count = TRY(receive_message(task, socket, data, request));
    if (!address.is_null()) TRY(export_address(task, request.from, address, address_length));
    return count;
}

SyscallResult sys_sendmsg(Task& task, GuestFd fd, UserIn<abi::MessageHeader> message, u32 flags)
{
    auto socket = TRY(socket_argument(task, fd));
    return send_header(task, socket, TRY(message.copy_in(task)), flags);
}

SyscallResult sys_recvmsg(Task& task, GuestFd fd, UserInOut<abi::MessageHeader> message, u32 flags)
{
    auto socket = TRY(socket_argument(task, fd));
    auto header = TRY(message.copy_in(task));
    i64 count = TRY(receive_header(task, socket, header, flags));
    TRY(message.copy_out(task, header));
    return count;
}

SyscallResult sys_sendmmsg(
    Task& task, GuestFd fd, UserInOut<abi::MultiMessageHeader> messages, u32 count, u32 flags)
{
    auto socket = TRY(socket_argument(task, fd));
    count = std::min<u32>(count, abi::iov_max);
    for (u32 i = 0; i < count; i++) {
        UserInOut<abi::MultiMessageHeader> place { messages.address + i * sizeof(abi::MultiMessageHeader) };
        auto send_one = [&]() -> Result<void> {
            auto message = TRY(place.copy_in(task));
            message.length = u32(TRY(send_header(task, socket, message.header, flags)));
            return place.copy_out(task, message);
        };
        // What was sent counts more than what stopped it.
        if (auto sent = send_one(); sent.is_error()) return i > 0 ? SyscallResult(i) : sent.error();
    }
    return count;
}

SyscallResult sys_recvmmsg(Task& task, GuestFd fd, UserInOut<abi::MultiMessageHeader> messages, u32 count,
    u32 flags, UserInOut<abi::Timespec> timeout)
{
    Nanoseconds deadline = kNever;
    if (!timeout.is_null()) deadline = deadline_after(task, TRY(to_nanoseconds(TRY(timeout.copy_in(task)))));
    auto socket = TRY(socket_argument(task, fd));
    u32 received = 0;
    Result<void> result;
    while (received < count) {
        UserInOut<abi::MultiMessageHeader> place { messages.address
            + received * sizeof(abi::MultiMessageHeader) };
        auto receive_one = [&]() -> Result<void> {
            auto message = TRY(place.copy_in(task));
            message.length
                = u32(TRY(receive_header(task, socket, message.header, flags & ~abi::msg_waitforone)));
            return place.copy_out(task, message);
        };
        result = receive_one();
        if (result.is_error()) break;
        received++;
        if (flags & abi::msg_waitforone) flags |= abi::msg_dontwait;
        // The timeout is looked at between messages only, see recvmmsg(2) BUGS.
        if (deadline != kNever && monotonic_now(task) >= deadline) break;
    }
    if (!timeout.is_null()) TRY(timeout.copy_out(task, time_left(task, deadline)));
    if (received > 0) return received;
    if (result.is_error()) return result.error();
    return 0;
}

} // namespace umbra
