// SPDX-License-Identifier: GPL-2.0-or-later
// Making internet sockets, their names, and their options. An option that would change nothing between two sockets of one
// machine (time to live, Nagle's algorithm, keep-alive) is kept and given back; one whose effect is missing is refused.
#include "core/net/inet/inet-socket.h"

#include <algorithm>

#include "core/abi/inet.h"
#include "core/kernel.h"
#include "core/net/direct-sockets.h"
#include "core/net/inet/icmp-socket.h"
#include "core/net/inet/raw-socket.h"
#include "core/net/inet/tcp-socket.h"
#include "core/net/inet/udp-socket.h"
#include "core/net/network-namespace.h"
#include "core/net/option-value.h"
#include "core/task/task.h"

namespace umbra::net {

namespace {

struct OptionRow {
    i32 level, name, initial, least, most;
    i32 protocol = 0; ///< the only one that has it, or 0
};

constexpr i32 kTcp = abi::ipproto_tcp, kMax = INT32_MAX;
constexpr OptionRow kOptions[] = {
    { abi::ipproto_ip, abi::ip_tos, 0, 0, 255 },
    { abi::ipproto_ip, abi::ip_ttl, 64, -1, 255 },
    { abi::ipproto_ip, abi::ip_mtu_discover, 1, 0, 5 },
    { abi::ipproto_ip, abi::ip_recverr, 0, 0, 1 },
    { abi::ipproto_ip, abi::ip_pktinfo, 0, 0, 1 },
    { abi::ipproto_ip, abi::ip_recvttl, 0, 0, 1 },
    { abi::ipproto_ip, abi::ip_recvtos, 0, 0, 1 },
    { abi::ipproto_ip, abi::ip_retopts, 0, 0, 1 },
    { abi::ipproto_ip, abi::ip_freebind, 0, 0, 1 },
    { abi::ipproto_ip, abi::ip_bind_address_no_port, 0, 0, 1 },
    { abi::ipproto_ip, abi::ip_multicast_ttl, 1, -1, 255 },
    { abi::ipproto_ip, abi::ip_multicast_loop, 1, 0, 1 },
    { abi::ipproto_ip, abi::ip_multicast_all, 1, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_unicast_hops, 64, -1, 255 },
    { abi::ipproto_ipv6, abi::ipv6_multicast_hops, 1, -1, 255 },
    { abi::ipproto_ipv6, abi::ipv6_multicast_loop, 1, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_multicast_all, 1, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_mtu_discover, 1, 0, 5 },
    { abi::ipproto_ipv6, abi::ipv6_recverr, 0, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_recvpktinfo, 0, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_recvhoplimit, 0, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_recvtclass, 0, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_2292pktinfo, 0, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_2292hoplimit, 0, 0, 1 },
    // No packet has headers of these kinds, nor is any cut.
    { abi::ipproto_ipv6, abi::ipv6_2292hopopts, 0, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_2292dstopts, 0, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_2292rthdr, 0, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_recvhopopts, 0, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_recvrthdr, 0, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_recvdstopts, 0, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_recvpathmtu, 0, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_dontfrag, 0, 0, 1 },
    { abi::ipproto_ipv6, abi::ipv6_tclass, 0, -1, 255 },
    { abi::ipproto_udp, abi::udp_cork, 0, -kMax, kMax, abi::ipproto_udp },
    { abi::ipproto_udplite, abi::udp_cork, 0, -kMax, kMax, abi::ipproto_udplite },
    { abi::ipproto_udplite, abi::udplite_send_cscov, 0, -kMax, kMax, abi::ipproto_udplite },
    { abi::ipproto_udplite, abi::udplite_recv_cscov, 0, -kMax, kMax, abi::ipproto_udplite },
    { kTcp, abi::tcp_nodelay, 0, -kMax, kMax, kTcp },
    { kTcp, abi::tcp_cork, 0, -kMax, kMax, kTcp },
    { kTcp, abi::tcp_keepidle, 7200, 1, 32767, kTcp },
    { kTcp, abi::tcp_keepintvl, 75, 1, 32767, kTcp },
    { kTcp, abi::tcp_keepcnt, 9, 1, 127, kTcp },
    { kTcp, abi::tcp_syncnt, 6, 1, 127, kTcp },
    { kTcp, abi::tcp_linger2, 60, -kMax, kMax, kTcp },
    { kTcp, abi::tcp_defer_accept, 0, 0, kMax, kTcp },
    { kTcp, abi::tcp_quickack, 1, -kMax, kMax, kTcp },
    { kTcp, abi::tcp_user_timeout, 0, 0, kMax, kTcp },
    { kTcp, abi::tcp_notsent_lowat, 0, -kMax, kMax, kTcp },
};

/// Those that are only on or off, whatever the number.
bool is_switch(OptionRow const& row)
{
    bool const is_strict = row.level == abi::ipproto_ip && row.name == abi::ip_multicast_all;
    return row.least == 0 && row.most == 1 && !is_strict;
}
bool is_normalized(OptionRow const& row)
{
    if (row.level == abi::ipproto_udp || row.level == abi::ipproto_udplite) return row.name == abi::udp_cork;
    return row.level == kTcp && row.least == -kMax && row.name <= abi::tcp_cork;
}

/// udplite(7): bytes that the checksum is of, the header's 8 at least, or 0 for all.
i32 coverage_of(i32 wanted)
{
    constexpr i32 header = 8;
    return wanted ? std::clamp(wanted, header, i32(UINT16_MAX)) : 0;
}

OptionRow const* find_option(i32 level, i32 name, i32 protocol, i32 family)
{
    if (level == abi::ipproto_ipv6 && family != abi::af_inet6) return nullptr;
    for (OptionRow const& row : kOptions)
        if (row.level == level && row.name == name && (!row.protocol || row.protocol == protocol))
            return &row;
    return nullptr;
}

bool is_known_level(i32 level, i32 protocol, i32 family)
{
    return level == abi::ipproto_ip || level == protocol
        || (level == abi::ipproto_ipv6 && family == abi::af_inet6);
}

/// An int; IPPROTO_IP takes a single byte as well (ip(7)).
Result<i32> integer_of(std::span<u8 const> value, i32 level)
{
    i32 integer = 0;
    if (value.size() >= sizeof integer)
        std::memcpy(&integer, value.data(), sizeof integer);
    else if (level == abi::ipproto_ip && !value.empty())
        integer = value[0];
    else
        return err::inval;
    return integer;
}

} // namespace

InetSocket::InetSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 type, i32 protocol)
    : Socket(space, std::move(path), flags, family, type, protocol)
    , memberships_(space)
{
}

