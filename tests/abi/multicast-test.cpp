// SPDX-License-Identifier: GPL-2.0-or-later
// Groups of datagram sockets (ip(7), ipv6(7)), over lo: who has joined hears what is sent to the group there.
#include "inet.h"

#include <net/if.h>

#include <string>

namespace abi_test {
namespace {

constexpr char const* kGroup = "239.1.2.3";
constexpr int kLoopback = 1, kNobody = 99'999;

ip_mreqn request(char const* group, int index = kLoopback, char const* address = "0.0.0.0")
{
    ip_mreqn made {};
    ::inet_pton(AF_INET, group, &made.imr_multiaddr);
    ::inet_pton(AF_INET, address, &made.imr_address);
    made.imr_ifindex = index;
    return made;
}

template <typename Value> int set(int fd, int level, int name, Value const& value)
{
    return ::setsockopt(fd, level, name, &value, sizeof value);
}
int join(int fd, char const* group = kGroup)
{
    return set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, request(group));
}
int leave(int fd, char const* group = kGroup)
{
    return set(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, request(group));
}

ipv6_mreq request6(char const* group, unsigned index = kLoopback)
{
    ipv6_mreq made {};
    ::inet_pton(AF_INET6, group, &made.ipv6mr_multiaddr);
    made.ipv6mr_interface = index;
    return made;
}

Fd datagram_socket(int family = AF_INET) { return ::socket(family, SOCK_DGRAM, 0); }

/// Speaks to groups by lo.
Fd speaker()
{
    Fd made = datagram_socket();
    EXPECT_OK(set(made, IPPROTO_IP, IP_MULTICAST_IF, request("0.0.0.0", kLoopback, "127.0.0.1")));
    return made;
}

Fd listener(uint16_t port, char const* address = "0.0.0.0")
{
    Fd made = datagram_socket();
    EXPECT_OK(set_option(made, SOL_SOCKET, SO_REUSEADDR, 1));
    EXPECT_OK(bind_to(made, name4(port, address)));
    return made;
}

uint16_t free_port()
{
    Fd probe = datagram_socket();
    EXPECT_OK(bind_to(probe, name4(0)));
    return ntohs(name_of(probe).sin_port);
}

ssize_t say(int fd, uint16_t port, std::string const& text, char const* group = kGroup)
{
    auto const name = name4(port, group);
    return ::sendto(fd, text.data(), text.size(), 0, reinterpret_cast<sockaddr const*>(&name), sizeof name);
}

std::string heard(int fd)
{
    char text[32];
    ssize_t const size = ::recv(fd, text, sizeof text, MSG_DONTWAIT);
    return size < 0 ? "nothing" : std::string(text, size_t(size));
}

TEST(Multicast, JoiningAndLeaving)
{
    Fd fd = datagram_socket();
    EXPECT_ERROR(leave(fd), EADDRNOTAVAIL);
    ASSERT_OK(join(fd));
    EXPECT_ERROR(join(fd), EADDRINUSE);
    ASSERT_OK(join(fd, "239.1.2.4"));
    ASSERT_OK(leave(fd));
    EXPECT_ERROR(leave(fd), EADDRNOTAVAIL);
    ASSERT_OK(join(fd));
    EXPECT_ERROR(join(fd, "127.0.0.1"), EINVAL);
    EXPECT_ERROR(set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, request(kGroup, kNobody)), ENODEV);
    EXPECT_ERROR(set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, request(kGroup, 0, "198.51.100.7")), ENODEV);
    EXPECT_ERROR(set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, 1), EINVAL);
    Fd by_address = datagram_socket();
    ip_mreqn const wanted = request(kGroup, 0, "127.0.0.1");
    ASSERT_OK(::setsockopt(by_address, IPPROTO_IP, IP_ADD_MEMBERSHIP, &wanted, sizeof(ip_mreq)));
    EXPECT_ERROR(join(by_address), EADDRINUSE);
    ASSERT_OK(::setsockopt(by_address, IPPROTO_IP, IP_DROP_MEMBERSHIP, &wanted, sizeof(ip_mreq)));
}

