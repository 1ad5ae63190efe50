// SPDX-License-Identifier: GPL-2.0-or-later
// What an instance's Ethernet hangs on: a port of a switch, a tap device, the socket of a peer. It moves frames and knows its
// own addresses; all of TCP/IP is the stack's. Under the kernel lock; nothing here waits.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/net/interface.h"

namespace umbra::drivers {

constexpr u64 kEthernetHeader = 14;
constexpr u64 kUsualPayload = 1500; ///< bytes of a frame (IEEE 802.3)
constexpr u64 kMostPayload = 9000; ///< of one: what is called jumbo
constexpr u64 kMostFrame = kEthernetHeader + kMostPayload;
constexpr i32 kEthernetIndex = 2; ///< of eth0, after lo

/// Who is at the end of the wire: the instance's stack.
class WireUser {
public:
    /// One has come, of any length up to 65,535 bytes.
    virtual void frame_arrived(std::span<u8 const> frame) = 0;
    /// What came at once has been told.
    virtual void all_arrived() = 0;
    /// Nobody has the address any more; all that was sent from there has arrived.
    virtual void address_gone(net::IpAddress const& address) = 0;
    /// Questions that it had no answer to may have one now.
    virtual void may_answer() = 0;

protected:
    ~WireUser() = default;
};

class Wire {
public:
    virtual ~Wire() = default;
    /// Begins to hear; `user` lives as long as this. On a vCPU, once.
    virtual void start(WireUser& user) = 0;
    /// To where its address says. What cannot go is lost.
    virtual void send(std::span<u8 const> frame) = 0;
    /// eth0 as it is at first.
    virtual net::Interface make_interface() const = 0;
    /// Whether somebody can be there. EHOSTUNREACH; ENETUNREACH: nobody forwards to there.
    virtual Result<void> check_destination(net::IpAddress const& address) const = 0;

    /// Whether the wire itself answers at the address, at which no machine is.
    virtual bool is_itself(net::IpAddress const&) const { return false; }
    /// Its answer to a datagram for a port there; empty: none, ever. Null: none yet (`may_answer`). ECONNREFUSED.
    virtual Result<std::optional<std::vector<u8>>> answer(u16 port, std::span<u8 const> question) const
    {
        return err::connrefused;
    }
};

} // namespace umbra::drivers
