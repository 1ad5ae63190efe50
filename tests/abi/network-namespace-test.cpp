// SPDX-License-Identifier: GPL-2.0-or-later
// Network namespaces: network_namespaces(7), netdevice(7). An ordinary user gets one together with a user namespace.
#include "own-namespace.h"

#include <arpa/inet.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace abi_test {
namespace {

#define NEEDS_NETWORK_NAMESPACES() NEEDS_NAMESPACES(CLONE_NEWNET)

std::string link_of(std::string const& process = "self")
{
    char text[64];
    ssize_t n = ::readlink(("/proc/" + process + "/ns/net").c_str(), text, sizeof text);
    return n < 0 ? std::strerror(errno) : std::string(text, size_t(n));
}

Fd tcp(int family = AF_INET) { return ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0); }
Fd udp(int family = AF_INET) { return ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0); }

sockaddr_in loopback(uint16_t port)
{
    sockaddr_in address {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

sockaddr_in6 loopback6(uint16_t port)
{
    sockaddr_in6 address {};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    address.sin6_addr = in6addr_loopback;
    return address;
}

template <typename Address> int connect_to(int fd, Address const& address)
{
    return ::connect(fd, reinterpret_cast<sockaddr const*>(&address), sizeof address);
}
template <typename Address> int bind_to(int fd, Address const& address)
{
    return ::bind(fd, reinterpret_cast<sockaddr const*>(&address), sizeof address);
}

ifreq interface(char const* name = "lo")
{
    ifreq request {};
    std::strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
    return request;
}

int flags_of_lo()
{
    Fd fd = udp();
    ifreq request = interface();
    EXPECT_OK(::ioctl(fd, SIOCGIFFLAGS, &request));
    return request.ifr_flags;
}

int set_lo(bool up)
{
    Fd fd = udp();
    ifreq request = interface();
    request.ifr_flags = up ? IFF_UP : 0;
    return ::ioctl(fd, SIOCSIFFLAGS, &request);
}

TEST(NetworkNamespace, begins_with_a_loopback_that_is_down)
{
    NEEDS_NETWORK_NAMESPACES();
    std::string const before = link_of();
    in_namespace(CLONE_NEWNET, [&] {
        EXPECT_NE(link_of(), before);
        EXPECT_EQ(flags_of_lo() & (IFF_UP | IFF_LOOPBACK), IFF_LOOPBACK);
        EXPECT_EQ(::if_nametoindex("lo"), 1u);
        EXPECT_ERROR(connect_to(tcp(), loopback(5)), ENETUNREACH);
        EXPECT_ERROR(connect_to(udp(), loopback(5)), ENETUNREACH);
        EXPECT_ERROR(connect_to(tcp(AF_INET6), loopback6(5)), EADDRNOTAVAIL);
        Fd fd = udp();
        ifreq request = interface();
        EXPECT_ERROR(::ioctl(fd, SIOCGIFADDR, &request), EADDRNOTAVAIL);
        request = interface("eth0");
        EXPECT_ERROR(::ioctl(fd, SIOCGIFFLAGS, &request), ENODEV);
        ifconf list {};
        EXPECT_OK(::ioctl(fd, SIOCGIFCONF, &list));
        EXPECT_EQ(list.ifc_len, 0);
    });
}

TEST(NetworkNamespace, brings_loopback_up_and_down)
{
    NEEDS_NETWORK_NAMESPACES();
    in_namespace(CLONE_NEWNET, [] {
        ASSERT_OK(set_lo(true));
        EXPECT_EQ(flags_of_lo() & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING), IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
        Fd fd = udp();
        ifreq request = interface();
        ASSERT_OK(::ioctl(fd, SIOCGIFADDR, &request));
        EXPECT_EQ(reinterpret_cast<sockaddr_in*>(&request.ifr_addr)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
        EXPECT_ERROR(connect_to(tcp(), loopback(5)), ECONNREFUSED);
        EXPECT_ERROR(connect_to(tcp(AF_INET6), loopback6(5)), ECONNREFUSED);
        EXPECT_OK(connect_to(udp(), loopback(5)));
        ASSERT_OK(set_lo(false));
        EXPECT_EQ(flags_of_lo() & IFF_UP, 0);
        EXPECT_ERROR(connect_to(tcp(AF_INET6), loopback6(5)), EADDRNOTAVAIL);
    });
}

TEST(NetworkNamespace, has_ports_of_its_own)
{
    NEEDS_NETWORK_NAMESPACES();
    Fd listener = tcp();
    ASSERT_OK(bind_to(listener, loopback(0)));
    ASSERT_OK(::listen(listener, 1));
    sockaddr_in name {};
    socklen_t length = sizeof name;
    ASSERT_OK(::getsockname(listener, reinterpret_cast<sockaddr*>(&name), &length));
    in_namespace(CLONE_NEWNET, [&] {
        ASSERT_OK(set_lo(true));
        EXPECT_ERROR(connect_to(tcp(), name), ECONNREFUSED);
        Fd other = tcp();
        EXPECT_OK(bind_to(other, name)) << "nobody has it here";
        ASSERT_OK(::listen(other, 1));
        EXPECT_OK(connect_to(tcp(), name));
        std::string const port = ":" + [&] {
            char text[8];
            std::snprintf(text, sizeof text, "%04X", unsigned(ntohs(name.sin_port)));
            return std::string(text);
        }();
        EXPECT_NE(read_file("/proc/net/tcp").find(port), std::string::npos);
        EXPECT_OK(bind_to(tcp(), loopback(80))) << "its owner may";
    });
}

TEST(NetworkNamespace, sockets_stay_in_theirs)
{
    NEEDS_NETWORK_NAMESPACES();
    Fd listener = tcp(), early = tcp();
    ASSERT_OK(bind_to(listener, loopback(0)));
    ASSERT_OK(::listen(listener, 1));
    sockaddr_in name {};
    socklen_t length = sizeof name;
    ASSERT_OK(::getsockname(listener, reinterpret_cast<sockaddr*>(&name), &length));
    in_namespace(CLONE_NEWNET, [&] {
        EXPECT_OK(connect_to(early, name)) << "made before";
        ifreq request = interface();
        EXPECT_OK(::ioctl(early, SIOCGIFFLAGS, &request));
        EXPECT_NE(request.ifr_flags & IFF_UP, 0) << "of the socket's";
    });
}

TEST(NetworkNamespace, has_abstract_names_of_its_own)
{
    NEEDS_NETWORK_NAMESPACES();
    sockaddr_un name {};
    name.sun_family = AF_UNIX;
    std::snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "network-namespace-%d", ::getpid());
    Fd listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_OK(bind_to(listener, name));
    ASSERT_OK(::listen(listener, 1));
    in_namespace(CLONE_NEWNET, [&] {
        Fd client = ::socket(AF_UNIX, SOCK_STREAM, 0);
        EXPECT_ERROR(connect_to(client, name), ECONNREFUSED);
        Fd other = ::socket(AF_UNIX, SOCK_STREAM, 0);
        EXPECT_OK(bind_to(other, name));
        ifreq request = interface();
        EXPECT_OK(::ioctl(client, SIOCGIFINDEX, &request)) << "any socket tells of interfaces";
        EXPECT_EQ(request.ifr_ifindex, 1);
    });
}

TEST(NetworkNamespace, is_told_by_a_socket)
{
    NEEDS_NETWORK_NAMESPACES();
    in_namespace(CLONE_NEWNET, [] {
        Fd socket = udp();
        Fd space = ::ioctl(socket, SIOCGSKNS);
        ASSERT_OK(space);
        EXPECT_EQ(::ioctl(space, NS_GET_NSTYPE), CLONE_NEWNET);
        struct stat status;
        ASSERT_OK(::fstat(space, &status));
        EXPECT_EQ(link_of(), "net:[" + std::to_string(status.st_ino) + "]");
    });
    as_ordinary_user([] { EXPECT_ERROR(::ioctl(udp(), SIOCGSKNS), EPERM); });
}

TEST(NetworkNamespace, needs_rights)
{
    as_ordinary_user([] {
        EXPECT_ERROR(::unshare(CLONE_NEWNET), EPERM);
        EXPECT_ERROR(set_lo(true), EPERM);
        Fd own = ::open("/proc/self/ns/net", O_RDONLY);
        EXPECT_ERROR(::setns(own, CLONE_NEWNET), EPERM);
    });
}

TEST(NetworkNamespace, is_entered)
{
    NEEDS_ROOT();
    NEEDS_NETWORK_NAMESPACES();
    Gate ready, done;
    pid_t other = start([&] {
        ASSERT_OK(::unshare(CLONE_NEWNET));
        ready.open();
        done.wait();
    });
    ready.wait();
    in_child([&] {
        Fd outside = ::open("/proc/self/ns/net", O_RDONLY);
        Fd inside = ::open(("/proc/" + std::to_string(other) + "/ns/net").c_str(), O_RDONLY);
        ASSERT_OK(::setns(inside, CLONE_NEWNET));
        EXPECT_EQ(flags_of_lo() & IFF_UP, 0);
        ASSERT_OK(set_lo(true));
        ASSERT_OK(::setns(outside, 0));
        Fd process = int(raw(SYS_pidfd_open, other, 0));
        ASSERT_OK(::setns(process, CLONE_NEWNET));
        EXPECT_NE(flags_of_lo() & IFF_UP, 0) << "as it was left";
    });
    done.open();
    EXPECT_EQ(wait_for(other), exited(0));
}

TEST(NetworkNamespace, of_a_child_from_its_first_moment)
{
    NEEDS_NETWORK_NAMESPACES();
    long child = raw(SYS_clone, with_rights(CLONE_NEWNET) | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        EXPECT_EQ(flags_of_lo() & IFF_UP, 0);
        finish_child();
    }
    ASSERT_GT(child, 0);
    EXPECT_EQ(wait_for(pid_t(child)), exited(0));
}

TEST(NetworkNamespace, has_settings_of_its_own)
{
    NEEDS_ROOT();
    NEEDS_NETWORK_NAMESPACES();
    std::string const file = "/proc/sys/net/ipv4/ip_unprivileged_port_start", before = read_file(file);
    in_namespace(CLONE_NEWNET, [&] {
        EXPECT_EQ(read_file(file), "1024\n");
        Fd fd = ::open(file.c_str(), O_WRONLY);
        ASSERT_EQ(::write(fd, "80", 2), 2);
        fd = ::open(file.c_str(), O_WRONLY);
        EXPECT_EQ(::write(fd, "65536", 5), -1);
        EXPECT_EQ(read_file(file), "80\n");
        fd = ::open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY);
        ASSERT_EQ(::write(fd, "40000 40001", 11), 11);
        EXPECT_EQ(read_file("/proc/sys/net/ipv4/ip_local_port_range"), "40000\t40001\n");
        as_ordinary_user([] { EXPECT_OK(bind_to(tcp(), loopback(80))); });
        as_ordinary_user([] { EXPECT_ERROR(bind_to(tcp(), loopback(79)), EACCES); });
    });
    EXPECT_EQ(read_file(file), before);
}

} // namespace
} // namespace abi_test
