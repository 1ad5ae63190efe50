// SPDX-License-Identifier: GPL-2.0-or-later
// Ways for frames of Ethernet between this process and the host: a tap device (tuntap.rst), or the socket of a peer that speaks as
// QEMU's stream netdev does, passt(1) for one. Non-blocking.
#pragma once

#include <span>
#include <string>

#include "hostabi/fd.h"

namespace umbra::hostabi {

class FrameChannel {
public:
    /// The device has to be there, and be this user's. ENOENT: the host has no /dev/net/tun; EACCES, EPERM: it is not this
    /// user's; ENODEV: there is none of the name; EBUSY: somebody has it; EINVAL: it is a tun device, or has several queues.
    static HostResult<FrameChannel> open_tap(std::string const& name);
    /// The name of a Unix stream socket. As connect(2); ENAMETOOLONG.
    static HostResult<FrameChannel> connect(std::string const& path);

    int fd() const { return fd_.get(); }
    void close() { fd_.reset(); }
    /// Whether each read and write is one frame; else they are bytes, and a frame has its length before it.
    bool keeps_bounds() const { return keeps_bounds_; }

    /// The number of bytes; 0: the peer is gone. EAGAIN; EIO: the device is down.
    HostResult<u64> read(std::span<u8> room);
    /// How many of the bytes were taken. EAGAIN, EPIPE, EIO.
    HostResult<u64> write(std::span<u8 const> bytes);

private:
    FrameChannel(OwnedFd fd, bool keeps_bounds)
        : fd_(std::move(fd))
        , keeps_bounds_(keeps_bounds)
    {
    }

    OwnedFd fd_;
    bool keeps_bounds_;
};

} // namespace umbra::hostabi
