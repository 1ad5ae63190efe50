// SPDX-License-Identifier: GPL-2.0-or-later
// The way out of the instance: what is behind eth0. The kernel speaks to it in connections and datagrams, not in packets; the
// driver (drivers-virtual/net) has sockets of the host's for them. All calls are made under the kernel lock and none waits.
#pragma once

#include <memory>
#include <span>

#include "core/net/interface.h"

namespace umbra::net {

class TcpEnd;

/// Who sends and gets datagrams or echoes: a socket.
class DatagramUser {
public:
    /// One has come. What finds no room is lost.
    virtual void arrived(InetName const& from, std::span<u8 const> data) = 0;
    /// What was sent came back, or the way is gone.
    virtual void failed(Errno why) = 0;

protected:
    ~DatagramUser() = default;
};

/// One datagram socket's share of the outside; gone with it.
class OutsideDatagrams {
public:
    virtual ~OutsideDatagrams() = default;
    /// Only this peer from now on, until `disconnect`. ENETUNREACH, EHOSTUNREACH, ECONNREFUSED, ENOBUFS.
    virtual Result<void> connect(InetName const& to) = 0;
    virtual void disconnect() = 0;
    /// EAGAIN where the host has no room now; EACCES: echoes that the host does not allow; and as connect. An answer may
    /// arrive before it returns.
    virtual Result<void> send(InetName const& to, std::span<u8 const> data) = 0;
};

class Uplink {
public:
    virtual ~Uplink() = default;
    /// eth0 as it is at first. Called once.
    virtual Interface make_interface() = 0;
    /// Makes a connection to near.remote, which ends at TcpEnd::begin_outside. ENETUNREACH, EHOSTUNREACH, ECONNREFUSED,
    /// ENOBUFS where that is known at once.
    virtual Result<void> connect(TcpEnd& near) = 0;
    /// For a socket whose port is `local`; `user` outlives it. ENOBUFS.
    virtual Result<std::unique_ptr<OutsideDatagrams>> open_datagrams(
        DatagramUser& user, InetName const& local)
        = 0;
    /// For echo requests: what is sent and what arrives are messages of ICMP or ICMPv6, whose identifier and checksum are the
    /// uplink's to choose; ports are 0. `user` outlives it. ENOBUFS.
    virtual Result<std::unique_ptr<OutsideDatagrams>> open_echoes(DatagramUser& user) = 0;
    /// Whether others on the wire hear what is sent to a group or to all; otherwise OutsideDatagrams gets none of it.
    virtual bool has_neighbours() const { return false; }
    /// Somebody here hears the group at eth0 from now on, or nobody any more.
    virtual void group_changed(IpAddress const& group, bool is_joined) { }
};

} // namespace umbra::net