void InetSocket::copy_reuse_options()
{
    user().reuse_address = is_on(abi::so_reuseaddr);
    user().reuse_port = is_on(abi::so_reuseport);
    user().only_interface = bound_interface();
}

Result<void> InetSocket::bind(Task& task, SocketAddress const& address)
{
    InetName const name = TRY(inet_name_to_bind(address, family()));
    bool const is_group = name.address.is_multicast() && type() != abi::sock_stream;
    if (!is_group && !space().has(name.address)) return err::addrnotavail;
    if (name.port && name.port < space().settings.first_unprivileged_port
        && !rules(task, space(), Capability::net_bind_service))
        return err::acces;
    if (user().is_bound()) return err::inval;
    copy_reuse_options();
    user().uid = task.credentials().euid;
    return ports().bind(space(), user(), name);
}

Result<void> InetSocket::bind_for(Task& task, InetName const& to)
{
    if (user().is_bound()) return {};
    InetName name { user().local.address, 0 };
    // A connection has an address of its own; 127.0.0.1 speaks for the whole of 127/8.
    if (type() == abi::sock_stream && !to.address.is_any()) name.address = space().source_for(to.address);
    copy_reuse_options();
    user().uid = task.credentials().euid;
    return ports().bind(space(), user(), name);
}

Result<InetName> InetSocket::destination(SocketAddress const& address)
{
    InetName name = TRY(inet_name_of(address, family()));
    if (user().v6_only && name.address.is_v4()) return err::netunreach;
    if (name.address.is_multicast() && protocol() == abi::ipproto_udp) {
        TRY(way_to_group(name.address));
        return name;
    }
    if (auto const way = way_for(name.address); way.is_error()) {
        // Of IPv6 Linux says that there is no address to send from.
        bool const is_own = name.address.is_any() || name.address.is_loopback();
        bool const is_missing = way.error() == err::netunreach && is_own && !name.address.is_v4();
        return is_missing ? err::addrnotavail : way.error();
    }
    if (name.address.is_any()) name.address = IpAddress::loopback(name.address.is_v4());
    return name;
}

i32 InetSocket::option(i32 level, i32 name) const
{
    auto const found = options_.find({ level, name });
    if (found != options_.end()) return found->second;
    OptionRow const* const row = find_option(level, name, protocol(), family());
    return row ? row->initial : 0;
}

bool InetSocket::wants_errors() const
{
    return family() == abi::af_inet ? option(abi::ipproto_ip, abi::ip_recverr)
                                    : option(abi::ipproto_ipv6, abi::ipv6_recverr);
}

void InetSocket::take_over_options(InetSocket const& listener)
{
    options_ = listener.options_;
    take_over_simple_options(listener);
}

