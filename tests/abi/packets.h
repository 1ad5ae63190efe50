// SPDX-License-Identifier: GPL-2.0-or-later
// What tests of sockets of packets share: messages of ICMP, checksums, and sending and receiving bytes over lo.
#pragma once

#include "inet.h"
#include "own-namespace.h"

#include <cstring>
#include <net/if.h>
#include <sys/ioctl.h>
#include <vector>

namespace abi_test {

using Bytes = std::vector<uint8_t>;

inline void bring_loopback_up()
{
    Fd control = ::socket(AF_INET, SOCK_DGRAM, 0);
    ifreq request {};
    std::strcpy(request.ifr_name, "lo");
    ASSERT_OK(::ioctl(control, SIOCGIFFLAGS, &request));
    request.ifr_flags |= IFF_UP;
    ASSERT_OK(::ioctl(control, SIOCSIFFLAGS, &request));
}

/// Runs the body where lo is up and nobody else speaks.
template <typename Body> void on_own_loopback(Body&& body)
{
    NEEDS_NAMESPACES(CLONE_NEWNET);
    in_namespace(CLONE_NEWNET, [&] {
        bring_loopback_up();
        body();
    });
}

inline uint16_t checksum_of(uint8_t const* data, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; ++i)
        sum += i % 2 ? data[i] : uint32_t(data[i]) << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return uint16_t(~sum);
}

inline Bytes echo_request(uint8_t type, uint16_t id, uint16_t sequence, std::string const& text)
{
    Bytes message
        = { type, 0, 0, 0, uint8_t(id >> 8), uint8_t(id), uint8_t(sequence >> 8), uint8_t(sequence) };
    message.insert(message.end(), text.begin(), text.end());
    return message;
}
inline Bytes with_checksum(Bytes message)
{
    uint16_t const sum = checksum_of(message.data(), message.size());
    message[2] = uint8_t(sum >> 8), message[3] = uint8_t(sum);
    return message;
}
template <typename Name> ssize_t send_to(int socket, Bytes const& message, Name const& name, int flags = 0)
{
    return ::sendto(
        socket, message.data(), message.size(), flags, reinterpret_cast<sockaddr const*>(&name), sizeof name);
}
inline Bytes next(int socket, int flags = 0)
{
    Bytes room(2000);
    EXPECT_TRUE(becomes_ready(socket, POLLIN));
    ssize_t const got = ::recv(socket, room.data(), room.size(), flags | MSG_DONTWAIT);
    EXPECT_OK(got);
    room.resize(got < 0 ? 0 : size_t(got));
    return room;
}
inline bool is_silent(int socket)
{
    char byte;
    return ::recv(socket, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}
inline uint16_t word(Bytes const& message, size_t at) { return uint16_t(message[at] << 8 | message[at + 1]); }

} // namespace abi_test
