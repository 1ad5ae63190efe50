// SPDX-License-Identifier: GPL-2.0-or-later
// socket, socketpair, bind, listen, accept, accept4, connect, getsockname, getpeername, shutdown, setsockopt,
// getsockopt. Messages are in socket-message.cpp.
#include <algorithm>
#include <array>

#include "core/abi/inet.h"
#include "core/syscall/socket-argument.h"

namespace umbra {

Result<SocketArgument> socket_argument(Task& task, GuestFd fd)
{
    auto file = TRY(task.files().get(fd));
    net::Socket& socket = *TRY(net::as_socket(*file));
    return SocketArgument { std::move(file), socket };
}

Result<net::SocketAddress> import_address(Task& task, GuestAddr address, i32 length)
{
    net::SocketAddress result;
    if (length < 0 || u32(length) > sizeof result.bytes) return err::inval;
    result.length = u32(length);
    TRY(copy_from_user(task, result.bytes, address, result.length));
    return result;
}

Result<void> export_address(
    Task& task, net::SocketAddress const& value, GuestAddr address, UserInOut<i32> length)
{
    i32 room = TRY(length.copy_in(task));
    if (room < 0) return err::inval;
    TRY(copy_to_user(task, address, value.bytes, std::min(value.length, u32(room))));
    return length.copy_out(task, i32(value.length));
}

namespace {

struct TypeArgument {
    i32 type;
    u32 flags;
};

Result<TypeArgument> split_type(i32 argument)
{
    u32 flags = u32(argument) & ~u32(abi::sock_type_mask);
    if (flags & ~(abi::sock_nonblock | abi::sock_cloexec)) return err::inval;
    return TypeArgument { argument & abi::sock_type_mask, flags };
}

} // namespace

SyscallResult sys_socket(Task& task, i32 family, i32 type_argument, i32 protocol)
{
    auto [type, flags] = TRY(split_type(type_argument));
    auto socket = TRY(net::make_socket(task, family, type, protocol, flags));
    auto fd = TRY(task.files().add(socket, flags & abi::sock_cloexec, task.limit(Resource::nofile)));
    return fd.value;
}

SyscallResult sys_socketpair(Task& task, i32 family, i32 type_argument, i32 protocol, UserOut<i32> out)
{
    auto [type, flags] = TRY(split_type(type_argument));
    FdTable& files = task.files();
    GuestFd first = TRY(files.reserve(task.limit(Resource::nofile)));
    auto second = files.reserve(task.limit(Resource::nofile));
    // The numbers are written before there are sockets: as Linux, whose EFAULT comes first.
    auto make = [&, type = type, flags = flags]() -> Result<net::SocketPair> {
        TRY(out.copy_out_array(task, std::array { first.value, TRY(second).value }));
        return net::make_socket_pair(task, family, type, protocol, flags);
    };
    auto made = make();
    if (made.is_error()) {
        files.release(first);
        if (second.ok()) files.release(second.value());
        return made.error();
    }
    auto pair = made.release_value();
    files.install(first, pair.first, flags & abi::sock_cloexec);
    files.install(second.value(), pair.second, flags & abi::sock_cloexec);
    return 0;
}

SyscallResult sys_bind(Task& task, GuestFd fd, GuestAddr address, i32 length)
{
    auto socket = TRY(socket_argument(task, fd));
    TRY(socket->bind(task, TRY(import_address(task, address, length))));
    return 0;
}

SyscallResult sys_listen(Task& task, GuestFd fd, i32 backlog)
{
    auto socket = TRY(socket_argument(task, fd));
    TRY(socket->listen(task, backlog));
    return 0;
}

SyscallResult sys_connect(Task& task, GuestFd fd, GuestAddr address, i32 length)
{
    auto socket = TRY(socket_argument(task, fd));
    TRY(socket->connect(task, TRY(import_address(task, address, length))));
    return 0;
}

SyscallResult sys_accept4(Task& task, GuestFd fd, GuestAddr address, UserInOut<i32> length, u32 flags)
{
    if (flags & ~(abi::sock_nonblock | abi::sock_cloexec)) return err::inval;
    auto listener = TRY(socket_argument(task, fd));
    // The number first: a connection must not be taken and then lost for want of one.
    GuestFd number = TRY(task.files().reserve(task.limit(Resource::nofile)));
    auto accepted = retry_until_ready(*listener.file, abi::pollin, [&] { return listener->accept(flags); });
    if (accepted.is_error()) {
        task.files().release(number);
        return accepted.error();
    }
    auto socket = accepted.release_value();
    if (!address.is_null()) {
        auto peer = socket->peer_address();
        auto written = peer.is_error() ? Result<void>(err::connaborted)
                                       : export_address(task, peer.value(), address, length);
        if (written.is_error()) {
            task.files().release(number);
            return written.error();
        }
    }
    task.files().install(number, socket, flags & abi::sock_cloexec);
    return number.value;
}

SyscallResult sys_accept(Task& task, GuestFd fd, GuestAddr address, UserInOut<i32> length)
{
    return sys_accept4(task, fd, address, length, 0);
}

SyscallResult sys_getsockname(Task& task, GuestFd fd, GuestAddr address, UserInOut<i32> length)
{
    auto socket = TRY(socket_argument(task, fd));
    TRY(export_address(task, socket->local_address(), address, length));
    return 0;
}

SyscallResult sys_getpeername(Task& task, GuestFd fd, GuestAddr address, UserInOut<i32> length)
{
    auto socket = TRY(socket_argument(task, fd));
    TRY(export_address(task, TRY(socket->peer_address()), address, length));
    return 0;
}

SyscallResult sys_shutdown(Task& task, GuestFd fd, i32 how)
{
    auto socket = TRY(socket_argument(task, fd));
    TRY(socket->shutdown(how));
    return 0;
}

SyscallResult sys_setsockopt(Task& task, GuestFd fd, i32 level, i32 name, GuestAddr value, i32 length)
{
    constexpr i32 longest = 4096; // no option has more
    if (length < 0) return err::inval;
    auto socket = TRY(socket_argument(task, fd));
    auto bytes = TRY(UserIn<u8> { value }.copy_in_array(task, u64(std::min(length, longest))));
    TRY(socket->set_option(task, level, name, bytes));
    return 0;
}

SyscallResult sys_getsockopt(
    Task& task, GuestFd fd, i32 level, i32 name, GuestAddr value, UserInOut<i32> length)
{
    auto socket = TRY(socket_argument(task, fd));
    i32 room = TRY(length.copy_in(task));
    if (room < 0) return err::inval;
    auto bytes = TRY(socket->get_option(task, level, name));
    // Most options are cut to the room there is; the list of groups says how much it needs.
    if (name == abi::so_peergroups && bytes.size() > size_t(room)) {
        TRY(length.copy_out(task, i32(bytes.size())));
        return err::range;
    }
    bool const is_device = level == abi::sol_socket && name == abi::so_bindtodevice;
    if (is_device && !bytes.empty() && size_t(room) < abi::if_name_size) return err::inval;
    i32 given = std::min(room, i32(bytes.size()));
    TRY(copy_to_user(task, value, bytes.data(), u64(given)));
    TRY(length.copy_out(task, given));
    return 0;
}

} // namespace umbra
