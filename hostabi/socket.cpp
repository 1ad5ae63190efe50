// SPDX-License-Identifier: GPL-2.0-or-later
#include "hostabi/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace umbra::hostabi {

namespace {

constexpr std::array<u8, 12> kMapped = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
constexpr int kBacklog = 4096;
constexpr u16 kDnsPort = 53;

union AnyAddress {
    sockaddr base;
    sockaddr_in v4;
    sockaddr_in6 v6;
};

/// As a socket of that family wants it. Returns its length.
socklen_t to_host(HostName const& name, bool is_v4, AnyAddress& out)
{
    std::memset(&out, 0, sizeof out);
    if (is_v4) {
        out.v4.sin_family = AF_INET;
        out.v4.sin_port = htons(name.port);
        std::memcpy(&out.v4.sin_addr, &name.address[kMapped.size()], sizeof out.v4.sin_addr);
        return sizeof out.v4;
    }
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(name.port);
    std::memcpy(&out.v6.sin6_addr, name.address.data(), sizeof out.v6.sin6_addr);
    return sizeof out.v6;
}

HostName from_host(AnyAddress const& address)
{
    if (address.base.sa_family == AF_INET) {
        std::array<u8, 4> bytes;
        std::memcpy(bytes.data(), &address.v4.sin_addr, bytes.size());
        return HostName::v4(bytes, ntohs(address.v4.sin_port));
    }
    HostName name { {}, ntohs(address.v6.sin6_port) };
    std::memcpy(name.address.data(), &address.v6.sin6_addr, name.address.size());
    return name;
}

HostErrno last_error() { return HostErrno { errno }; }
HostResult<void> checked(int result)
{
    return result < 0 ? HostResult<void>(last_error()) : HostResult<void>();
}
HostResult<u64> counted(ssize_t result)
{
    return result < 0 ? HostResult<u64>(last_error()) : HostResult<u64>(u64(result));
}

} // namespace

HostName HostName::v4(std::array<u8, 4> address, u16 port)
{
    HostName name { {}, port };
    std::ranges::copy(kMapped, name.address.begin());
    std::ranges::copy(address, name.address.begin() + kMapped.size());
    return name;
}

bool HostName::is_v4() const { return std::equal(kMapped.begin(), kMapped.end(), address.begin()); }

HostResult<HostSocket> HostSocket::create(Kind kind, bool is_v4)
{
    int const type = (kind == Kind::stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int const protocol = kind != Kind::echo ? 0 : is_v4 ? int(IPPROTO_ICMP) : int(IPPROTO_ICMPV6);
    int const fd = ::socket(is_v4 ? AF_INET : AF_INET6, type, protocol);
    if (fd < 0) return last_error();
    HostSocket made;
    made.fd_ = OwnedFd::adopt(fd);
    made.is_v4_ = is_v4;
    return made;
}

HostResult<void> HostSocket::bind(HostName const& name)
{
    int const on = 1, off = 0;
    (void)::setsockopt(fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!is_v4_) (void)::setsockopt(fd(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    AnyAddress address;
    return checked(::bind(fd(), &address.base, to_host(name, is_v4_, address)));
}

HostResult<void> HostSocket::listen() { return checked(::listen(fd(), kBacklog)); }

HostResult<HostSocket> HostSocket::accept(HostName& peer)
{
    AnyAddress address;
    socklen_t length = sizeof address;
    int const fd = ::accept4(this->fd(), &address.base, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return last_error();
    peer = from_host(address);
    HostSocket made;
    made.fd_ = OwnedFd::adopt(fd);
    made.is_v4_ = is_v4_;
    return made;
}

HostResult<void> HostSocket::connect(HostName const& peer)
{
    AnyAddress address;
    return checked(::connect(fd(), &address.base, to_host(peer, is_v4_, address)));
}

void HostSocket::disconnect()
{
    sockaddr none {};
    none.sa_family = AF_UNSPEC;
    (void)::connect(fd(), &none, sizeof none);
}

i32 HostSocket::error() const
{
    int error = 0;
    socklen_t length = sizeof error;
    return ::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &length) ? errno : error;
}

void HostSocket::send_at_once()
{
    int const on = 1;
    (void)::setsockopt(fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void HostSocket::reset_on_close()
{
    linger const now { 1, 0 };
    (void)::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

HostResult<void> HostSocket::finish_sending() { return checked(::shutdown(fd(), SHUT_WR)); }

HostResult<u64> HostSocket::send(std::span<u8 const> data)
{
    return counted(::send(fd(), data.data(), data.size(), MSG_NOSIGNAL));
}

HostResult<u64> HostSocket::receive(std::span<u8> room)
{
    return counted(::recv(fd(), room.data(), room.size(), 0));
}

HostResult<void> HostSocket::send_to(HostName const& to, std::span<u8 const> data)
{
    AnyAddress address;
    socklen_t const length = to_host(to, is_v4_, address);
    return checked(int(::sendto(fd(), data.data(), data.size(), MSG_NOSIGNAL, &address.base, length)));
}

HostResult<u64> HostSocket::receive_from(HostName& from, std::span<u8> room)
{
    AnyAddress address;
    socklen_t length = sizeof address;
    auto const got = counted(::recvfrom(fd(), room.data(), room.size(), 0, &address.base, &length));
    if (got.ok()) from = from_host(address);
    return got;
}

bool has_ipv6_route()
{
    auto probe = HostSocket::create(HostSocket::Kind::datagram, false);
    if (probe.is_error()) return false;
    // A name server of the world's: any global address would do.
    HostName world { { 0x20, 0x01, 0x48, 0x60, 0x48, 0x60, 0, 0, 0, 0, 0, 0, 0, 0, 0x88, 0x88 }, kDnsPort };
    return probe.value().connect(world).ok();
}

bool find_name_server(HostName& server)
{
    std::ifstream file("/etc/resolv.conf");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string key, address;
        if (!(words >> key >> address) || key != "nameserver") continue;
        std::array<u8, 4> v4;
        HostName name { {}, kDnsPort };
        if (::inet_pton(AF_INET, address.c_str(), v4.data()) == 1) {
            server = HostName::v4(v4, kDnsPort);
            return true;
        }
        if (::inet_pton(AF_INET6, address.c_str(), name.address.data()) == 1) {
            server = name;
            return true;
        }
    }
    return false;
}

} // namespace umbra::hostabi
