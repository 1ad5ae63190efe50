// SPDX-License-Identifier: GPL-2.0-or-later
// AF_NETLINK sockets: netlink(7), rtnetlink(7), sock_diag(7), and what the C library makes of them. Those that change
// something do so in a network of their own.
#include "abi-test.h"
#include "netlink.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <vector>

namespace abi_test {
namespace {

void set_lo(bool up)
{
    Fd fd = netlink();
    Request(RTM_NEWLINK, NLM_F_ACK, link_message(1, up ? IFF_UP : 0, IFF_UP)).ask(fd);
}

TEST(Netlink, making_sockets)
{
    EXPECT_ERROR(::socket(AF_NETLINK, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
    EXPECT_ERROR(::socket(AF_NETLINK, SOCK_RAW, 31), EPROTONOSUPPORT);
    EXPECT_ERROR(::socket(AF_NETLINK, SOCK_RAW, 32), EPROTONOSUPPORT);
    int pair[2];
    EXPECT_ERROR(::socketpair(AF_NETLINK, SOCK_RAW, 0, pair), EOPNOTSUPP);
    Fd fd = ::socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);
    ASSERT_OK(fd);
    EXPECT_ERROR(::listen(fd, 1), EOPNOTSUPP);
    EXPECT_ERROR(::accept(fd, nullptr, nullptr), EOPNOTSUPP);
    EXPECT_ERROR(::shutdown(fd, SHUT_RD), EOPNOTSUPP);
}

TEST(Netlink, names)
{
    Fd first = netlink(), second = netlink();
    sockaddr_nl name {};
    socklen_t length = sizeof name;
    ASSERT_OK(::getsockname(first, reinterpret_cast<sockaddr*>(&name), &length));
    EXPECT_EQ(length, sizeof name);
    EXPECT_EQ(name.nl_family, AF_NETLINK);
    EXPECT_EQ(name.nl_pid, 0u);
    name.nl_pid = 0;
    EXPECT_ERROR(::bind(first, reinterpret_cast<sockaddr*>(&name), sizeof name - 1), EINVAL);
    ASSERT_OK(::bind(first, reinterpret_cast<sockaddr*>(&name), sizeof name));
    ASSERT_OK(::getsockname(first, reinterpret_cast<sockaddr*>(&name), &length));
    EXPECT_NE(name.nl_pid, 0u);
    EXPECT_ERROR(::bind(second, reinterpret_cast<sockaddr*>(&name), sizeof name), EADDRINUSE);
    name.nl_pid += 1;
    EXPECT_ERROR(::bind(first, reinterpret_cast<sockaddr*>(&name), sizeof name), EINVAL) << "for good";
    name.nl_pid = 0;
    ASSERT_OK(::bind(second, reinterpret_cast<sockaddr*>(&name), sizeof name));
    ASSERT_OK(::getsockname(second, reinterpret_cast<sockaddr*>(&name), &length));
    EXPECT_LT(int32_t(name.nl_pid), 0) << "the second of a process";
}

TEST(Netlink, options)
{
    Fd fd = netlink();
    int on = 1;
    socklen_t length = sizeof on;
    for (int name : { NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK, NETLINK_NO_ENOBUFS }) {
        EXPECT_OK(::setsockopt(fd, SOL_NETLINK, name, &on, sizeof on));
        on = 0;
        EXPECT_OK(::getsockopt(fd, SOL_NETLINK, name, &on, &length));
        EXPECT_EQ(on, 1);
    }
    int group = 0;
    EXPECT_ERROR(::setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group), EINVAL);
    group = 1000;
    EXPECT_ERROR(::setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group), EINVAL);
    group = RTNLGRP_LINK;
    EXPECT_OK(::setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group));
    uint32_t groups[2] {};
    length = sizeof groups;
    EXPECT_OK(::getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &length));
    EXPECT_EQ(groups[0], 1u);
    EXPECT_ERROR(::setsockopt(fd, SOL_NETLINK, 99, &on, sizeof on), ENOPROTOOPT);
    EXPECT_ERROR(::setsockopt(fd, SOL_IP, 1, &on, sizeof on), ENOPROTOOPT);
}

