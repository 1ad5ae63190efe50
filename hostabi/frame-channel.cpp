// SPDX-License-Identifier: GPL-2.0-or-later
#include "hostabi/frame-channel.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace umbra::hostabi {

namespace {

HostErrno last_error() { return HostErrno { errno }; }

} // namespace

HostResult<FrameChannel> FrameChannel::open_tap(std::string const& name)
{
    // Who may make devices would make one that nothing on the host is connected with.
    if (name.size() >= IFNAMSIZ || ::if_nametoindex(name.c_str()) == 0) return HostErrno { ENODEV };
    auto fd = OwnedFd::open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (fd.is_error()) return fd.error();
    ifreq request {};
    std::ranges::copy(name, request.ifr_name);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (::ioctl(fd.value().get(), TUNSETIFF, &request)) return last_error();
    return FrameChannel(std::move(fd).value(), true);
}

HostResult<FrameChannel> FrameChannel::connect(std::string const& path)
{
    sockaddr_un address {};
    if (path.size() >= sizeof address.sun_path) return HostErrno { ENAMETOOLONG };
    auto fd = OwnedFd::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd.is_error()) return fd.error();
    address.sun_family = AF_UNIX;
    std::ranges::copy(path, address.sun_path);
    auto const* generic = reinterpret_cast<sockaddr const*>(&address); // as connect(2) wants every family's
    // A peer that is about to listen takes the call at once; before the vCPUs run this may wait.
    if (::connect(fd.value().get(), generic, sizeof address)) return last_error();
    if (::fcntl(fd.value().get(), F_SETFL, O_NONBLOCK)) return last_error();
    return FrameChannel(std::move(fd).value(), false);
}

HostResult<u64> FrameChannel::read(std::span<u8> room)
{
    ssize_t const got = ::read(fd(), room.data(), room.size());
    if (got < 0) return last_error();
    return u64(got);
}

HostResult<u64> FrameChannel::write(std::span<u8 const> bytes)
{
    ssize_t const taken = keeps_bounds_ ? ::write(fd(), bytes.data(), bytes.size())
                                        : ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (taken < 0) return last_error();
    return u64(taken);
}

} // namespace umbra::hostabi
