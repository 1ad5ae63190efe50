// SPDX-License-Identifier: GPL-2.0-or-later
// Those who see what passes the interfaces of a network namespace: the file of --pcap, raw sockets and packet sockets.
// References: the namespace knows them without holding them; each takes itself out before it goes.
#pragma once

#include <span>

#include "core/net/interface.h"

namespace umbra::net {

/// Which way a packet passes an interface; one that a machine sends to itself leaves lo and arrives there.
enum class Passage : u8 { leaves, arrives, loops };

class PacketWatcher;

/// A packet at the moment at which it passes.
struct PacketSight {
    Interface const& interface;
    Passage passage;
    u16 ethertype; ///< ETH_P_*, in host byte order
    std::span<u8 const> packet; ///< without the header of the link
    Interface::HardwareAddress from {}, to {}; ///< as the header of the link has them
    PacketWatcher const* sender = nullptr; ///< the packet socket that has made it

    bool leaves() const { return passage != Passage::arrives; }
    bool arrives() const { return passage != Passage::leaves; }
};

class PacketWatcher {
public:
    /// Must not wait, nor send.
    virtual void see(PacketSight const& sight) = 0;

protected:
    ~PacketWatcher() = default;
};

} // namespace umbra::net
