// SPDX-License-Identifier: GPL-2.0-or-later
// A socket of the host's that a guest has as its own: addresses, options and control messages pass as they are, since the guest's
// Linux and the host's have the same. All are non-blocking, so that no call here waits: what cannot be done now is EAGAIN, and
// SocketEvents tells when to try again.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "hostabi/fd.h"

namespace umbra::hostabi {

/// A struct sockaddr.
struct PlainAddress {
    std::array<u8, 128> bytes {};
    u32 length = 0;
    std::span<u8 const> span() const { return { bytes.data(), length }; }
};

class PlainSocket {
public:
    PlainSocket() = default;
    static HostResult<PlainSocket> create(i32 family, i32 type, i32 protocol);

    int fd() const { return fd_.get(); }
    /// Never waits: SO_LINGER with a time is not for set_option.
    void close() { fd_.reset(); }

    HostResult<void> bind(std::span<u8 const> address);
    HostResult<void> listen(i32 backlog);
    HostResult<PlainSocket> accept();
    /// EINPROGRESS: it goes on.
    HostResult<void> connect(std::span<u8 const> address);
    HostResult<void> shutdown(i32 how);
    HostResult<PlainAddress> name() const;
    HostResult<PlainAddress> peer() const;

    struct Sending {
        std::span<u8 const> to {}; ///< empty: the peer
        std::span<u8> control {}; ///< as in msghdr
        u32 flags = 0; ///< MSG_*
    };
    /// Never raises SIGPIPE.
    HostResult<u64> send(std::span<u8 const> data, Sending const& how);

    struct Receiving {
        u32 flags = 0; ///< MSG_*, before and after
        PlainAddress from {};
        std::vector<u8> control {}; ///< the room for it, and what has come
    };
    HostResult<u64> receive(std::span<u8> room, Receiving& how);

    HostResult<void> set_option(i32 level, i32 name, std::span<u8 const> value);
    /// Returns the length.
    HostResult<u64> get_option(i32 level, i32 name, std::span<u8> room) const;
    /// SO_ERROR, which this clears; 0 for none.
    i32 error();
    /// An ioctl that gives a number: SIOCINQ, SIOCOUTQ, SIOCATMARK.
    HostResult<i32> ask(u32 command) const;
    /// The poll(2) bits that hold now.
    u32 readiness() const;

private:
    OwnedFd fd_;
};

/// What happens at many sockets, each thing once (epoll's edges).
class SocketEvents {
public:
    static HostResult<SocketEvents> create();
    /// Readable: take() has something.
    int fd() const { return fd_.get(); }
    /// Until the socket is closed. ENOSPC, ENOMEM.
    HostResult<void> add(PlainSocket const& socket, u64 key);

    struct Event {
        u64 key;
        u32 events; ///< of poll(2)
    };
    static constexpr u64 kMost = 64;
    /// Up to kMost of them.
    std::vector<Event> take();

private:
    OwnedFd fd_;
};

} // namespace umbra::hostabi