SocketAddress InetSocket::local_address() { return socket_address_of(user().local, family()); }

Result<SocketAddress> InetSocket::peer_address()
{
    if (!user().is_connected()) return err::notconn;
    return socket_address_of(user().remote, family());
}

Result<void> InetSocket::set_option(Task& task, i32 level, i32 name, std::span<u8 const> value)
{
    if (level == abi::sol_socket) {
        TRY(Socket::set_option(task, level, name, value));
        copy_reuse_options();
        return {};
    }
    if (!is_known_level(level, protocol(), family())) return err::noprotoopt;
    if (level == abi::ipproto_ipv6 && family() == abi::af_inet6 && name == abi::ipv6_v6only) {
        i32 const wanted = TRY(integer_of(value, level));
        if (user().is_bound()) return err::inval;
        user().v6_only = wanted;
        return {};
    }
    if (is_group_option(level, name)) return set_group_option(level, name, value);
    OptionRow const* row = find_option(level, name, protocol(), family());
    if (!row) return err::noprotoopt;
    i32 wanted = TRY(integer_of(value, level));
    if (is_switch(*row) || is_normalized(*row)) wanted = wanted != 0;
    if (row->level == abi::ipproto_udplite && !is_normalized(*row)) wanted = coverage_of(wanted);
    if (wanted < row->least || wanted > row->most) return err::inval;
    if (wanted == -1 && row->least == -1) wanted = row->initial;
    options_[{ level, name }] = wanted;
    return {};
}

Result<std::vector<u8>> InetSocket::get_option(Task& task, i32 level, i32 name)
{
    if (level == abi::sol_socket) return Socket::get_option(task, level, name);
    if (!is_known_level(level, protocol(), family())) return err::opnotsupp;
    if (level == abi::ipproto_ipv6 && family() == abi::af_inet6 && name == abi::ipv6_v6only)
        return bytes_of(i32(user().v6_only));
    if (is_group_option(level, name)) return get_group_option(level, name);
    OptionRow const* row = find_option(level, name, protocol(), family());
    if (!row) return err::noprotoopt;
    return bytes_of(option(level, name));
}

namespace {

/// net.ipv4.ping_group_range, which serves both families.
bool may_ping(Credentials const& who, NetworkSettings const& settings)
{
    auto const is_in
        = [&](u32 gid) { return gid >= settings.first_ping_group && gid <= settings.last_ping_group; };
    return is_in(who.egid) || std::ranges::any_of(who.groups, is_in);
}

Result<i32> check_protocol(Task& task, i32 type, i32 protocol, i32 family)
{
    bool const echo = protocol == (family == abi::af_inet ? abi::ipproto_icmp : abi::ipproto_icmpv6);
    NetworkNamespace const& space = network_namespace(task);
    switch (type) {
    case abi::sock_stream:
        if (protocol && protocol != abi::ipproto_tcp) return err::protonosupport;
        return abi::ipproto_tcp;
    case abi::sock_dgram:
        if (echo) return may_ping(task.credentials(), space.settings) ? Result<i32>(protocol) : err::acces;
        if (protocol && protocol != abi::ipproto_udp && protocol != abi::ipproto_udplite)
            return err::protonosupport;
        return protocol ? protocol : abi::ipproto_udp;
    case abi::sock_raw:
        if (!protocol) return err::protonosupport;
        if (!rules(task, space, Capability::net_raw)) return err::perm;
        return protocol;
    default:
        return err::socktnosupport;
    }
}

} // namespace

Result<Ref<Socket>> make_inet_socket(Task& task, i32 family, i32 type, i32 protocol, u32 flags)
{
    if (protocol < 0 || protocol > 262) return err::inval;
    protocol = TRY(check_protocol(task, type, protocol, family));
    NetworkNamespace& space = network_namespace(task);
    auto path = make_socket_path(task.kernel());
    if (space.direct) return space.direct->make(space, std::move(path), flags, family, type, protocol);
    if (type == abi::sock_raw)
        return Ref<Socket>(make_ref<RawSocket>(space, std::move(path), flags, family, protocol));
    if (protocol == abi::ipproto_tcp)
        return Ref<Socket>(make_ref<TcpSocket>(std::move(path), flags, make_ref<TcpEnd>(space, family)));
    if (protocol == abi::ipproto_icmp || protocol == abi::ipproto_icmpv6)
        return Ref<Socket>(make_ref<IcmpSocket>(space, std::move(path), flags, family, protocol));
    return Ref<Socket>(make_ref<UdpSocket>(space, std::move(path), flags, family, protocol));
}

} // namespace umbra::net