TEST(Multicast, TwentyGroupsASocket)
{
    Fd fd = datagram_socket();
    for (int i = 0; i < 20; ++i)
        ASSERT_OK(join(fd, ("239.1.3." + std::to_string(i)).c_str()));
    EXPECT_ERROR(join(fd), ENOBUFS);
}

TEST(Multicast, NotForStreams)
{
    Fd fd = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_ERROR(join(fd), EPROTO);
    EXPECT_ERROR(set(fd, IPPROTO_IP, IP_MULTICAST_IF, request("0.0.0.0")), EINVAL);
}

TEST(Multicast, TheInterface)
{
    Fd fd = datagram_socket();
    in_addr address { 1 };
    socklen_t size = sizeof address;
    ASSERT_OK(::getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &address, &size));
    EXPECT_EQ(address.s_addr, 0u);
    address.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_OK(set(fd, IPPROTO_IP, IP_MULTICAST_IF, address));
    address.s_addr = 0;
    ASSERT_OK(::getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &address, &size));
    EXPECT_EQ(address.s_addr, htonl(INADDR_LOOPBACK));
    EXPECT_ERROR(set(fd, IPPROTO_IP, IP_MULTICAST_IF, request("0.0.0.0", kNobody)), EADDRNOTAVAIL);
    EXPECT_ERROR(set(fd, IPPROTO_IP, IP_MULTICAST_IF, request("0.0.0.0", 0, "198.51.100.7")), EADDRNOTAVAIL);
    ASSERT_OK(set(fd, IPPROTO_IP, IP_MULTICAST_IF, in_addr {}));
    ASSERT_OK(::getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &address, &size));
    EXPECT_EQ(address.s_addr, 0u);
}

TEST(Multicast, EveryMemberHears)
{
    uint16_t const port = free_port();
    Fd first = listener(port), second = listener(port, kGroup), elsewhere = listener(port, "127.0.0.1"),
       from = speaker();
    EXPECT_EQ(say(from, port, "early"), 5);
    EXPECT_EQ(heard(first), "nothing") << "nobody has joined";
    ASSERT_OK(join(first));
    ASSERT_OK(join(second));
    EXPECT_EQ(say(from, port, "hello"), 5);
    EXPECT_EQ(heard(first), "hello");
    EXPECT_EQ(heard(second), "hello");
    EXPECT_EQ(heard(elsewhere), "nothing");
    EXPECT_EQ(say(from, port, "others", "239.1.2.9"), 6);
    EXPECT_EQ(heard(first), "nothing");
    second.reset();
    ASSERT_OK(leave(first));
    EXPECT_EQ(say(from, port, "late"), 4);
    EXPECT_EQ(heard(first), "nothing");
}

TEST(Multicast, ItComesFromTheInterface)
{
    uint16_t const port = free_port();
    Fd to = listener(port), from = speaker();
    ASSERT_OK(join(to));
    EXPECT_EQ(say(from, port, "x"), 1);
    char text[8];
    sockaddr_in sender {};
    socklen_t size = sizeof sender;
    ASSERT_EQ(
        ::recvfrom(to, text, sizeof text, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&sender), &size), 1);
    EXPECT_EQ(sender.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    EXPECT_EQ(sender.sin_port, name_of(from).sin_port);
}

TEST(Multicast, WhoHasNotJoinedHearsUnlessHeSaysSo)
{
    constexpr int all = 49; // IP_MULTICAST_ALL
    uint16_t const port = free_port();
    Fd member = datagram_socket(), other = listener(port), from = speaker();
    EXPECT_EQ(option(other, IPPROTO_IP, all), 1);
    ASSERT_OK(join(member));
    EXPECT_EQ(say(from, port, "one"), 3);
    EXPECT_EQ(heard(other), "one");
    ASSERT_OK(set_option(other, IPPROTO_IP, all, 0));
    EXPECT_EQ(option(other, IPPROTO_IP, all), 0);
    EXPECT_ERROR(set_option(other, IPPROTO_IP, all, 2), EINVAL);
    EXPECT_EQ(say(from, port, "two"), 3);
    EXPECT_EQ(heard(other), "nothing");
}