TEST(Netlink, link_by_number_and_name)
{
    Fd fd = netlink();
    for (auto& request : { Request(RTM_GETLINK, 0, link_message(1)),
             Request(RTM_GETLINK, 0, link_message()).attribute(IFLA_IFNAME, "lo", 3) }) {
        auto const answers = Request(request).ask(fd);
        ASSERT_EQ(answers.size(), 1u);
        auto const link = fixed<ifinfomsg>(answers[0]);
        EXPECT_EQ(link.ifi_index, 1);
        EXPECT_EQ(link.ifi_type, 772);
        EXPECT_NE(link.ifi_flags & IFF_LOOPBACK, 0u);
        EXPECT_EQ(attribute(answers[0], sizeof link, IFLA_IFNAME), std::string("lo", 3));
        EXPECT_EQ(attribute(answers[0], sizeof link, IFLA_MTU).size(), 4u);
        EXPECT_EQ(attribute(answers[0], sizeof link, IFLA_ADDRESS), std::string(6, '\0'));
    }
    EXPECT_TRUE(Request(RTM_GETLINK, 0, link_message(9999)).ask(fd, ENODEV).empty());
    EXPECT_TRUE(Request(RTM_GETLINK, 0, link_message()).ask(fd, EINVAL).empty());
    EXPECT_TRUE(Request(RTM_GETLINK, NLM_F_ACK, link_message(1)).ask(fd).size() == 1);
}

TEST(Netlink, what_is_no_request)
{
    Fd fd = netlink();
    rtgenmsg any { AF_UNSPEC };
    EXPECT_TRUE(Request(4000, 0, any).ask(fd, EOPNOTSUPP).empty());
    EXPECT_EQ(::send(fd, "short", 5, 0), 5) << "ignored";
    char byte;
    EXPECT_ERROR(::recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN);
    nlmsghdr header { 1000, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 };
    EXPECT_EQ(::send(fd, &header, sizeof header, 0), ssize_t(sizeof header)) << "longer than what is sent";
    EXPECT_ERROR(::recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN);
    pollfd poll { fd, POLLIN | POLLOUT, 0 };
    EXPECT_EQ(::poll(&poll, 1, 0), 1);
    EXPECT_EQ(poll.revents, POLLOUT);
}

TEST(Netlink, changes_need_rights)
{
    as_ordinary_user([] {
        Fd fd = netlink();
        Request(RTM_NEWLINK, NLM_F_ACK, link_message(1, 0, IFF_UP)).ask(fd, EPERM);
        sockaddr_nl other {};
        other.nl_family = AF_NETLINK;
        other.nl_pid = 1;
        EXPECT_ERROR(::sendto(fd, "x", 1, 0, reinterpret_cast<sockaddr*>(&other), sizeof other), EPERM);
    });
}

TEST(Netlink, a_long_answer_is_cut)
{
    Fd fd = netlink();
    nlmsghdr header {};
    struct {
        nlmsghdr header;
        ifinfomsg link;
    } message { header, link_message(1) };
    message.header = { sizeof message, RTM_GETLINK, NLM_F_REQUEST, 1, 0 };
    ASSERT_EQ(::send(fd, &message, sizeof message, 0), ssize_t(sizeof message));
    char buffer[64];
    iovec piece { buffer, sizeof buffer };
    sockaddr_nl from {};
    msghdr received {};
    received.msg_iov = &piece, received.msg_iovlen = 1;
    received.msg_name = &from, received.msg_namelen = sizeof from;
    ssize_t const whole = ::recvmsg(fd, &received, MSG_PEEK | MSG_TRUNC);
    EXPECT_GT(whole, ssize_t(sizeof buffer));
    EXPECT_NE(received.msg_flags & MSG_TRUNC, 0);
    EXPECT_EQ(from.nl_family, AF_NETLINK);
    EXPECT_EQ(from.nl_pid, 0u);
    EXPECT_EQ(::recv(fd, buffer, sizeof buffer, 0), ssize_t(sizeof buffer));
    EXPECT_ERROR(::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT), EAGAIN);
}

std::vector<std::string> addresses_of(int fd, int family)
{
    ifaddrmsg any {};
    any.ifa_family = uint8_t(family);
    std::vector<std::string> texts;
    for (auto const& answer : Request(RTM_GETADDR, NLM_F_DUMP, any).ask(fd)) {
        auto const head = fixed<ifaddrmsg>(answer);
        auto const bytes = attribute(answer, sizeof head, IFA_ADDRESS);
        char text[64] {};
        ::inet_ntop(head.ifa_family, bytes.data(), text, sizeof text);
        texts.push_back(std::string(text) + "/" + std::to_string(head.ifa_prefixlen));
    }
    return texts;
}

