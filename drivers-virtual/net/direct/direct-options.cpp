// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/direct/direct-options.h"

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>

namespace umbra::drivers {

namespace {

constexpr i32 kUdpLiteSendCoverage = 10,
              kUdpLiteReceiveCoverage = 11; // in no header of libc's or Linux's for users

constexpr i32 kOfKernel[] = { SO_DEBUG, SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_PRIORITY, SO_MARK, SO_PASSCRED,
    SO_PEERCRED, SO_PEERGROUPS, SO_PEERNAME, SO_SNDLOWAT, SO_SNDBUFFORCE, SO_RCVBUFFORCE, SO_RCVTIMEO_OLD,
    SO_SNDTIMEO_OLD, SO_RCVTIMEO_NEW, SO_SNDTIMEO_NEW };
constexpr i32 kOfBoth[] = { SO_RCVLOWAT, SO_LINGER };

constexpr i32 kOfSockets[]
    = { SO_REUSEADDR, SO_REUSEPORT, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE, SO_NO_CHECK,
          SO_SNDBUF, SO_RCVBUF, SO_TIMESTAMP_OLD, SO_TIMESTAMPNS_OLD, SO_TIMESTAMPING_OLD, SO_TIMESTAMP_NEW,
          SO_TIMESTAMPNS_NEW, SO_TIMESTAMPING_NEW, SO_ERROR, SO_ACCEPTCONN, SO_BINDTODEVICE, SO_BINDTOIFINDEX,
          SO_PEEK_OFF, SO_INCOMING_CPU, SO_COOKIE, SO_RXQ_OVFL, SO_SELECT_ERR_QUEUE, SO_MEMINFO };
constexpr i32 kOfIp[] = { IP_TOS, IP_TTL, IP_HDRINCL, IP_RECVOPTS, IP_RETOPTS, IP_PKTINFO, IP_MTU_DISCOVER,
    IP_RECVERR, IP_RECVTTL, IP_RECVTOS, IP_MTU, IP_FREEBIND, IP_RECVORIGDSTADDR, IP_MINTTL, IP_CHECKSUM,
    IP_BIND_ADDRESS_NO_PORT, IP_RECVFRAGSIZE, IP_MULTICAST_IF, IP_MULTICAST_TTL, IP_MULTICAST_LOOP,
    IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_UNBLOCK_SOURCE, IP_BLOCK_SOURCE, IP_ADD_SOURCE_MEMBERSHIP,
    IP_DROP_SOURCE_MEMBERSHIP, IP_MSFILTER, MCAST_JOIN_GROUP, MCAST_BLOCK_SOURCE, MCAST_UNBLOCK_SOURCE,
    MCAST_LEAVE_GROUP, MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_SOURCE_GROUP, IP_MULTICAST_ALL, IP_UNICAST_IF };
constexpr i32 kOfIpv6[] = { IPV6_CHECKSUM, IPV6_UNICAST_HOPS, IPV6_MULTICAST_IF, IPV6_MULTICAST_HOPS,
    IPV6_MULTICAST_LOOP, IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP, IPV6_MTU_DISCOVER, IPV6_MTU, IPV6_RECVERR,
    IPV6_V6ONLY, IPV6_MULTICAST_ALL, IPV6_FLOWINFO_SEND, MCAST_JOIN_GROUP, MCAST_LEAVE_GROUP,
    MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_SOURCE_GROUP, IPV6_RECVPKTINFO, IPV6_PKTINFO, IPV6_RECVHOPLIMIT,
    IPV6_HOPLIMIT, IPV6_RECVTCLASS, IPV6_TCLASS, IPV6_DONTFRAG, IPV6_AUTOFLOWLABEL, IPV6_ADDR_PREFERENCES,
    IPV6_MINHOPCOUNT, IPV6_UNICAST_IF, IPV6_RECVHOPOPTS, IPV6_RECVRTHDR, IPV6_RECVDSTOPTS, IPV6_RECVPATHMTU,
    IPV6_2292PKTINFO, IPV6_2292HOPOPTS, IPV6_2292DSTOPTS, IPV6_2292RTHDR, IPV6_2292HOPLIMIT };
constexpr i32 kOfTcp[] = { TCP_NODELAY, TCP_MAXSEG, TCP_CORK, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT,
    TCP_SYNCNT, TCP_LINGER2, TCP_DEFER_ACCEPT, TCP_WINDOW_CLAMP, TCP_INFO, TCP_QUICKACK, TCP_CONGESTION,
    TCP_USER_TIMEOUT, TCP_FASTOPEN, TCP_TIMESTAMP, TCP_NOTSENT_LOWAT, TCP_CC_INFO, TCP_SAVE_SYN,
    TCP_SAVED_SYN, TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_NO_COOKIE, TCP_INQ };
constexpr i32 kOfUdp[] = { UDP_CORK, kUdpLiteSendCoverage, kUdpLiteReceiveCoverage, UDP_NO_CHECK6_TX,
    UDP_NO_CHECK6_RX, UDP_SEGMENT, UDP_GRO };
constexpr i32 kIcmpFilter = 1; ///< of raw sockets, and of ICMPv6

template <size_t N> bool has(i32 const (&list)[N], i32 name)
{
    return std::ranges::find(list, name) != std::end(list);
}

bool is_hosts(i32 level, i32 name)
{
    switch (level) {
    case SOL_SOCKET:
        return has(kOfSockets, name);
    case IPPROTO_IP:
        return has(kOfIp, name);
    case IPPROTO_IPV6:
        return has(kOfIpv6, name);
    case IPPROTO_TCP:
        return has(kOfTcp, name);
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
        return has(kOfUdp, name);
    case IPPROTO_RAW:
    case IPPROTO_ICMPV6:
        return name == kIcmpFilter;
    }
    return false;
}

} // namespace

OptionPlace place_of_option(i32 level, i32 name)
{
    if (level == SOL_SOCKET && has(kOfKernel, name)) return OptionPlace::kernel;
    if (level == SOL_SOCKET && has(kOfBoth, name)) return OptionPlace::both;
    return is_hosts(level, name) ? OptionPlace::host : OptionPlace::nowhere;
}

} // namespace umbra::drivers