TEST(Multicast, ByABoundInterface)
{
    uint16_t const port = free_port();
    Fd to = listener(port), from = datagram_socket();
    ASSERT_OK(join(to));
    ASSERT_OK(::setsockopt(from, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2));
    EXPECT_EQ(say(from, port, "x"), 1);
    EXPECT_EQ(heard(to), "x");
    constexpr int bind_to_index = 62;
    Fd deaf = listener(port);
    ASSERT_OK(set_option(deaf, SOL_SOCKET, bind_to_index, kNobody));
    EXPECT_EQ(say(from, port, "y"), 1);
    EXPECT_EQ(heard(to), "y");
    EXPECT_EQ(heard(deaf), "nothing");
}

TEST(Multicast, ConnectedToAGroup)
{
    uint16_t const port = free_port();
    Fd to = listener(port), from = speaker();
    ASSERT_OK(join(to));
    ASSERT_OK(connect_to(from, name4(port, kGroup)));
    EXPECT_EQ(name_of(from).sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    EXPECT_EQ(::send(from, "x", 1, 0), 1);
    EXPECT_EQ(heard(to), "x");
    EXPECT_EQ(::send(from, "y", 1, 0), 1);
    EXPECT_EQ(heard(to), "y");
}

TEST(Multicast, RequestsOfAnyFamily)
{
    uint16_t const port = free_port();
    Fd to = listener(port), from = speaker();
    group_req wanted {};
    wanted.gr_interface = kLoopback;
    auto const name = name4(0, kGroup);
    std::memcpy(&wanted.gr_group, &name, sizeof name);
    ASSERT_OK(set(to, IPPROTO_IP, MCAST_JOIN_GROUP, wanted));
    EXPECT_ERROR(set(to, IPPROTO_IP, MCAST_JOIN_GROUP, wanted), EADDRINUSE);
    EXPECT_ERROR(::setsockopt(to, IPPROTO_IP, MCAST_JOIN_GROUP, &wanted, sizeof wanted - 1), EINVAL);
    EXPECT_EQ(say(from, port, "x"), 1);
    EXPECT_EQ(heard(to), "x");
    ASSERT_OK(set(to, IPPROTO_IP, MCAST_LEAVE_GROUP, wanted));
    EXPECT_ERROR(set(to, IPPROTO_IP, MCAST_LEAVE_GROUP, wanted), EADDRNOTAVAIL);
    wanted.gr_group.ss_family = AF_INET6;
    EXPECT_ERROR(set(to, IPPROTO_IP, MCAST_JOIN_GROUP, wanted), EINVAL);
}

TEST(Multicast, IpSix)
{
    constexpr char const* group = "ff15::77";
    Fd first = datagram_socket(AF_INET6), from = datagram_socket(AF_INET6);
    EXPECT_ERROR(set(first, IPPROTO_IPV6, IPV6_LEAVE_GROUP, request6(group)), EADDRNOTAVAIL);
    ASSERT_OK(set(first, IPPROTO_IPV6, IPV6_JOIN_GROUP, request6(group)));
    EXPECT_ERROR(set(first, IPPROTO_IPV6, IPV6_JOIN_GROUP, request6(group)), EADDRINUSE);
    EXPECT_ERROR(set(first, IPPROTO_IPV6, IPV6_JOIN_GROUP, request6("::1")), EINVAL);
    EXPECT_ERROR(set(first, IPPROTO_IPV6, IPV6_JOIN_GROUP, request6(group, kNobody)), ENODEV);
    EXPECT_ERROR(set_option(from, IPPROTO_IPV6, IPV6_MULTICAST_IF, kNobody), ENODEV);
    ASSERT_OK(set_option(from, IPPROTO_IPV6, IPV6_MULTICAST_IF, kLoopback));
    EXPECT_EQ(option(from, IPPROTO_IPV6, IPV6_MULTICAST_IF), kLoopback);
    EXPECT_ERROR(connect_to(from, name6(9, group)), ENETUNREACH) << "no way by lo";
    ASSERT_OK(set(first, IPPROTO_IPV6, IPV6_LEAVE_GROUP, request6(group)));
    EXPECT_ERROR(set(first, IPPROTO_IPV6, IPV6_LEAVE_GROUP, request6(group)), EADDRNOTAVAIL);
    ASSERT_OK(bind_to(first, name6(0, group)));
}

} // namespace
} // namespace abi_test