TEST(Netlink, interface_and_addresses_of_a_new_namespace)
{
    NEEDS_NETWORK_NAMESPACES();
    in_namespace(CLONE_NEWNET, [] {
        Fd fd = netlink();
        auto links = Request(RTM_GETLINK, NLM_F_DUMP, link_message()).ask(fd);
        ASSERT_EQ(links.size(), 1u);
        EXPECT_EQ(fixed<ifinfomsg>(links[0]).ifi_flags & IFF_UP, 0u);
        EXPECT_TRUE(addresses_of(fd, AF_UNSPEC).empty());
        Fd watcher = netlink();
        sockaddr_nl name {};
        name.nl_family = AF_NETLINK;
        name.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR;
        ASSERT_OK(::bind(watcher, reinterpret_cast<sockaddr*>(&name), sizeof name));
        set_lo(true);
        EXPECT_EQ(addresses_of(fd, AF_INET), std::vector<std::string> { "127.0.0.1/8" });
        EXPECT_EQ(addresses_of(fd, AF_INET6), std::vector<std::string> { "::1/128" });
        bool told_link = false, told_address = false;
        char buffer[8192];
        for (ssize_t n; (n = ::recv(watcher, buffer, sizeof buffer, MSG_DONTWAIT)) > 0;) {
            auto const* one = reinterpret_cast<nlmsghdr*>(buffer);
            told_link |= one->nlmsg_type == RTM_NEWLINK;
            told_address |= one->nlmsg_type == RTM_NEWADDR;
        }
        EXPECT_TRUE(told_link);
        EXPECT_TRUE(told_address);
        set_lo(false);
        EXPECT_TRUE(addresses_of(fd, AF_INET6).empty());
        EXPECT_EQ(addresses_of(fd, AF_INET).size(), 1u) << "stays";
    });
}

TEST(Netlink, adds_and_removes_addresses)
{
    NEEDS_NETWORK_NAMESPACES();
    in_namespace(CLONE_NEWNET, [] {
        Fd fd = netlink();
        set_lo(true);
        ifaddrmsg head { AF_INET, 24, 0, RT_SCOPE_UNIVERSE, 1 };
        in_addr const address { htonl(0x0a000001) };
        int const flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
        Request(RTM_NEWADDR, flags, head).ask(fd, EINVAL);
        Request(RTM_NEWADDR, flags, head).attribute(IFA_LOCAL, &address, 4).ask(fd);
        Request(RTM_NEWADDR, flags, head).attribute(IFA_LOCAL, &address, 4).ask(fd, EEXIST);
        EXPECT_EQ(addresses_of(fd, AF_INET), (std::vector<std::string> { "127.0.0.1/8", "10.0.0.1/24" }));
        Fd tcp = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in name {};
        name.sin_family = AF_INET;
        name.sin_port = htons(5);
        name.sin_addr = address;
        EXPECT_ERROR(::connect(tcp, reinterpret_cast<sockaddr*>(&name), sizeof name), ECONNREFUSED);
        head.ifa_index = 77;
        Request(RTM_NEWADDR, flags, head).attribute(IFA_LOCAL, &address, 4).ask(fd, ENODEV);
        head.ifa_index = 1;
        Request(RTM_DELADDR, NLM_F_ACK, head).attribute(IFA_LOCAL, &address, 4).ask(fd);
        Request(RTM_DELADDR, NLM_F_ACK, head).attribute(IFA_LOCAL, &address, 4).ask(fd, EADDRNOTAVAIL);
        EXPECT_EQ(addresses_of(fd, AF_INET).size(), 1u);
        Request(RTM_DELLINK, NLM_F_ACK, link_message(1)).ask(fd, EOPNOTSUPP);
        Request(RTM_NEWLINK, NLM_F_ACK | NLM_F_EXCL, link_message(1)).ask(fd, EEXIST);
    });
}

TEST(Netlink, ipv6_addresses_of_any_form)
{
    NEEDS_NETWORK_NAMESPACES();
    in_namespace(CLONE_NEWNET, [] {
        Fd fd = netlink();
        ifaddrmsg const head { AF_INET6, 128, 0, RT_SCOPE_UNIVERSE, 1 };
        in6_addr address;
        ASSERT_EQ(::inet_pton(AF_INET6, "::ffff:1.2.3.4", &address), 1);
        Request(RTM_NEWADDR, NLM_F_CREATE, head).attribute(IFA_LOCAL, &address, sizeof address).send(fd);
        // Whether or not that is an address: IPv4 knows nothing of it.
        Fd udp = ::socket(AF_INET, SOCK_DGRAM, 0);
        ifreq request {};
        std::strcpy(request.ifr_name, "lo");
        EXPECT_ERROR(::ioctl(udp, SIOCGIFNETMASK, &request), EADDRNOTAVAIL);
        set_lo(true);
        EXPECT_EQ(addresses_of(netlink(), AF_INET), std::vector<std::string> { "127.0.0.1/8" });
        EXPECT_OK(::ioctl(udp, SIOCGIFNETMASK, &request));
        ASSERT_EQ(::inet_pton(AF_INET6, "fd00::1", &address), 1);
        Request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_ACK, head)
            .attribute(IFA_LOCAL, &address, sizeof address)
            .ask(netlink());
    });
}

