// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for netlink (netlink(7), rtnetlink(7), sock_diag(7)): addresses, message heads, and what stands at the
// beginning of each kind of message. Attributes follow, each at a multiple of 4.
#pragma once

#include <cstddef>

#include "core/base/types.h"

namespace umbra::abi {

constexpr i32 netlink_route = 0, netlink_usersock = 2, netlink_sock_diag = 4, netlink_kobject_uevent = 15;
constexpr i32 netlink_protocols = 32;

/// struct sockaddr_nl
struct SockaddrNetlink {
    u16 family;
    u16 pad;
    u32 port;
    u32 groups;
};
static_assert(sizeof(SockaddrNetlink) == 12);

/// struct nlmsghdr
struct NetlinkHeader {
    u32 length; ///< with this head
    u16 type, flags;
    u32 sequence, port;
};
static_assert(sizeof(NetlinkHeader) == 16);

/// struct nlattr
struct NetlinkAttribute {
    u16 length; ///< with this head
    u16 type;
};
static_assert(sizeof(NetlinkAttribute) == 4);
constexpr u64 netlink_align(u64 length) { return (length + 3) & ~u64 { 3 }; }
constexpr u16 nla_nested = 0x8000, nla_type_mask = 0x3fff;

constexpr u16 nlmsg_error = 2, nlmsg_done = 3, nlmsg_min_type = 16;
constexpr u16 nlm_f_request = 1, nlm_f_multi = 2, nlm_f_ack = 4, nlm_f_dump = 0x300, nlm_f_replace = 0x100,
              nlm_f_excl = 0x200, nlm_f_create = 0x400, nlm_f_capped = 0x100, nlm_f_ack_tlvs = 0x200;
constexpr u16 nlmsgerr_attr_msg = 1;

constexpr i32 sol_netlink = 270;
constexpr i32 netlink_add_membership = 1, netlink_drop_membership = 2, netlink_pktinfo = 3,
              netlink_broadcast_error = 4, netlink_no_enobufs = 5, netlink_list_memberships = 9,
              netlink_cap_ack = 10, netlink_ext_ack = 11, netlink_get_strict_chk = 12;

// NETLINK_ROUTE
constexpr u16 rtm_newlink = 16, rtm_dellink = 17, rtm_getlink = 18, rtm_setlink = 19, rtm_newaddr = 20,
              rtm_deladdr = 21, rtm_getaddr = 22, rtm_newroute = 24, rtm_getroute = 26, rtm_getneigh = 30,
              rtm_newrule = 32, rtm_getrule = 34, rtm_newnsid = 88, rtm_getnsid = 90, rtm_max = 123;
constexpr u32 rtnlgrp_link = 1, rtnlgrp_ipv4_ifaddr = 5, rtnlgrp_ipv6_ifaddr = 9, rtnlgrp_max = 36;

/// struct ifinfomsg
struct LinkMessage {
    u8 family, pad;
    u16 type;
    i32 index;
    u32 flags, change;
};
static_assert(sizeof(LinkMessage) == 16);
constexpr u16 ifla_address = 1, ifla_broadcast = 2, ifla_ifname = 3, ifla_mtu = 4, ifla_qdisc = 6,
              ifla_txqlen = 13, ifla_map = 14, ifla_operstate = 16, ifla_linkmode = 17, ifla_linkinfo = 18,
              ifla_net_ns_pid = 19, ifla_stats64 = 23, ifla_group = 27, ifla_net_ns_fd = 28,
              ifla_ext_mask = 29, ifla_promiscuity = 30, ifla_num_tx_queues = 31, ifla_num_rx_queues = 32,
              ifla_carrier = 33, ifla_carrier_changes = 35, ifla_gso_max_segs = 40, ifla_gso_max_size = 41,
              ifla_min_mtu = 50, ifla_max_mtu = 51;
constexpr u32 iff_lower_up = 0x10000;

/// struct ifaddrmsg
struct AddressMessage {
    u8 family, prefix, flags, scope;
    u32 index;
};
static_assert(sizeof(AddressMessage) == 8);
constexpr u16 ifa_address = 1, ifa_local = 2, ifa_label = 3, ifa_broadcast = 4, ifa_cacheinfo = 6,
              ifa_flags = 8;
constexpr u32 ifa_f_permanent = 0x80;

/// struct ifa_cacheinfo
struct AddressLifetime {
    u32 preferred, valid; ///< seconds; all ones: for ever
    u32 created, updated;
};
static_assert(sizeof(AddressLifetime) == 16);

/// struct rtmsg
struct RouteMessage {
    u8 family, to_length, from_length, tos;
    u8 table, protocol, scope, type;
    u32 flags;
};
static_assert(sizeof(RouteMessage) == 12);
constexpr u16 rta_dst = 1, rta_oif = 4, rta_gateway = 5, rta_priority = 6, rta_prefsrc = 7, rta_table = 15,
              rta_pref = 20, rta_uid = 25;
constexpr u8 rt_table_default = 253, rt_table_main = 254, rt_table_local = 255, rtn_unicast = 1,
             rtn_local = 2, rtn_broadcast = 3, rtprot_kernel = 2, rtprot_boot = 3, rt_scope_universe = 0,
             rt_scope_link = 253, rt_scope_host = 254;
constexpr u32 rtm_f_cloned = 0x200, rtcf_local = 0x80000000;

/// struct fib_rule_hdr
struct RuleMessage {
    u8 family, to_length, from_length, tos;
    u8 table, reserved1, reserved2, action;
    u32 flags;
};
static_assert(sizeof(RuleMessage) == 12);
constexpr u16 fra_priority = 6, fra_suppress_prefixlen = 14, fra_table = 15, fra_protocol = 21;

// NETLINK_SOCK_DIAG
constexpr u16 sock_diag_by_family = 20;

/// struct inet_diag_sockid; ports and addresses in network byte order
struct InetDiagId {
    u8 source_port[2], peer_port[2];
    u8 source[16], peer[16];
    u32 interface;
    u32 cookie[2];
};
static_assert(sizeof(InetDiagId) == 48);

/// struct inet_diag_req_v2
struct InetDiagRequest {
    u8 family, protocol, extensions, pad;
    u32 states; ///< by number
    InetDiagId id;
};
static_assert(sizeof(InetDiagRequest) == 56);
constexpr u16 inet_diag_req_bytecode = 1;

/// struct inet_diag_msg
struct InetDiagMessage {
    u8 family, state, timer, retransmits;
    InetDiagId id;
    u32 expires, receive_queue, send_queue, uid, inode;
};
static_assert(sizeof(InetDiagMessage) == 72);
constexpr u16 inet_diag_skv6only = 11;

/// struct unix_diag_req
struct UnixDiagRequest {
    u8 family, protocol;
    u16 pad;
    u32 states, inode, show;
    u32 cookie[2];
};
static_assert(sizeof(UnixDiagRequest) == 24);
constexpr u32 udiag_show_name = 1, udiag_show_peer = 4, udiag_show_rqlen = 0x10;

/// struct unix_diag_msg
struct UnixDiagMessage {
    u8 family, type, state, pad;
    u32 inode;
    u32 cookie[2];
};
static_assert(sizeof(UnixDiagMessage) == 16);
constexpr u16 unix_diag_name = 0, unix_diag_peer = 2, unix_diag_rqlen = 4, unix_diag_shutdown = 6;

} // namespace umbra::abi
