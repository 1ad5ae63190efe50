// SPDX-License-Identifier: GPL-2.0-or-later
// The groups that a socket has joined, by interface.
#pragma once

#include <vector>

#include "core/net/inet/address.h"

namespace umbra::net {

class NetworkNamespace;

/// The namespace counts what all sockets have joined; it is there as long as they are.
class Memberships {
public:
    explicit Memberships(NetworkNamespace& space)
        : space_(space)
    {
    }
    ~Memberships();
    Memberships(Memberships const&) = delete;

    /// EADDRINUSE; ENOBUFS: net.ipv4.igmp_max_memberships are joined.
    Result<void> join(IpAddress const& group, i32 interface);
    /// With 0 at any interface. EADDRNOTAVAIL.
    Result<void> leave(IpAddress const& group, i32 interface);
    bool has(IpAddress const& group, i32 interface) const;

private:
    struct Membership {
        IpAddress group;
        i32 interface;
        bool is(IpAddress const& other, i32 index) const
        {
            return group == other && (index == 0 || interface == index);
        }
    };
    void count(Membership const& one, i32 change);

    NetworkNamespace& space_;
    std::vector<Membership> joined_;
};

} // namespace umbra::net