TEST(Netlink, forcing_buffers_needs_the_first_user_namespace)
{
    NEEDS_NETWORK_NAMESPACES();
    in_child([] {
        if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) SKIP_AS_HOST_LACKS("user namespaces");
        Fd fd = netlink();
        int const size = 1 << 30;
        EXPECT_ERROR(::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size), EPERM);
        EXPECT_ERROR(::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size), EPERM);
    });
}

TEST(Netlink, routes_and_rules)
{
    NEEDS_NETWORK_NAMESPACES();
    in_namespace(CLONE_NEWNET, [] {
        Fd fd = netlink();
        rtmsg any {};
        any.rtm_family = AF_INET;
        EXPECT_TRUE(Request(RTM_GETROUTE, NLM_F_DUMP, any).ask(fd).empty());
        set_lo(true);
        auto const all = Request(RTM_GETROUTE, NLM_F_DUMP, any).ask(fd);
        ASSERT_EQ(all.size(), 3u);
        EXPECT_EQ(fixed<rtmsg>(all[0]).rtm_table, RT_TABLE_LOCAL);
        rtmsg to = any;
        to.rtm_dst_len = 32;
        in_addr const self { htonl(INADDR_LOOPBACK) }, far { htonl(0x08080808) };
        auto const way = Request(RTM_GETROUTE, 0, to).attribute(RTA_DST, &self, 4).ask(fd);
        ASSERT_EQ(way.size(), 1u);
        EXPECT_EQ(fixed<rtmsg>(way[0]).rtm_type, RTN_LOCAL);
        Request(RTM_GETROUTE, 0, to).attribute(RTA_DST, &far, 4).ask(fd, ENETUNREACH);
        EXPECT_EQ(Request(RTM_GETRULE, NLM_F_DUMP, any).ask(fd).size(), 3u);
    });
}

TEST(Netlink, tells_of_internet_sockets)
{
    NEEDS_NETWORK_NAMESPACES();
    in_namespace(CLONE_NEWNET, [] {
        set_lo(true);
        Fd listener = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in name {};
        name.sin_family = AF_INET;
        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        name.sin_port = htons(4321);
        ASSERT_OK(::bind(listener, reinterpret_cast<sockaddr*>(&name), sizeof name));
        ASSERT_OK(::listen(listener, 5));
        Fd fd = netlink(NETLINK_SOCK_DIAG);
        ASSERT_OK(fd);
        inet_diag_req_v2 wanted {};
        wanted.sdiag_family = AF_INET;
        wanted.sdiag_protocol = IPPROTO_TCP;
        wanted.idiag_states = ~0u;
        auto const all = Request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, wanted).ask(fd);
        ASSERT_EQ(all.size(), 1u);
        auto const told = fixed<inet_diag_msg>(all[0]);
        EXPECT_EQ(told.idiag_state, 10) << "listens";
        EXPECT_EQ(ntohs(told.id.idiag_sport), 4321);
        EXPECT_EQ(told.idiag_wqueue, 5u);
        struct stat status;
        ASSERT_OK(::fstat(listener, &status));
        EXPECT_EQ(told.idiag_inode, status.st_ino);
        wanted.idiag_states = 1 << 1;
        EXPECT_TRUE(Request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, wanted).ask(fd).empty());
        rtgenmsg short_one { AF_INET };
        Request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, short_one).ask(fd, EINVAL);
    });
}

TEST(Netlink, tells_of_local_sockets)
{
    NEEDS_NETWORK_NAMESPACES();
    in_namespace(CLONE_NEWNET, [] {
        Fd listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un name {};
        name.sun_family = AF_UNIX;
        std::strcpy(name.sun_path + 1, "told");
        ASSERT_OK(::bind(listener, reinterpret_cast<sockaddr*>(&name), sizeof name.sun_family + 5));
        ASSERT_OK(::listen(listener, 3));
        Fd fd = netlink(NETLINK_SOCK_DIAG);
        unix_diag_req wanted {};
        wanted.sdiag_family = AF_UNIX;
        wanted.udiag_states = ~0u;
        wanted.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_RQLEN;
        auto const all = Request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, wanted).ask(fd);
        ASSERT_EQ(all.size(), 1u);
        EXPECT_EQ(fixed<unix_diag_msg>(all[0]).udiag_type, SOCK_STREAM);
        EXPECT_EQ(attribute(all[0], sizeof(unix_diag_msg), UNIX_DIAG_NAME), std::string("\0told", 5));
    });
}

