// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/direct/direct-network.h"

#include <poll.h>

#include <algorithm>

#include "core/abi/netlink.h"
#include "core/kernel.h"
#include "drivers-virtual/net/direct/direct-socket.h"
#include "drivers-virtual/net/host-errors.h"

namespace umbra::drivers {

/// Waits for the host's events. Outlives the network where a poll is still in flight.
class DirectNetwork::Ear final : public WatchUser {
public:
    Ear(HostIo& io, DirectNetwork& owner)
        : owner_(&owner)
        , readable_(io, *this)
    {
    }
    void start() { readable_.wait_for(owner_->events_.fd(), POLLIN); }
    void stop()
    {
        owner_ = nullptr;
        readable_.stop();
    }

private:
    void ready(HostWatch&, u32) override
    {
        if (!owner_) return;
        auto const events = owner_->events_.take();
        for (auto const& event : events)
            if (auto const found = owner_->sockets_.find(event.key); found != owner_->sockets_.end())
                found->second->happened(event.events);
        start(); // what was not taken is told at once
    }

    DirectNetwork* owner_;
    HostWatch readable_;
};

DirectNetwork::DirectNetwork(Kernel& kernel, HostIo& io)
    : kernel_(kernel)
    , ear_(make_ref<Ear>(io, *this))
{
}

DirectNetwork::~DirectNetwork() { ear_->stop(); }

static net::Interface make_interface(hostabi::HostInterface const& host)
{
    net::Interface made {
        .name = host.name, .index = host.index, .mtu = host.mtu, .is_loopback = host.is_loopback
    };
    made.hardware_address = host.hardware_address;
    made.is_up = made.was_up = host.is_up;
    for (auto const& one : host.addresses) {
        net::InterfaceAddress address { .address = { one.bytes }, .prefix = one.prefix };
        bool const is_link_local = one.bytes[0] == 0xfe && (one.bytes[1] & 0xc0) == 0x80;
        address.scope = host.is_loopback ? abi::rt_scope_host
            : is_link_local              ? abi::rt_scope_link
                                         : abi::rt_scope_universe;
        if (address.is_v4()) address.label = host.name;
        (void)made.add_address(std::move(address)); // twice the same says nothing new
    }
    if (host.gateway) {
        auto const& bytes = *host.gateway;
        made.gateway = net::IpAddress::v4(bytes[0], bytes[1], bytes[2], bytes[3]);
    }
    return made;
}

hostabi::HostResult<void> DirectNetwork::attach(
    net::NetworkNamespace& space, std::vector<hostabi::HostInterface> const& interfaces)
{
    events_ = TRY(hostabi::SocketEvents::create());
    // What the host does not show (it may hide all) stays as it is with us.
    for (auto const& one : interfaces) {
        if (net::Interface* known = space.find_interface(one.name))
            *known = make_interface(one);
        else
            space.interfaces.push_back(make_interface(one));
    }
    space.direct = this;
    return {};
}

void DirectNetwork::start() { ear_->start(); }

Result<Ref<net::Socket>> DirectNetwork::make(
    net::NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 type, i32 protocol)
{
    auto socket = hostabi::PlainSocket::create(family, type, protocol);
    if (socket.is_error()) return direct_error(socket.error());
    auto made = make_ref<DirectSocket>(
        *this, space, std::move(path), flags, family, type, protocol, std::move(socket).value());
    TRY(enter(*made));
    return Ref<net::Socket>(std::move(made));
}

Result<void> DirectNetwork::enter(DirectSocket& socket)
{
    u64 const key = ++last_key_;
    if (events_.add(socket.host(), key).is_error()) return err::nobufs;
    socket.key = key;
    sockets_.emplace(key, &socket);
    return {};
}

void DirectNetwork::leave(DirectSocket& socket) { sockets_.erase(socket.key); }

} // namespace umbra::drivers
