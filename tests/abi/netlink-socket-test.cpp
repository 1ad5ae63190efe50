// SPDX-License-Identifier: GPL-2.0-or-later
// AF_NETLINK sockets (netlink(7)) between programs, and whose rights count.
#include "abi-test.h"
#include "netlink.h"

#include <linux/capability.h>
#include <net/if.h>

namespace abi_test {
namespace {

TEST(Netlink, between_guests)
{
    Fd one = netlink(NETLINK_USERSOCK), other = netlink(NETLINK_USERSOCK);
    if (one < 0 && errno == EPROTONOSUPPORT) SKIP_AS_HOST_LACKS("NETLINK_USERSOCK");
    sockaddr_nl name {};
    name.nl_family = AF_NETLINK;
    ASSERT_OK(::bind(other, reinterpret_cast<sockaddr*>(&name), sizeof name));
    socklen_t length = sizeof name;
    ASSERT_OK(::getsockname(other, reinterpret_cast<sockaddr*>(&name), &length));
    EXPECT_EQ(::sendto(one, "hello", 5, 0, reinterpret_cast<sockaddr*>(&name), sizeof name), 5);
    char text[8] {};
    EXPECT_EQ(::recv(other, text, sizeof text, 0), 5);
    EXPECT_STREQ(text, "hello");
    name.nl_pid = 0x7ffffff0;
    EXPECT_ERROR(::sendto(one, "x", 1, 0, reinterpret_cast<sockaddr*>(&name), sizeof name), ECONNREFUSED);
}

/// Sets a link's flags to what they are; the error that the acknowledgement says.
int change_error(int fd, sockaddr_nl const* to)
{
    struct {
        nlmsghdr header;
        ifinfomsg link;
    } message { { sizeof message, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0 },
        link_message(1, 0, IFF_UP) };
    EXPECT_EQ(
        ::sendto(fd, &message, sizeof message, 0, reinterpret_cast<sockaddr const*>(to), to ? sizeof *to : 0),
        ssize_t(sizeof message));
    struct {
        nlmsghdr header;
        nlmsgerr error;
        char rest[256];
    } answer {};
    EXPECT_GT(::recv(fd, &answer, sizeof answer, MSG_DONTWAIT), 0);
    EXPECT_EQ(answer.header.nlmsg_type, NLMSG_ERROR);
    return -answer.error.error;
}

TEST(Netlink, changes_need_rights_of_who_opened_it)
{
    NEEDS_NETWORK_NAMESPACES();
    in_namespace(CLONE_NEWNET, [] {
        __user_cap_header_struct header { _LINUX_CAPABILITY_VERSION_3, 0 };
        __user_cap_data_struct all[2] {}, fewer[2] {};
        ASSERT_EQ(raw(SYS_capget, &header, all), 0);
        std::memcpy(fewer, all, sizeof all);
        fewer[0].effective &= ~(1u << CAP_NET_ADMIN);
        ASSERT_EQ(raw(SYS_capset, &header, fewer), 0);
        Fd fd = netlink();
        EXPECT_EQ(change_error(fd, nullptr), EPERM);
        ASSERT_EQ(raw(SYS_capset, &header, all), 0);
        sockaddr_nl kernel {};
        kernel.nl_family = AF_NETLINK;
        EXPECT_EQ(change_error(fd, nullptr), EPERM);
        EXPECT_EQ(change_error(fd, &kernel), 0) << "it was named";
        EXPECT_EQ(change_error(netlink(), nullptr), 0);
    });
}

TEST(Netlink, groups_between_guests_need_rights)
{
    Fd probe = netlink(NETLINK_USERSOCK);
    if (probe < 0 && errno == EPROTONOSUPPORT) SKIP_AS_HOST_LACKS("NETLINK_USERSOCK");
    as_ordinary_user([] {
        Fd fd = netlink(NETLINK_USERSOCK), diagnoses = netlink(NETLINK_SOCK_DIAG);
        int const group = 1;
        EXPECT_ERROR(::setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group), EPERM);
        sockaddr_nl name {};
        name.nl_family = AF_NETLINK;
        name.nl_groups = 1;
        EXPECT_ERROR(::bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof name), EPERM);
        EXPECT_OK(::bind(diagnoses, reinterpret_cast<sockaddr*>(&name), sizeof name));
    });
}

