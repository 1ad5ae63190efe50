// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's side of netlink: what a request is, and who answers it.
#pragma once

#include <string>

#include "core/net/netlink/netlink-socket.h"
#include "core/net/network-namespace.h"

namespace umbra::net {

/// A request of a guest's, and what comes of it.
struct NetlinkRequest {
    Task& task;
    NetlinkSocket& socket;
    NetlinkMessage const& message;
    bool is_addressed; ///< the call named the kernel
    std::vector<std::vector<u8>> answers {}; ///< a message each
    std::string complaint {}; ///< for people, beside the errno (NETLINK_EXT_ACK)

    NetworkNamespace& space() const { return socket.space(); }
    u16 type() const { return message.header.type; }
    u16 flags() const { return message.header.flags; }
    /// Any bit of NLM_F_DUMP asks for one, where something is asked for: in changes they mean something else.
    bool is_dump() const { return (flags() & abi::nlm_f_dump) && !is_change(); }
    bool is_change() const { return socket.protocol() == abi::netlink_route && (type() & 3) != kRouteGets; }
    /// Whether CAP_NET_ADMIN is there for a change: the caller's, and the opener's, lest a privileged program be made to
    /// write into somebody's socket. Who names the kernel knows what it writes to.
    bool may_change() const;
    bool is_strict() const { return socket.is_on_option(abi::netlink_get_strict_chk); }
    static constexpr u16 kRouteGets = 2; ///< in the low bits of a type of rtnetlink's
    /// The head of an answer.
    abi::NetlinkHeader head(u16 type) const
    {
        u16 const flags = is_dump() ? abi::nlm_f_multi : u16(0);
        return { 0, type, flags, message.header.sequence, socket.port() };
    }
};

/// rtnetlink(7). EOPNOTSUPP, EPERM, EINVAL, ENODEV, ...
Result<void> answer_route(NetlinkRequest& request);
Result<void> answer_addresses(NetlinkRequest& request);
Result<void> answer_routes(NetlinkRequest& request);
/// sock_diag(7). EINVAL, ENOENT, EOPNOTSUPP.
Result<void> answer_sock_diag(NetlinkRequest& request);

/// Addresses as attributes have them: 4 or 16 bytes.
std::vector<u8> netlink_bytes(IpAddress const& address);
std::optional<IpAddress> address_of_netlink(std::span<u8 const> bytes, i32 family);
/// Sets the interface up or down; members of the groups are told.
void change_interface(NetworkNamespace& space, Interface& interface, bool up);
/// After the interface was set up or down, or before and after an address changed: members of the groups are told.
void tell_link(NetworkNamespace& space, Interface const& interface);
void tell_address(
    NetworkNamespace& space, Interface const& interface, InterfaceAddress const& address, u16 type);

} // namespace umbra::net
