// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/net/inet/ip-socket.h"

#include "core/net/network-namespace.h"

namespace umbra::net {

IpSocket::IpSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 type, i32 protocol)
    : DatagramSocket(space, std::move(path), flags, family, type, protocol)
{
    turn_on(abi::so_reuseaddr); // as Linux has it for both
    v6_only = !by_v4();
}

Result<void> IpSocket::connect(Task& task, SocketAddress const& address)
{
    if (address.length < sizeof(u16)) return err::inval;
    if (address.family() == abi::af_unspec) {
        remote = { IpAddress::any(PortUser::family), 0 };
        has_peer_ = false;
        return {};
    }
    InetName const to = TRY(destination(address));
    TRY(bind_for(task, to));
    if (local.address.is_any()) local.address = space().source_for(to.address);
    remote = to;
    has_peer_ = true;
    return {};
}

Result<InetName> IpSocket::choose_destination(SendRequest const& request)
{
    bool const named = request.to && request.to->length > 0;
    if (!named && !has_peer_) return err::destaddrreq;
    if (!named) return remote;
    InetName const wanted = TRY(inet_name_of(*request.to, PortUser::family));
    if (!by_v4() && wanted.address.is_v4()) return err::inval;
    return destination(*request.to);
}

} // namespace umbra::net