/// Binds a socket to whatever port; the port.
sockaddr_nl bound_name(int fd)
{
    sockaddr_nl name {};
    name.nl_family = AF_NETLINK;
    socklen_t length = sizeof name;
    EXPECT_OK(::bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof name));
    EXPECT_OK(::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length));
    return name;
}

TEST(Netlink, tells_who_sent_and_to_which_group)
{
    Fd one = netlink(NETLINK_USERSOCK), other = netlink(NETLINK_USERSOCK);
    if (one < 0 && errno == EPROTONOSUPPORT) SKIP_AS_HOST_LACKS("NETLINK_USERSOCK");
    sockaddr_nl name = bound_name(other);
    int on = 1, told = 0;
    socklen_t length = sizeof told;
    ASSERT_OK(::setsockopt(other, SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    ASSERT_OK(::setsockopt(other, SOL_NETLINK, NETLINK_PKTINFO, &on, sizeof on));
    ASSERT_OK(::getsockopt(other, SOL_NETLINK, NETLINK_PKTINFO, &told, &length));
    EXPECT_EQ(told, 1);
    ASSERT_EQ(::sendto(one, "x", 1, 0, reinterpret_cast<sockaddr*>(&name), sizeof name), 1);
    char byte;
    alignas(cmsghdr) char control[256];
    iovec piece { &byte, 1 };
    msghdr message {};
    message.msg_iov = &piece, message.msg_iovlen = 1;
    message.msg_control = control, message.msg_controllen = sizeof control;
    ASSERT_EQ(::recvmsg(other, &message, 0), 1);
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    ASSERT_NE(head, nullptr);
    EXPECT_EQ(head->cmsg_level, SOL_NETLINK);
    EXPECT_EQ(head->cmsg_type, NETLINK_PKTINFO);
    EXPECT_EQ(head->cmsg_len, CMSG_LEN(sizeof(nl_pktinfo)));
    nl_pktinfo group;
    std::memcpy(&group, CMSG_DATA(head), sizeof group);
    EXPECT_EQ(group.group, 0u);
    head = CMSG_NXTHDR(&message, head);
    ASSERT_NE(head, nullptr);
    EXPECT_EQ(head->cmsg_type, SCM_CREDENTIALS);
    ucred sender;
    std::memcpy(&sender, CMSG_DATA(head), sizeof sender);
    EXPECT_EQ(sender.pid, ::getpid());
    EXPECT_EQ(sender.uid, ::getuid());
    EXPECT_EQ(sender.gid, ::getgid());
}

TEST(Netlink, a_sender_waits_for_room)
{
    Fd one = netlink(NETLINK_USERSOCK), other = netlink(NETLINK_USERSOCK);
    if (one < 0 && errno == EPROTONOSUPPORT) SKIP_AS_HOST_LACKS("NETLINK_USERSOCK");
    sockaddr_nl name = bound_name(other);
    auto* to = reinterpret_cast<sockaddr*>(&name);
    char const text[4096] {};
    auto fill = [&] {
        while (::sendto(one, text, sizeof text, MSG_DONTWAIT, to, sizeof name) > 0) { }
        EXPECT_EQ(errno, EAGAIN);
    };
    auto start_sender = [&](int expected_error) {
        pid_t const child = start([&] {
            other.reset();
            ssize_t const n = ::sendto(one, text, sizeof text, 0, to, sizeof name);
            EXPECT_EQ(n < 0 ? errno : 0, expected_error);
        });
        wait_until_sleeping(child);
        return child;
    };
    fill();
    pid_t child = start_sender(0);
    char buffer[sizeof text];
    while (::recv(other, buffer, sizeof buffer, MSG_DONTWAIT) > 0) { }
    EXPECT_EQ(wait_for(child), exited(0));
    fill();
    child = start_sender(ECONNREFUSED);
    other.reset();
    EXPECT_EQ(wait_for(child), exited(0));
}

} // namespace
} // namespace abi_test
