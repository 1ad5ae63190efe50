// SPDX-License-Identifier: GPL-2.0-or-later
// Short forms for tests of internet sockets: names of loopback, options, readiness.
#pragma once

#include "abi-test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace abi_test {

inline sockaddr_in name4(uint16_t port, char const* address = "127.0.0.1")
{
    sockaddr_in name {};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    ::inet_pton(AF_INET, address, &name.sin_addr);
    return name;
}

inline sockaddr_in6 name6(uint16_t port, char const* address)
{
    sockaddr_in6 name {};
    name.sin6_family = AF_INET6;
    name.sin6_port = htons(port);
    ::inet_pton(AF_INET6, address, &name.sin6_addr);
    return name;
}

template <typename Name> int bind_to(int socket, Name const& name)
{
    return ::bind(socket, reinterpret_cast<sockaddr const*>(&name), sizeof name);
}
template <typename Name> int connect_to(int socket, Name const& name)
{
    return ::connect(socket, reinterpret_cast<sockaddr const*>(&name), sizeof name);
}
template <typename Name = sockaddr_in> Name name_of(int socket)
{
    Name name {};
    socklen_t length = sizeof name;
    EXPECT_OK(::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &length));
    EXPECT_EQ(length, sizeof name);
    return name;
}
template <typename Name = sockaddr_in> Name peer_of(int socket)
{
    Name name {};
    socklen_t length = sizeof name;
    EXPECT_OK(::getpeername(socket, reinterpret_cast<sockaddr*>(&name), &length));
    return name;
}

inline int option(int socket, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    return ::getsockopt(socket, level, name, &value, &length) == 0 ? value : -errno;
}
inline int set_option(int socket, int level, int name, int value)
{
    return ::setsockopt(socket, level, name, &value, sizeof value);
}

inline short poll_bits(int fd, short wanted = POLLIN | POLLOUT | POLLRDHUP, int timeout = 0)
{
    pollfd entry { fd, wanted, 0 };
    ::poll(&entry, 1, timeout);
    return entry.revents;
}
/// Waits for readiness of which the host's network may tell a moment later.
inline bool becomes_ready(int fd, short wanted) { return (poll_bits(fd, wanted, 10'000) & wanted) == wanted; }

} // namespace abi_test
