// SPDX-License-Identifier: GPL-2.0-or-later
// Internet sockets of the host's, for the user network. All are non-blocking, so that no call here waits: what cannot be done
// now is EAGAIN, and Ring::poll tells when to try again.
#pragma once

#include <array>
#include <span>
#include <string>

#include "hostabi/fd.h"

namespace umbra::hostabi {

/// An address and a port in host byte order. IPv4 as its v4-mapped IPv6 address.
struct HostName {
    std::array<u8, 16> address {};
    u16 port = 0;

    static HostName v4(std::array<u8, 4> address, u16 port);
    bool is_v4() const;
    bool operator==(HostName const&) const = default;
};

class HostSocket {
public:
    /// `echo`: a ping socket, which sends and receives messages of ICMP, or ICMPv6; ports are 0.
    enum class Kind : u8 { stream, datagram, echo };

    HostSocket() = default;
    /// EMFILE, EAFNOSUPPORT, EACCES for an echo where net.ipv4.ping_group_range does not have the user, ...
    static HostResult<HostSocket> create(Kind kind, bool is_v4);

    int fd() const { return fd_.get(); }
    explicit operator bool() const { return bool(fd_); }
    void close() { fd_.reset(); }

    /// A listener's address may be taken again at once after an earlier one has gone (SO_REUSEADDR). An IPv6 one takes IPv4's
    /// peers as well.
    HostResult<void> bind(HostName const& name);
    HostResult<void> listen();
    /// EAGAIN: no connection waits.
    HostResult<HostSocket> accept(HostName& peer);
    /// EINPROGRESS: POLLOUT tells when error() has the outcome.
    HostResult<void> connect(HostName const& peer);
    /// Of a datagram socket: no peer any more.
    void disconnect();
    /// SO_ERROR, which this clears; 0 for none.
    i32 error() const;
    /// Small writes go out at once (TCP_NODELAY).
    void send_at_once();
    /// Closing resets the connection (SO_LINGER with no time).
    void reset_on_close();
    HostResult<void> finish_sending();

    /// Never raises SIGPIPE.
    HostResult<u64> send(std::span<u8 const> data);
    HostResult<u64> receive(std::span<u8> room);
    HostResult<void> send_to(HostName const& to, std::span<u8 const> data);
    HostResult<u64> receive_from(HostName& from, std::span<u8> room);

private:
    OwnedFd fd_;
    bool is_v4_ = true;
};

/// Whether the host has a way to the world by IPv6. Sends nothing.
bool has_ipv6_route();
/// The first name server of the host's /etc/resolv.conf, with port 53; false: there is none. Reads the file: before the vCPUs run.
bool find_name_server(HostName& server);

} // namespace umbra::hostabi
