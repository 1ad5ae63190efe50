// SPDX-License-Identifier: GPL-2.0-or-later
#include "hostabi/plain-socket.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

namespace umbra::hostabi {

namespace {

HostErrno last_error() { return HostErrno { errno }; }
HostResult<void> checked(int result)
{
    return result < 0 ? HostResult<void>(last_error()) : HostResult<void>();
}

sockaddr const* as_address(std::span<u8 const> bytes)
{
    return reinterpret_cast<sockaddr const*>(bytes.data()); // any family's: the host reads it by its length
}

template <typename Ask> HostResult<PlainAddress> address_by(Ask ask)
{
    PlainAddress address;
    socklen_t length = socklen_t(address.bytes.size());
    if (ask(reinterpret_cast<sockaddr*>(address.bytes.data()), &length) < 0) return last_error();
    address.length = length;
    return address;
}

} // namespace

HostResult<PlainSocket> PlainSocket::create(i32 family, i32 type, i32 protocol)
{
    PlainSocket made;
    made.fd_ = OwnedFd::adopt(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
    if (!made.fd_) return last_error();
    return made;
}

HostResult<void> PlainSocket::bind(std::span<u8 const> address)
{
    return checked(::bind(fd(), as_address(address), socklen_t(address.size())));
}

HostResult<void> PlainSocket::listen(i32 backlog) { return checked(::listen(fd(), backlog)); }

HostResult<PlainSocket> PlainSocket::accept()
{
    PlainSocket made;
    made.fd_ = OwnedFd::adopt(::accept4(fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!made.fd_) return last_error();
    return made;
}

HostResult<void> PlainSocket::connect(std::span<u8 const> address)
{
    return checked(::connect(fd(), as_address(address), socklen_t(address.size())));
}

HostResult<void> PlainSocket::shutdown(i32 how) { return checked(::shutdown(fd(), how)); }

HostResult<PlainAddress> PlainSocket::name() const
{
    return address_by([&](sockaddr* to, socklen_t* length) { return ::getsockname(fd(), to, length); });
}

HostResult<PlainAddress> PlainSocket::peer() const
{
    return address_by([&](sockaddr* to, socklen_t* length) { return ::getpeername(fd(), to, length); });
}

HostResult<u64> PlainSocket::send(std::span<u8 const> data, Sending const& how)
{
    iovec piece { const_cast<u8*>(data.data()), data.size() }; // it is read only
    msghdr message {};
    message.msg_iov = &piece, message.msg_iovlen = 1;
    message.msg_name = const_cast<u8*>(how.to.data()), message.msg_namelen = socklen_t(how.to.size());
    message.msg_control = how.control.data(), message.msg_controllen = how.control.size();
    ssize_t const sent = ::sendmsg(fd(), &message, int(how.flags) | MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return last_error();
    return u64(sent);
}

HostResult<u64> PlainSocket::receive(std::span<u8> room, Receiving& how)
{
    iovec piece { room.data(), room.size() };
    msghdr message {};
    message.msg_iov = &piece, message.msg_iovlen = 1;
    message.msg_name = how.from.bytes.data(), message.msg_namelen = socklen_t(how.from.bytes.size());
    message.msg_control = how.control.data(), message.msg_controllen = how.control.size();
    ssize_t const received = ::recvmsg(fd(), &message, int(how.flags) | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (received < 0) return last_error();
    how.from.length = message.msg_namelen;
    how.control.resize(message.msg_controllen);
    how.flags = u32(message.msg_flags);
    return u64(received);
}

HostResult<void> PlainSocket::set_option(i32 level, i32 name, std::span<u8 const> value)
{
    return checked(::setsockopt(fd(), level, name, value.data(), socklen_t(value.size())));
}

HostResult<u64> PlainSocket::get_option(i32 level, i32 name, std::span<u8> room) const
{
    socklen_t length = socklen_t(room.size());
    if (::getsockopt(fd(), level, name, room.data(), &length) < 0) return last_error();
    return u64(length);
}

i32 PlainSocket::error()
{
    int value = 0;
    socklen_t length = sizeof value;
    return ::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &value, &length) < 0 ? errno : value;
}

HostResult<i32> PlainSocket::ask(u32 command) const
{
    int value = 0;
    if (::ioctl(fd(), command, &value) < 0) return last_error();
    return value;
}

u32 PlainSocket::readiness() const
{
    constexpr short all
        = POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLRDHUP;
    pollfd one { fd(), all, 0 };
    return ::poll(&one, 1, 0) == 1 ? u32(u16(one.revents)) : 0;
}

HostResult<SocketEvents> SocketEvents::create()
{
    SocketEvents made;
    made.fd_ = TRY(OwnedFd::epoll());
    return made;
}

HostResult<void> SocketEvents::add(PlainSocket const& socket, u64 key)
{
    epoll_event wanted {};
    wanted.events = EPOLLET | EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP;
    wanted.data.u64 = key;
    return checked(::epoll_ctl(fd(), EPOLL_CTL_ADD, socket.fd(), &wanted));
}

std::vector<SocketEvents::Event> SocketEvents::take()
{
    std::array<epoll_event, kMost> room;
    int const count = ::epoll_wait(fd(), room.data(), int(room.size()), 0);
    std::vector<Event> taken;
    for (int i = 0; i < count; ++i)
        taken.push_back({ room[size_t(i)].data.u64, room[size_t(i)].events });
    return taken;
}

} // namespace umbra::hostabi
