// SPDX-License-Identifier: GPL-2.0-or-later
// What internet sockets share: names, and the options of ip(7), ipv6(7).
#pragma once

#include <map>

#include "core/abi/file.h"
#include "core/net/inet/multicast.h"
#include "core/net/inet/port-table.h"
#include "core/net/network-namespace.h"

namespace umbra::net {

/// What a datagram has beside its bytes (ip(7), ipv6(7)).
struct PacketNotes {
    IpAddress source {}; ///< of one to be sent: what it was bound or told to come from, or unspecified
    IpAddress to {};
    i32 interface = 0; ///< where it came in
    u8 hop_limit = 64, traffic_class = 0;
    abi::Timespec arrived {}; ///< by the wall clock
};

class InetSocket : public Socket {
public:
    InetSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 type, i32 protocol);

    Result<void> bind(Task& task, SocketAddress const& address) override;
    SocketAddress local_address() override;
    Result<SocketAddress> peer_address() override;
    Result<void> set_option(Task& task, i32 level, i32 name, std::span<u8 const> value) override;
    Result<std::vector<u8>> get_option(Task& task, i32 level, i32 name) override;

protected:
    virtual PortUser& user() = 0;
    virtual PortTable& ports() const = 0;
    /// A name to send or connect to, with the machine itself for "any". EAFNOSUPPORT, EADDRNOTAVAIL, EINVAL, ENETUNREACH.
    Result<InetName> destination(SocketAddress const& address);
    /// Where something sent to the address goes, as far as the socket is bound to an interface. ENODEV, ENETUNREACH.
    Result<Way> way_for(IpAddress const& to) const { return space().find_way(to, bound_interface()); }
    /// Where it comes in, if that is here.
    i32 way_in() const { return bound_interface() ? bound_interface() : kLoopbackIndex; }
    /// Gives a socket without a name one that fits the destination. EADDRINUSE, EADDRNOTAVAIL.
    Result<void> bind_for(Task& task, InetName const& to);
    /// One of those that are kept as a number: as it was set, or its default.
    i32 option(i32 level, i32 name) const;
    // Groups, multicast.cpp
    /// By which interface something is sent to one. ENODEV, ENETUNREACH.
    Result<Interface*> way_to_group(IpAddress const& group) const;
    /// Where it comes from then.
    IpAddress source_for_group(Interface const& by, IpAddress const& group);
    /// Whether it wants what comes in there for the group (IP_MULTICAST_ALL).
    bool hears_group(IpAddress const& group, i32 interface) const;
    /// How a datagram goes out: what the options and the messages with it say. EINVAL, ENODEV, EADDRNOTAVAIL.
    Result<PacketNotes> notes_for(InetName const& to, Ancillary const& ancillary) const;
    /// The messages that the options ask for about a datagram that has come from `from`.
    void add_messages(PacketNotes const& notes, IpAddress const& from, Ancillary& out) const;
    /// IP_RECVERR or IPV6_RECVERR.
    bool wants_errors() const;
    void take_over_options(InetSocket const& listener);
    void copy_reuse_options();

private:
    bool is_group_option(i32 level, i32 name) const;
    Result<void> set_group_option(i32 level, i32 name, std::span<u8 const> value);
    Result<std::vector<u8>> get_group_option(i32 level, i32 name) const;
    /// EINVAL, ENODEV, EADDRINUSE, EADDRNOTAVAIL, ENOBUFS, EPROTO.
    Result<void> change_membership(i32 level, i32 name, std::span<u8 const> value);
    Result<void> choose_group_interface(std::span<u8 const> value);
    Result<void> choose_group_interface6(std::span<u8 const> value);

    Memberships memberships_;
    i32 group_interface_ = 0, group_interface6_ = 0; ///< IP_MULTICAST_IF, IPV6_MULTICAST_IF; 0: by the routes
    IpAddress group_source_ = IpAddress::any(abi::af_inet); ///< the address that was given for the former
    std::map<std::pair<i32, i32>, i32> options_; ///< by level and name, where they differ from the default
};

/// AF_INET and AF_INET6: TCP, UDP, UDP-Lite, ICMP, and raw ones of any protocol. EPROTONOSUPPORT, ESOCKTNOSUPPORT, EPERM, EACCES.
Result<Ref<Socket>> make_inet_socket(Task& task, i32 family, i32 type, i32 protocol, u32 flags);
/// The lines of /proc/net/{tcp,udp,udplite,icmp,raw} and those of IPv6 below the header.
std::string describe_ports(NetworkNamespace const& space, i32 family, i32 protocol);
/// netdevice(7). EADDRNOTAVAIL, ENODEV, EPERM; ENOTTY for other commands.
Result<i64> interface_ioctl(Task& task, NetworkNamespace& space, u32 command, u64 argument);

} // namespace umbra::net
