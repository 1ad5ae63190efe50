// SPDX-License-Identifier: GPL-2.0-or-later
// Who has which port of one protocol: bound sockets, listeners and connections; of ICMP which identifier, and of raw sockets
// which protocol. Guarded by the kernel lock. References:
// none; whoever is in the table takes itself out before it goes.
#pragma once

#include <map>

#include "core/net/inet/address.h"

namespace umbra::net {

class PortTable;

/// One that has, or will have, a port.
class PortUser {
public:
    explicit PortUser(i32 family)
        : family(family)
        , local { IpAddress::any(family), 0 }
        , remote { IpAddress::any(family), 0 }
    {
    }
    PortUser(PortUser const&) = delete;
    virtual ~PortUser() = default;

    bool is_bound() const { return table_ != nullptr; }
    /// Whether something sent to `address` is for this one.
    bool covers(IpAddress const& address) const;
    /// Whether it hears what comes in there (SO_BINDTODEVICE).
    bool hears(i32 interface) const { return !only_interface || only_interface == interface; }
    bool is_connected() const { return remote.port != 0; }
    /// The state column of /proc/net/tcp and udp.
    virtual u32 state_number() const = 0;
    virtual u64 receive_queue_bytes() const = 0;
    virtual u32 backlog() const { return 0; } ///< of a listener: the most that may wait
    virtual u64 inode_number() const = 0; ///< 0 without a file

    i32 const family;
    InetName local, remote;
    bool v6_only = false;
    bool reuse_address = false, reuse_port = false; ///< SO_REUSEADDR, SO_REUSEPORT
    i32 only_interface = 0; ///< SO_BINDTODEVICE; 0: any
    u32 uid = 0;
    bool is_listening = false;

private:
    friend class PortTable;
    PortTable* table_ = nullptr;
};

class PortTable {
public:
    /// Binds to `name`, or with port 0 to a free one of the ephemeral range. EADDRINUSE.
    Result<void> bind(NetworkNamespace const& space, PortUser& user, InetName name);
    /// Among others of the same name, without asking.
    void enter(PortUser& user, InetName const& name) { add(user, name); }
    /// A connection of a listener has the same port.
    void share(PortUser& user, PortUser const& listener, InetName const& local);
    void release(PortUser& user);
    /// Whether a listener on the port of `user` would meet another one.
    bool has_other_listener(PortUser const& user) const;

    std::multimap<u16, PortUser*> const& users() const { return users_; }

private:
    bool conflicts(PortUser const& user, InetName const& name) const;
    void add(PortUser& user, InetName const& name);

    std::multimap<u16, PortUser*> users_;
};

} // namespace umbra::net
