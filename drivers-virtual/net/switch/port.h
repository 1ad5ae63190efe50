// SPDX-License-Identifier: GPL-2.0-or-later
// A port of a switch. There is no switch beside its ports: each instance has a socket with a name by its number, and each port is
// connected with each other, so that a frame takes one step and nobody has to go last. The lowest number that is free is
// the port's. References: the port holds its links, and a poll in the ring holds a link. Under the kernel lock.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "drivers-virtual/net/host-watch.h"
#include "drivers-virtual/net/switch/protocol.h"
#include "hostabi/local-socket.h"

namespace umbra::drivers {

class SwitchPort final : public Wire {
public:
    struct Counters {
        u64 lost = 0; ///< frames that found no room on their way out
    };

    explicit SwitchPort(HostIo& io);
    ~SwitchPort() override;

    /// Takes a port, and connects it with all that are there. Before the vCPUs run. EADDRINUSE: all ports are taken.
    hostabi::HostResult<void> join(std::string_view switch_name, std::string_view host_name);

    PortNumber number() const { return number_; }
    void start(WireUser& user) override;
    void send(std::span<u8 const> frame) override;
    net::Interface make_interface() const override { return make_switch_interface(number_); }
    Result<void> check_destination(net::IpAddress const& address) const override;
    bool is_itself(net::IpAddress const& address) const override
    {
        return address == switch_address(kSwitchItself, address.is_v4());
    }
    /// Of the name server there.
    Result<std::optional<std::vector<u8>>> answer(u16 port, std::span<u8 const> question) const override;
    Counters const& counters() const { return counters_; }

private:
    class Link;
    class Door;

    bool is_there(PortNumber port) const;
    /// The lowest port whose host has the name, in whatever case; 0: none.
    PortNumber find(std::string_view host_name) const;
    /// What `port` has said of itself; empty: nothing, or nobody is there.
    std::string name_of(PortNumber port) const;
    /// Whether somebody is there who has not said who he is.
    bool awaits_names() const;

    hostabi::HostResult<hostabi::LocalSocket> take_number(std::string_view switch_name);
    void connect_all(std::string_view switch_name);
    Link* link_to(PortNumber port) const;
    void admit(hostabi::LocalSocket socket);
    void forget(Link& link);

    HostIo& io_;
    WireUser* user_ = nullptr; ///< from start() on
    PortNumber number_ = 0;
    std::string greeting_, host_name_;
    RefPtr<Door> door_;
    std::vector<Ref<Link>> links_; ///< two with one port where both have called at once
    std::unique_ptr<u8[]> room_; ///< for one message
    Counters counters_;
};

} // namespace umbra::drivers
