// SPDX-License-Identifier: GPL-2.0-or-later
// SO_BINDTODEVICE and SO_BINDTOIFINDEX (socket(7)): a socket that hears and speaks by one interface only. What is sent to this
// machine's own addresses comes in at lo.
#include "inet.h"

#include <net/if.h>

#include <string>

namespace abi_test {
namespace {

constexpr int kBindToIndex = 62, kNoInterface = 99'999; ///< an index may be set that nobody has

int tie_to(int fd, std::string const& name)
{
    return ::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name.data(), socklen_t(name.size()));
}

int tie_to_index(int fd, int index)
{
    return ::setsockopt(fd, SOL_SOCKET, kBindToIndex, &index, sizeof index);
}

/// The name with its end; empty: none.
std::string bound_to(int fd)
{
    char name[IFNAMSIZ + 1] = {};
    socklen_t size = sizeof name;
    EXPECT_OK(::getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
    return { name, size };
}

int bound_index(int fd)
{
    int index = -1;
    socklen_t size = sizeof index;
    EXPECT_OK(::getsockopt(fd, SOL_SOCKET, kBindToIndex, &index, &size));
    EXPECT_EQ(size, sizeof index);
    return index;
}

int bind_port(int fd, int port) { return bind_to(fd, name4(uint16_t(port))); }
int port_of(int fd) { return ntohs(name_of(fd).sin_port); }
int connect_port(int fd, int port) { return connect_to(fd, name4(uint16_t(port))); }

ssize_t send_to(int fd, int port, char const* text)
{
    sockaddr_in const name = name4(uint16_t(port));
    return ::sendto(fd, text, std::strlen(text), 0, reinterpret_cast<sockaddr const*>(&name), sizeof name);
}

std::string receive_now(int fd)
{
    char text[32];
    ssize_t const size = ::recv(fd, text, sizeof text, MSG_DONTWAIT);
    return size < 0 ? std::strerror(errno) : std::string(text, size_t(size));
}

TEST(BoundInterface, Names)
{
    NEEDS_ROOT(); // to be tied again
    Fd fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_EQ(bound_to(fd), "");
    for (std::string const& name :
        { std::string("lo"), std::string("lo\0", 3), std::string("lo\0junk and more junk", 22) }) {
        ASSERT_OK(tie_to(fd, name));
        EXPECT_EQ(bound_to(fd), std::string("lo\0", 3));
        EXPECT_EQ(bound_index(fd), 1);
        ASSERT_OK(tie_to(fd, ""));
        EXPECT_EQ(bound_to(fd), "");
    }
    EXPECT_ERROR(tie_to(fd, "no-such-device"), ENODEV);
    EXPECT_ERROR(tie_to(fd, "l"), ENODEV);
    ASSERT_OK(tie_to(fd, "lo"));
    ASSERT_OK(tie_to(fd, std::string("\0lo", 3)));
    EXPECT_EQ(bound_index(fd), 0);
}

TEST(BoundInterface, RoomForTheName)
{
    Fd fd = ::socket(AF_INET, SOCK_STREAM, 0);
    char name[IFNAMSIZ];
    socklen_t size = 1;
    ASSERT_OK(::getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
    EXPECT_EQ(size, 0u);
    ASSERT_OK(tie_to(fd, "lo"));
    size = IFNAMSIZ - 1;
    EXPECT_ERROR(::getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size), EINVAL);
    size = IFNAMSIZ;
    EXPECT_OK(::getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
}

TEST(BoundInterface, Indices)
{
    NEEDS_ROOT(); // to be tied again
    Fd fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_EQ(bound_index(fd), 0);
    ASSERT_OK(tie_to_index(fd, 1));
    EXPECT_EQ(bound_to(fd), std::string("lo\0", 3));
    EXPECT_ERROR(tie_to_index(fd, -1), EINVAL);
    ASSERT_OK(tie_to_index(fd, kNoInterface));
    EXPECT_EQ(bound_index(fd), kNoInterface);
    char name[IFNAMSIZ];
    socklen_t size = sizeof name;
    EXPECT_ERROR(::getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size), ENODEV);
    EXPECT_ERROR(send_to(fd, 9, "x"), ENODEV);
    EXPECT_ERROR(connect_port(fd, 9), ENODEV);
    Fd stream = ::socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_OK(tie_to_index(stream, kNoInterface));
    EXPECT_ERROR(connect_port(stream, 9), ENODEV);
}

TEST(BoundInterface, OfAnyFamily)
{
    for (int family : { AF_UNIX, AF_INET6, AF_NETLINK }) {
        Fd fd = ::socket(family, family == AF_NETLINK ? SOCK_RAW : SOCK_STREAM, 0);
        ASSERT_GE(fd, 0);
        ASSERT_OK(tie_to(fd, "lo"));
        EXPECT_EQ(bound_index(fd), 1);
    }
}

TEST(BoundInterface, OnlyTheFirstTimeIsFree)
{
    as_ordinary_user([] {
        Fd fd = ::socket(AF_INET, SOCK_DGRAM, 0);
        ASSERT_OK(tie_to_index(fd, 0));
        ASSERT_OK(tie_to(fd, "lo"));
        EXPECT_ERROR(tie_to(fd, "lo"), EPERM);
        EXPECT_ERROR(tie_to(fd, ""), EPERM);
        EXPECT_ERROR(tie_to(fd, "no-such-device"), ENODEV);
        EXPECT_ERROR(tie_to_index(fd, 0), EPERM);
        EXPECT_ERROR(tie_to_index(fd, -1), EPERM);
        EXPECT_EQ(bound_index(fd), 1);
    });
}

TEST(BoundInterface, DatagramsComeInByItOnly)
{
    Fd here = ::socket(AF_INET, SOCK_DGRAM, 0), elsewhere = ::socket(AF_INET, SOCK_DGRAM, 0);
    ASSERT_OK(tie_to(here, "lo"));
    ASSERT_OK(tie_to_index(elsewhere, kNoInterface));
    ASSERT_OK(bind_port(here, 0));
    int const port = port_of(here);
    ASSERT_OK(bind_port(elsewhere, port)) << "of another interface";
    Fd sender = ::socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_EQ(send_to(sender, port, "one"), 3);
    EXPECT_EQ(receive_now(here), "one");
    ASSERT_OK(tie_to(sender, "lo"));
    EXPECT_EQ(send_to(sender, port, "two"), 3);
    EXPECT_EQ(receive_now(here), "two");
    EXPECT_EQ(receive_now(elsewhere), std::strerror(EAGAIN));
    here.reset();
    EXPECT_EQ(send_to(sender, port, "three"), 5);
    EXPECT_EQ(receive_now(elsewhere), std::strerror(EAGAIN));
    ASSERT_OK(connect_port(sender, port));
    EXPECT_EQ(::send(sender, "x", 1, 0), 1);
    EXPECT_ERROR(::send(sender, "x", 1, 0), ECONNREFUSED);
}

TEST(BoundInterface, Conflicts)
{
    for (int type : { SOCK_DGRAM, SOCK_STREAM }) {
        Fd first = ::socket(AF_INET, type, 0);
        ASSERT_OK(tie_to(first, "lo"));
        ASSERT_OK(bind_port(first, 0));
        int const port = port_of(first);
        Fd same = ::socket(AF_INET, type, 0), unbound = ::socket(AF_INET, type, 0),
           other = ::socket(AF_INET, type, 0);
        ASSERT_OK(tie_to(same, "lo"));
        EXPECT_ERROR(bind_port(same, port), EADDRINUSE);
        EXPECT_ERROR(bind_port(unbound, port), EADDRINUSE);
        ASSERT_OK(tie_to_index(other, kNoInterface));
        EXPECT_OK(bind_port(other, port));
    }
}

TEST(BoundInterface, Connections)
{
    Fd listener = ::socket(AF_INET, SOCK_STREAM, 0), elsewhere = ::socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_OK(tie_to(listener, "lo"));
    ASSERT_OK(bind_port(listener, 0));
    int const port = port_of(listener);
    ASSERT_OK(tie_to_index(elsewhere, kNoInterface));
    ASSERT_OK(bind_port(elsewhere, port));
    ASSERT_OK(::listen(elsewhere, 1));
    ASSERT_OK(::listen(listener, 1));
    Fd client = ::socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_OK(connect_port(client, port));
    Fd server = ::accept(listener, nullptr, nullptr);
    ASSERT_GE(server, 0);
    EXPECT_EQ(bound_to(server), std::string("lo\0", 3)) << "as its listener";
    EXPECT_EQ(bound_to(client), "");
    EXPECT_EQ(::send(server, "hello", 5, 0), 5);
    char text[8];
    EXPECT_EQ(::recv(client, text, sizeof text, 0), 5);
    listener.reset();
    Fd refused = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_ERROR(connect_port(refused, port), ECONNREFUSED);
}

TEST(BoundInterface, IpSixHasNoWayByLoopbackToOthers)
{
    Fd fd = ::socket(AF_INET6, SOCK_DGRAM, 0);
    ASSERT_OK(tie_to(fd, "lo"));
    EXPECT_ERROR(connect_to(fd, name6(9, "2001::1")), ENETUNREACH);
}

TEST(BoundInterface, WhatGoesByLoopbackToOthersIsLost)
{
    Fd fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    ASSERT_OK(tie_to(fd, "lo"));
    sockaddr_in far = name4(9, "198.51.100.1"); // of nobody
    EXPECT_EQ(::sendto(fd, "x", 1, 0, reinterpret_cast<sockaddr*>(&far), sizeof far), 1);
    EXPECT_EQ(receive_now(fd), std::strerror(EAGAIN));
}

} // namespace
} // namespace abi_test