TEST(Netlink, what_the_c_library_asks)
{
    ifaddrs* all = nullptr;
    ASSERT_OK(::getifaddrs(&all));
    bool has_loopback = false;
    for (ifaddrs* one = all; one; one = one->ifa_next) {
        auto const* name = reinterpret_cast<sockaddr_in*>(one->ifa_addr);
        has_loopback |= name && name->sin_family == AF_INET && name->sin_addr.s_addr == htonl(INADDR_LOOPBACK)
            && std::string(one->ifa_name) == "lo";
    }
    ::freeifaddrs(all);
    EXPECT_TRUE(has_loopback);
    struct if_nameindex* names = ::if_nameindex();
    ASSERT_NE(names, nullptr);
    EXPECT_STREQ(names[0].if_name, "lo");
    EXPECT_EQ(names[0].if_index, 1u);
    ::if_freenameindex(names);
}

TEST(Netlink, one_dump_at_a_time)
{
    NEEDS_NETWORK_NAMESPACES();
    in_namespace(CLONE_NEWNET, [] {
        Fd fd = netlink();
        set_lo(true);
        ifaddrmsg head { AF_INET, 32, 0, RT_SCOPE_UNIVERSE, 1 };
        for (uint32_t i = 0; i < 600; ++i) {
            in_addr const address { htonl(0x0a000001 + i) };
            Request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_ACK, head).attribute(IFA_LOCAL, &address, 4).ask(fd);
        }
        Request(RTM_GETADDR, NLM_F_DUMP, head).send(fd);
        Request(RTM_GETADDR, NLM_F_DUMP, head).send(fd);
        bool done = false, busy = false;
        alignas(nlmsghdr) static char buffer[65536];
        for (ssize_t n; (n = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0;) {
            auto left = uint32_t(n);
            for (auto* one = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(one, left);
                 one = NLMSG_NEXT(one, left)) {
                done |= one->nlmsg_type == NLMSG_DONE;
                if (one->nlmsg_type == NLMSG_ERROR)
                    busy |= static_cast<nlmsgerr*>(NLMSG_DATA(one))->error == -EBUSY;
            }
        }
        EXPECT_TRUE(done);
        EXPECT_TRUE(busy);
        Request(RTM_GETADDR, NLM_F_ROOT, head).ask(fd);
    });
}

TEST(Netlink, uevents_can_be_waited_for)
{
    Fd fd = netlink(NETLINK_KOBJECT_UEVENT, SOCK_NONBLOCK);
    ASSERT_OK(fd);
    sockaddr_nl name {};
    name.nl_family = AF_NETLINK;
    name.nl_groups = 1;
    EXPECT_OK(::bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof name));
}

TEST(Netlink, message_queues_tell_through_it)
{
    std::string const name = "/netlink-" + std::to_string(::getpid());
    Fd queue = ::mq_open(name.c_str(), O_CREAT | O_RDWR | O_NONBLOCK, 0600, nullptr);
    ASSERT_OK(queue);
    EXPECT_OK(::mq_unlink(name.c_str()));
    Fd fd = netlink();
    char cookie[32] = "cookie";
    sigevent event {};
    event.sigev_notify = SIGEV_THREAD;
    event.sigev_signo = fd;
    event.sigev_value.sival_ptr = cookie;
    EXPECT_EQ(raw(SYS_mq_notify, int(queue), &event), 0);
    EXPECT_EQ(raw(SYS_mq_notify, int(queue), &event), -EBUSY);
    char text[64] {};
    EXPECT_ERROR(::recv(fd, text, sizeof text, MSG_DONTWAIT), EAGAIN);
    EXPECT_OK(::mq_send(queue, "x", 1, 0));
    ASSERT_EQ(::recv(fd, text, sizeof text, 0), 32);
    EXPECT_STREQ(text, "cookie");
    EXPECT_EQ(text[31], 1) << "woken up";
    EXPECT_EQ(raw(SYS_mq_notify, int(queue), &event), 0);
    EXPECT_EQ(raw(SYS_mq_notify, int(queue), nullptr), 0);
    ASSERT_EQ(::recv(fd, text, sizeof text, 0), 32);
    EXPECT_EQ(text[31], 2) << "removed";
    Fd udp = ::socket(AF_INET, SOCK_DGRAM, 0);
    event.sigev_signo = udp;
    EXPECT_EQ(raw(SYS_mq_notify, int(queue), &event), -EINVAL);
}

} // namespace
} // namespace abi_test
