// SPDX-License-Identifier: GPL-2.0-or-later
#include "hostabi/local-socket.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace umbra::hostabi {

namespace {

constexpr int kBacklog = 1024;
constexpr int kSendRoom = 1 << 20; ///< bytes; the host cuts it to net.core.wmem_max

HostErrno last_error() { return HostErrno { errno }; }

/// Returns its length.
socklen_t abstract_name(std::string_view name, sockaddr_un& out)
{
    std::memset(&out, 0, sizeof out);
    out.sun_family = AF_UNIX;
    size_t const length = std::min(name.size(), sizeof out.sun_path - 1);
    std::memcpy(out.sun_path + 1, name.data(), length);
    return socklen_t(offsetof(sockaddr_un, sun_path) + 1 + length);
}

sockaddr const* generic(sockaddr_un const& address)
{
    return reinterpret_cast<sockaddr const*>(&address); // as bind(2) and connect(2) want every family's
}

} // namespace

HostResult<LocalSocket> LocalSocket::make()
{
    auto made = OwnedFd::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made.is_error()) return made.error();
    (void)::setsockopt(made.value().get(), SOL_SOCKET, SO_SNDBUF, &kSendRoom, sizeof kSendRoom);
    return LocalSocket(std::move(made).value());
}

bool LocalSocket::is_of_this_user() const
{
    ucred peer {};
    socklen_t length = sizeof peer;
    return ::getsockopt(fd(), SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == ::geteuid();
}

HostResult<LocalSocket> LocalSocket::listen(std::string_view name)
{
    auto made = make();
    if (made.is_error()) return made;
    sockaddr_un address;
    socklen_t const length = abstract_name(name, address);
    if (::bind(made.value().fd(), generic(address), length) || ::listen(made.value().fd(), kBacklog))
        return last_error();
    return made;
}

HostResult<LocalSocket> LocalSocket::connect(std::string_view name)
{
    auto made = make();
    if (made.is_error()) return made;
    sockaddr_un address;
    socklen_t const length = abstract_name(name, address);
    if (::connect(made.value().fd(), generic(address), length)) return last_error();
    if (!made.value().is_of_this_user()) return HostErrno { EPERM };
    return made;
}

HostResult<LocalSocket> LocalSocket::accept()
{
    int const fd = ::accept4(this->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return last_error();
    LocalSocket made(OwnedFd::adopt(fd));
    if (!made.is_of_this_user()) return HostErrno { EPERM };
    (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendRoom, sizeof kSendRoom);
    return made;
}

HostResult<void> LocalSocket::send(std::span<u8 const> head, std::span<u8 const> body)
{
    // sendmsg(2) only reads them.
    iovec parts[]
        = { { const_cast<u8*>(head.data()), head.size() }, { const_cast<u8*>(body.data()), body.size() } };
    msghdr message {};
    message.msg_iov = parts;
    message.msg_iovlen = std::size(parts);
    if (::sendmsg(fd(), &message, MSG_NOSIGNAL) < 0) return last_error();
    return {};
}

HostResult<u64> LocalSocket::receive(std::span<u8> room)
{
    ssize_t const got = ::recv(fd(), room.data(), room.size(), 0);
    if (got < 0) return last_error();
    return u64(got);
}

u32 own_user() { return ::geteuid(); }

} // namespace umbra::hostabi
