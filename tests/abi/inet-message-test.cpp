// SPDX-License-Identifier: GPL-2.0-or-later
// Control messages of datagram sockets: ip(7), ipv6(7), SO_TIMESTAMP of socket(7).
#include "abi-test.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <map>

namespace abi_test {
namespace {

using Messages = std::map<std::pair<int, int>, std::vector<unsigned char>>;

struct Pair {
    Fd sender, receiver;
    sockaddr_storage to {};
    socklen_t length = 0;

    explicit Pair(int family)
        : sender(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0))
        , receiver(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    {
        if (family == AF_INET) {
            auto& address = reinterpret_cast<sockaddr_in&>(to);
            address.sin_family = AF_INET;
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        } else {
            auto& address = reinterpret_cast<sockaddr_in6&>(to);
            address.sin6_family = AF_INET6;
            address.sin6_addr = in6addr_loopback;
        }
        length = sizeof to;
        EXPECT_OK(::bind(receiver, reinterpret_cast<sockaddr*>(&to),
            family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)));
        EXPECT_OK(::getsockname(receiver, reinterpret_cast<sockaddr*>(&to), &length));
    }
    void want(int level, int name)
    {
        int const on = 1;
        EXPECT_OK(::setsockopt(receiver, level, name, &on, sizeof on));
    }
    ssize_t send(int level = 0, int type = 0, void const* data = nullptr, size_t size = 0)
    {
        char byte = 'x';
        iovec part { &byte, 1 };
        alignas(cmsghdr) char room[256] {};
        msghdr header {};
        header.msg_name = &to, header.msg_namelen = length;
        header.msg_iov = &part, header.msg_iovlen = 1;
        if (data) {
            header.msg_control = room, header.msg_controllen = CMSG_SPACE(size);
            cmsghdr* message = CMSG_FIRSTHDR(&header);
            message->cmsg_level = level, message->cmsg_type = type, message->cmsg_len = CMSG_LEN(size);
            std::memcpy(CMSG_DATA(message), data, size);
        }
        return ::sendmsg(sender, &header, 0);
    }
    Messages receive(size_t space = 256, int* flags = nullptr)
    {
        char byte;
        iovec part { &byte, 1 };
        alignas(cmsghdr) char room[256];
        msghdr header {};
        header.msg_iov = &part, header.msg_iovlen = 1;
        header.msg_control = room, header.msg_controllen = space;
        EXPECT_EQ(::recvmsg(receiver, &header, 0), 1);
        if (flags) *flags = header.msg_flags;
        Messages got;
        for (cmsghdr* message = CMSG_FIRSTHDR(&header); message; message = CMSG_NXTHDR(&header, message))
            got[{ message->cmsg_level, message->cmsg_type }]
                = { CMSG_DATA(message), CMSG_DATA(message) + message->cmsg_len - CMSG_LEN(0) };
        return got;
    }
};

int integer(std::vector<unsigned char> const& bytes)
{
    int value = -1;
    EXPECT_EQ(bytes.size(), sizeof value);
    if (bytes.size() == sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

TEST(InetMessage, only_what_is_wanted)
{
    for (int family : { AF_INET, AF_INET6 }) {
        Pair pair(family);
        EXPECT_EQ(pair.send(), 1);
        EXPECT_TRUE(pair.receive().empty());
    }
}

TEST(InetMessage, time_to_live_and_service)
{
    Pair pair(AF_INET);
    pair.want(IPPROTO_IP, IP_RECVTTL);
    pair.want(IPPROTO_IP, IP_RECVTOS);
    EXPECT_EQ(pair.send(), 1);
    auto got = pair.receive();
    EXPECT_EQ(got.size(), 2u);
    EXPECT_EQ(integer(got[{ IPPROTO_IP, IP_TTL }]), 64);
    EXPECT_EQ((got[{ IPPROTO_IP, IP_TOS }]), (std::vector<unsigned char> { 0 }));
    int ttl = 33, tos = 0x10;
    EXPECT_OK(::setsockopt(pair.sender, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl));
    EXPECT_OK(::setsockopt(pair.sender, IPPROTO_IP, IP_TOS, &tos, sizeof tos));
    EXPECT_EQ(pair.send(), 1);
    got = pair.receive();
    EXPECT_EQ(integer(got[{ IPPROTO_IP, IP_TTL }]), 33);
    EXPECT_EQ((got[{ IPPROTO_IP, IP_TOS }]), (std::vector<unsigned char> { 0x10 }));
    ttl = 44;
    EXPECT_EQ(pair.send(IPPROTO_IP, IP_TTL, &ttl, sizeof ttl), 1) << "for this one only";
    EXPECT_EQ(integer(pair.receive()[{ IPPROTO_IP, IP_TTL }]), 44);
    EXPECT_EQ(pair.send(), 1);
    EXPECT_EQ(integer(pair.receive()[{ IPPROTO_IP, IP_TTL }]), 33);
}

TEST(InetMessage, hop_limit_and_traffic_class)
{
    Pair pair(AF_INET6);
    pair.want(IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
    pair.want(IPPROTO_IPV6, IPV6_RECVTCLASS);
    EXPECT_EQ(pair.send(), 1);
    auto got = pair.receive();
    EXPECT_EQ(integer(got[{ IPPROTO_IPV6, IPV6_HOPLIMIT }]), 64);
    EXPECT_EQ(integer(got[{ IPPROTO_IPV6, IPV6_TCLASS }]), 0);
    int value = 17;
    EXPECT_EQ(pair.send(IPPROTO_IPV6, IPV6_HOPLIMIT, &value, sizeof value), 1);
    EXPECT_EQ(integer(pair.receive()[{ IPPROTO_IPV6, IPV6_HOPLIMIT }]), 17);
    EXPECT_EQ(pair.send(IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof value), 1);
    EXPECT_EQ(integer(pair.receive()[{ IPPROTO_IPV6, IPV6_TCLASS }]), 17);
    value = -1;
    EXPECT_EQ(pair.send(IPPROTO_IPV6, IPV6_HOPLIMIT, &value, sizeof value), 1) << "the default";
    EXPECT_EQ(integer(pair.receive()[{ IPPROTO_IPV6, IPV6_HOPLIMIT }]), 64);
}

TEST(InetMessage, where_it_went_to)
{
    Pair pair(AF_INET);
    pair.want(IPPROTO_IP, IP_PKTINFO);
    EXPECT_EQ(pair.send(), 1);
    auto got = pair.receive()[{ IPPROTO_IP, IP_PKTINFO }];
    in_pktinfo info {};
    ASSERT_EQ(got.size(), sizeof info);
    std::memcpy(&info, got.data(), sizeof info);
    EXPECT_EQ(info.ipi_ifindex, 1);
    EXPECT_EQ(info.ipi_addr.s_addr, htonl(INADDR_LOOPBACK));
    Pair six(AF_INET6);
    six.want(IPPROTO_IPV6, IPV6_RECVPKTINFO);
    EXPECT_EQ(six.send(), 1);
    got = six.receive()[{ IPPROTO_IPV6, IPV6_PKTINFO }];
    in6_pktinfo info6 {};
    ASSERT_EQ(got.size(), sizeof info6);
    std::memcpy(&info6, got.data(), sizeof info6);
    EXPECT_EQ(info6.ipi6_ifindex, 1u);
    EXPECT_TRUE(IN6_IS_ADDR_LOOPBACK(&info6.ipi6_addr));
}

TEST(InetMessage, where_it_is_to_come_from)
{
    Pair pair(AF_INET);
    in_pktinfo info {};
    info.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK + 5);
    EXPECT_EQ(pair.send(IPPROTO_IP, IP_PKTINFO, &info, sizeof info), 1);
    char byte;
    sockaddr_in from {};
    socklen_t length = sizeof from;
    EXPECT_EQ(::recvfrom(pair.receiver, &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &length), 1);
    EXPECT_EQ(ntohl(from.sin_addr.s_addr), INADDR_LOOPBACK + 5);
    info.ipi_ifindex = 12345;
    EXPECT_ERROR(pair.send(IPPROTO_IP, IP_PKTINFO, &info, sizeof info), ENODEV);
}

TEST(InetMessage, what_is_wrong)
{
    Pair pair(AF_INET), six(AF_INET6);
    int value = 0;
    EXPECT_ERROR(pair.send(IPPROTO_IP, IP_TTL, &value, sizeof value), EINVAL) << "no such time to live";
    value = 256;
    EXPECT_ERROR(pair.send(IPPROTO_IP, IP_TTL, &value, sizeof value), EINVAL);
    EXPECT_ERROR(six.send(IPPROTO_IPV6, IPV6_HOPLIMIT, &value, sizeof value), EINVAL);
    value = -2;
    EXPECT_ERROR(six.send(IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof value), EINVAL);
    EXPECT_ERROR(pair.send(IPPROTO_IP, IP_TTL, &value, 2), EINVAL) << "too short";
    EXPECT_ERROR(six.send(IPPROTO_IPV6, IPV6_HOPLIMIT, &value, 2), EINVAL);
    EXPECT_ERROR(pair.send(IPPROTO_IP, 77, &value, sizeof value), EINVAL) << "unknown";
    EXPECT_ERROR(six.send(IPPROTO_IPV6, 177, &value, sizeof value), EINVAL);
}

TEST(InetMessage, what_does_not_fit_is_cut)
{
    Pair pair(AF_INET6);
    pair.want(IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
    int flags = 0;
    EXPECT_EQ(pair.send(), 1);
    EXPECT_TRUE(pair.receive(0, &flags).empty());
    EXPECT_TRUE(flags & MSG_CTRUNC);
    EXPECT_EQ(pair.send(), 1);
    auto got = pair.receive(CMSG_LEN(sizeof(int)) - 1, &flags);
    EXPECT_EQ((got[{ IPPROTO_IPV6, IPV6_HOPLIMIT }].size()), sizeof(int) - 1);
    EXPECT_TRUE(flags & MSG_CTRUNC);
}

TEST(InetMessage, when_it_came)
{
    Pair pair(AF_INET);
    pair.want(SOL_SOCKET, SO_TIMESTAMP);
    timespec before, after;
    ::clock_gettime(CLOCK_REALTIME, &before);
    EXPECT_EQ(pair.send(), 1);
    auto got = pair.receive()[{ SOL_SOCKET, SO_TIMESTAMP }];
    ::clock_gettime(CLOCK_REALTIME, &after);
    timeval time {};
    ASSERT_EQ(got.size(), sizeof time);
    std::memcpy(&time, got.data(), sizeof time);
    EXPECT_GE(time.tv_sec * 1'000'000 + time.tv_usec, before.tv_sec * 1'000'000 + before.tv_nsec / 1000 - 1);
    EXPECT_LE(time.tv_sec * 1'000'000 + time.tv_usec, after.tv_sec * 1'000'000 + after.tv_nsec / 1000 + 1);
}

/// IP_RECVERR: who sends without being connected is told as well.
TEST(InetMessage, errors_for_who_wants_them)
{
    for (int family : { AF_INET, AF_INET6 }) {
        bool const is_v4 = family == AF_INET;
        Pair pair(family);
        pair.receiver = Fd();
        char byte;
        EXPECT_EQ(pair.send(), 1);
        EXPECT_ERROR(::recv(pair.sender, &byte, 1, MSG_DONTWAIT), EAGAIN);
        int const on = 1;
        EXPECT_OK(::setsockopt(pair.sender, is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
            is_v4 ? IP_RECVERR : IPV6_RECVERR, &on, sizeof on));
        EXPECT_EQ(pair.send(), 1);
        EXPECT_ERROR(::recv(pair.sender, &byte, 1, MSG_DONTWAIT), ECONNREFUSED);
    }
}

} // namespace
} // namespace abi_test
