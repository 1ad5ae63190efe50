// SPDX-License-Identifier: GPL-2.0-or-later
// Unix sockets between processes of one user: packets that keep their bounds (SOCK_SEQPACKET) and abstract names, which go with
// the process that has them. Non-blocking, as HostSocket.
#pragma once

#include <span>
#include <string_view>

#include "hostabi/fd.h"

namespace umbra::hostabi {

class LocalSocket {
public:
    LocalSocket() = default;
    /// `name` without the leading NUL. EADDRINUSE: somebody has it.
    static HostResult<LocalSocket> listen(std::string_view name);
    /// ECONNREFUSED: nobody has the name; EAGAIN: too many wait there; EPERM: another user's process has it.
    static HostResult<LocalSocket> connect(std::string_view name);
    /// EAGAIN: nobody waits; EPERM: it was another user's process, which is turned away.
    HostResult<LocalSocket> accept();

    int fd() const { return fd_.get(); }
    void close() { fd_.reset(); }

    /// Both as one packet. EAGAIN: no room; never raises SIGPIPE.
    HostResult<void> send(std::span<u8 const> head, std::span<u8 const> body);
    /// The length of the packet, cut to the room; 0: the peer is gone.
    HostResult<u64> receive(std::span<u8> room);

private:
    explicit LocalSocket(OwnedFd fd)
        : fd_(std::move(fd))
    {
    }
    static HostResult<LocalSocket> make();
    bool is_of_this_user() const;

    OwnedFd fd_;
};

/// The user whose processes may speak to this one.
u32 own_user();

} // namespace umbra::hostabi
