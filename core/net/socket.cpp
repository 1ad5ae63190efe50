// SPDX-License-Identifier: GPL-2.0-or-later
// What is common to all sockets: being a file, the defaults, making them. The options are in
// socket-options.cpp.
#include "core/net/socket.h"

#include "core/abi/inet.h"
#include "core/kernel.h"
#include "core/net/inet/inet-socket.h"
#include "core/net/netlink/netlink-socket.h"
#include "core/net/network-namespace.h"
#include "core/net/packet/packet-socket.h"
#include "core/net/unix/unix-socket.h"
#include "core/task/credentials.h"
#include "core/task/namespaces.h"
#include "core/task/task.h"

namespace umbra::net {

Socket::Socket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 type, i32 protocol)
    : File(std::move(path), (flags & abi::o_nonblock) | abi::o_rdwr)
    , space_(space)
    , family_(family)
    , type_(type)
    , protocol_(protocol)
{
}

Socket::~Socket() = default;

Result<i64> Socket::ioctl(Task& task, u32 command, u64 argument)
{
    if (command == abi::siocgskns) {
        if (!rules(task, space(), Capability::net_admin)) return err::perm;
        return TRY(open_namespace(task, Ref<vfs::Namespace>(space()))).value;
    }
    auto done = interface_ioctl(task, space(), command, argument);
    if (done.is_error() && done.error() == err::notty) return File::ioctl(task, command, argument);
    return done;
}

Result<void> Socket::listen(Task&, i32) { return err::opnotsupp; }
Result<Ref<Socket>> Socket::accept(u32) { return err::opnotsupp; }

Result<u64> Socket::read(IoBuffer& buffer, u64)
{
    ReceiveRequest request;
    u64 count = TRY(receive(current(), buffer, request));
    return std::min(count, buffer.transferred());
}

Result<u64> Socket::write(IoBuffer& buffer, u64)
{
    SendRequest request;
    return send(current(), buffer, request);
}

Nanoseconds Socket::wait_limit(u32 events) const
{
    return events & abi::pollout ? send_timeout_ : receive_timeout_;
}

vfs::Path make_socket_path(Kernel& kernel)
{
    u64 number = kernel.next_unique();
    return vfs::make_owned_anonymous_path(
        kernel, "socket:[" + std::to_string(number) + "]", abi::s_ifsock | 0777, number);
}

Result<Socket*> as_socket(vfs::File& file)
{
    auto* socket = dynamic_cast<Socket*>(&file);
    if (!socket) return err::notsock;
    return socket;
}

namespace {

Result<void> check_family(i32 family, i32 type)
{
    if (type < 0 || type >= abi::sock_type_max) return err::inval;
    bool const known = family == abi::af_unix || family == abi::af_inet || family == abi::af_inet6
        || family == abi::af_netlink || family == abi::af_packet;
    return known ? Result<void>() : err::afnosupport;
}

} // namespace

Result<Ref<Socket>> make_socket(Task& task, i32 family, i32 type, i32 protocol, u32 flags)
{
    TRY(check_family(family, type));
    if (family == abi::af_netlink) return make_netlink_socket(task, type, protocol, flags);
    if (family == abi::af_packet) return make_packet_socket(task, type, protocol, flags);
    if (family != abi::af_unix) return make_inet_socket(task, family, type, protocol, flags);
    return make_unix_socket(task, type, protocol, flags);
}

Result<SocketPair> make_socket_pair(Task& task, i32 family, i32 type, i32 protocol, u32 flags)
{
    TRY(check_family(family, type));
    if (family != abi::af_unix) {
        // As Linux, which makes two sockets before it sees that they cannot be joined.
        TRY(make_socket(task, family, type, protocol, flags));
        return err::opnotsupp;
    }
    return make_unix_socket_pair(task, type, protocol, flags);
}

} // namespace umbra::net
