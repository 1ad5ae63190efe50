// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for internet sockets (ip(7), ipv6(7), tcp(7), udp(7), netdevice(7)). Addresses and ports are in network
// byte order wherever they are bytes.
#pragma once

#include <cstddef>

#include "core/base/types.h"

namespace umbra::abi {

constexpr i32 ipproto_ip = 0, ipproto_icmp = 1, ipproto_tcp = 6, ipproto_udp = 17, ipproto_ipv6 = 41,
              ipproto_icmpv6 = 58, ipproto_udplite = 136, ipproto_raw = 255;

/// struct sockaddr_in
struct SockaddrIn {
    u16 family;
    u8 port[2];
    u8 address[4];
    u8 zero[8];
};
static_assert(sizeof(SockaddrIn) == 16);

/// struct sockaddr_in6; Linux takes addresses without the scope as well.
struct SockaddrIn6 {
    u16 family;
    u8 port[2];
    u32 flow_info;
    u8 address[16];
    u32 scope_id;
};
static_assert(sizeof(SockaddrIn6) == 28);
constexpr u32 sockaddr_in6_short = 24;

// IPPROTO_IP
constexpr i32 ip_tos = 1, ip_ttl = 2, ip_hdrincl = 3, ip_retopts = 7, ip_pktinfo = 8, ip_mtu_discover = 10,
              ip_recverr = 11, ip_recvttl = 12, ip_recvtos = 13, ip_mtu = 14, ip_freebind = 15,
              ip_bind_address_no_port = 24, ip_multicast_if = 32, ip_multicast_ttl = 33,
              ip_multicast_loop = 34, ip_add_membership = 35, ip_drop_membership = 36, ip_multicast_all = 49;
// Of both levels
constexpr i32 mcast_join_group = 42, mcast_leave_group = 45;
// IPPROTO_IPV6
// The first form of the interface (RFC 2292); the options and the messages have the same numbers.
constexpr i32 ipv6_2292pktinfo = 2, ipv6_2292hopopts = 3, ipv6_2292dstopts = 4, ipv6_2292rthdr = 5,
              ipv6_2292hoplimit = 8;
constexpr i32 ipv6_unicast_hops = 16, ipv6_multicast_if = 17, ipv6_join_group = 20, ipv6_leave_group = 21,
              ipv6_multicast_all = 29, ipv6_multicast_hops = 18, ipv6_multicast_loop = 19,
              ipv6_mtu_discover = 23, ipv6_recverr = 25, ipv6_v6only = 26, ipv6_recvpktinfo = 49,
              ipv6_pktinfo = 50, ipv6_recvhoplimit = 51, ipv6_hoplimit = 52, ipv6_recvhopopts = 53,
              ipv6_recvrthdr = 56, ipv6_recvdstopts = 58, ipv6_recvpathmtu = 60, ipv6_dontfrag = 62,
              ipv6_recvtclass = 66, ipv6_tclass = 67;
/// struct in_pktinfo
struct PacketInfo {
    i32 interface;
    u8 source[4]; ///< of an answer, or of what is to be sent
    u8 to[4];
};
static_assert(sizeof(PacketInfo) == 12);
/// struct in6_pktinfo
struct PacketInfo6 {
    u8 address[16]; ///< where it went to, or where it is to come from
    i32 interface;
};
static_assert(sizeof(PacketInfo6) == 20);
/// struct ip_mreqn, of which struct ip_mreq is the first two.
struct GroupRequest4 {
    u8 group[4];
    u8 address[4]; ///< of the interface
    i32 interface;
};
constexpr size_t ip_mreq_size = 8;
static_assert(sizeof(GroupRequest4) == 12);
/// struct ipv6_mreq
struct GroupRequest6 {
    u8 group[16];
    i32 interface;
};
static_assert(sizeof(GroupRequest6) == 20);
/// struct group_req as far as anything is read; its name has room for all families.
struct GroupRequest {
    i32 interface;
    u32 unused;
    u16 family;
    u16 port;
    u8 v4[4]; ///< or the flow of IPv6
    u8 v6[16];
};
constexpr size_t group_req_size = 136;
static_assert(offsetof(GroupRequest, family) == 8 && offsetof(GroupRequest, v6) == 16);
// IPPROTO_UDPLITE
constexpr i32 udp_cork = 1; ///< of UDP-Lite, too
constexpr i32 udplite_send_cscov = 10, udplite_recv_cscov = 11;
// IPPROTO_TCP
constexpr i32 tcp_nodelay = 1, tcp_maxseg = 2, tcp_info = 11, tcp_congestion = 13, tcp_cork = 3,
              tcp_keepidle = 4, tcp_keepintvl = 5, tcp_keepcnt = 6, tcp_syncnt = 7, tcp_linger2 = 8,
              tcp_defer_accept = 9, tcp_quickack = 12, tcp_user_timeout = 18, tcp_notsent_lowat = 25;

/// struct tcp_info: as far as it says something of a connection that is no packets; zeros stand between.
struct TcpInfo {
    u8 state, pad0[7];
    u32 retransmit_timeout, delayed_ack; ///< microseconds
    u32 send_segment, receive_segment; ///< bytes
    u32 unacknowledged,
        selectively; ///< segments; of a listener: connections that wait, and the most that may
    u32 pad1[7];
    u32 path_mtu, receive_threshold, round_trip, round_trip_variance, send_threshold, congestion_window,
        advertised_segment;
    u32 pad2[4];
    u64 pacing_rate, max_pacing_rate;
    u64 bytes_acknowledged, bytes_received;
    u32 segments_out, segments_in, bytes_not_sent, pad3[3];
    u64 pad4[5];
    u64 bytes_sent, bytes_sent_again;
    u32 pad5[6];
};
static_assert(offsetof(TcpInfo, path_mtu) == 60 && offsetof(TcpInfo, bytes_acknowledged) == 120
    && offsetof(TcpInfo, bytes_sent) == 200 && sizeof(TcpInfo) == 240);
constexpr u64 congestion_name_max = 16;

// Raw sockets: SOL_RAW, IPPROTO_ICMPV6
constexpr i32 sol_raw = 255, icmp_filter = 1, icmp6_filter = 1, ipv6_checksum = 7;
constexpr u8 icmp_echo_reply = 0, icmp_echo = 8, icmpv6_echo = 128, icmpv6_echo_reply = 129;

// States of /proc/net/tcp and udp
constexpr u32 tcp_established = 1, tcp_syn_sent = 2, tcp_fin_wait2 = 5, tcp_close = 7, tcp_close_wait = 8,
              tcp_listen = 10;

// Interfaces: ioctl(2) on any internet socket
constexpr u32 siocgifname = 0x8910, siocgifconf = 0x8912, siocgifflags = 0x8913, siocgifaddr = 0x8915,
              siocgifnetmask = 0x891b, siocgifbrdaddr = 0x8919, siocgifmtu = 0x8921, siocgiftxqlen = 0x8942,
              siocgifhwaddr = 0x8927, siocgifindex = 0x8933, siocatmark = 0x8905, siocsifflags = 0x8914,
              siocgskns = 0x894c;
constexpr u32 iff_up = 1, iff_broadcast = 2, iff_loopback = 8, iff_running = 0x40, iff_multicast = 0x1000;
constexpr u16 arphrd_ether = 1, arphrd_loopback = 772;

/// IFNAMSIZ: bytes of an interface's name with its end.
constexpr size_t if_name_size = 16;
/// struct ifreq: a name, and a union of 24 bytes
struct InterfaceRequest {
    char name[if_name_size];
    u8 value[24];
};
static_assert(sizeof(InterfaceRequest) == 40);

/// struct ifconf
struct InterfaceList {
    i32 length; ///< bytes at `requests`
    i32 pad;
    u64 requests; ///< of InterfaceRequest; 0 asks for the length only
};
static_assert(sizeof(InterfaceList) == 16);

} // namespace umbra::abi
