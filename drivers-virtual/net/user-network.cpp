// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/user-network.h"

#include <poll.h>

#include "core/kernel.h"
#include "core/task/namespaces.h"
#include "drivers-virtual/net/host-connection.h"
#include "drivers-virtual/net/host-echoes.h"
#include "drivers-virtual/net/host-errors.h"

namespace umbra::drivers {

namespace {
using Kind = hostabi::HostSocket::Kind;
} // namespace

/// A published port: who connects to it on the host gets to a listener of the guest's.
class UserNetwork::Listener final : public WatchUser {
public:
    Listener(UserNetworkState& state, hostabi::HostSocket socket, u16 guest_port)
        : state_(state)
        , socket_(std::move(socket))
        , guest_port_(guest_port)
        , readable_(state.io, *this)
    {
    }
    void start() { readable_.wait_for(socket_.fd(), POLLIN); }

private:
    void ready(HostWatch&, u32) override
    {
        constexpr int most_in_a_row = 64;
        for (int i = 0; i < most_in_a_row; ++i) {
            hostabi::HostName peer;
            auto socket = socket_.accept(peer);
            if (socket.is_error()) break; // none, or the host's descriptors are used up: they wait
            bring_in(std::move(socket).value(), from_host(peer));
        }
        start();
    }
    /// Who listens for what comes from there.
    net::TcpEnd* find_listener(net::InetName const& from, net::InetName& to) const
    {
        if (!state_.space.way_to(from.address)) return nullptr;
        to = { state_.space.source_for(from.address), guest_port_ };
        return net::TcpEnd::find_listener(state_.space, to, state_.space.interfaces.back().index);
    }
    void bring_in(hostabi::HostSocket socket, net::InetName from)
    {
        net::InetName to;
        net::TcpEnd* listener = find_listener(from, to);
        if (!listener && !from.address.is_v4()) {
            // The guest has no IPv6, or listens by IPv4 only: the host speaks for its peer.
            from.address = user_gateway();
            listener = find_listener(from, to);
        }
        if (!listener) return socket.reset_on_close();
        auto far = make_ref<net::TcpEnd>(state_.space, listener->family);
        far->local = from;
        far->remote = to;
        far->connect_to(*listener);
        HostConnection::take(state_.kernel, state_.io, std::move(socket), std::move(far), state_.counters());
    }

    UserNetworkState& state_;
    hostabi::HostSocket socket_;
    u16 guest_port_;
    HostWatch readable_;
};

UserNetwork::UserNetwork(Kernel& kernel, HostIo& io, UserNetworkOptions options)
    : state_ { kernel, io, std::move(options), *kernel.first_namespaces().network,
        std::make_unique<u8[]>(UserNetworkState::kRoom) }
{
}

UserNetwork::~UserNetwork() = default;

hostabi::HostResult<void> UserNetwork::publish(PublishedPort const& port)
{
    hostabi::HostName name = port.host;
    auto make = [&] {
        return hostabi::HostSocket::create(port.is_udp ? Kind::datagram : Kind::stream, name.is_v4());
    };
    auto socket = make();
    if (socket.is_error() && name.address == std::array<u8, 16> {}) {
        // A host without IPv6.
        name = hostabi::HostName::v4({ 0, 0, 0, 0 }, name.port);
        socket = make();
    }
    if (socket.is_error()) return socket.error();
    TRY(socket.value().bind(name));
    if (!port.is_udp) TRY(socket.value().listen());
    if (port.is_udp)
        published_.push_back(
            make_ref<PublishedDatagrams>(state_, std::move(socket).value(), port.guest_port));
    else
        listeners_.push_back(make_ref<Listener>(state_, std::move(socket).value(), port.guest_port));
    return {};
}

void UserNetwork::start()
{
    for (auto& one : listeners_)
        one->start();
    for (auto& one : published_)
        one->start();
}

net::Interface UserNetwork::make_interface()
{
    std::array<u8, 3> unique;
    state_.kernel.platform().random_bytes(unique);
    return make_user_interface(state_.options, unique);
}

Result<void> UserNetwork::connect(net::TcpEnd& near)
{
    auto const peer = TRY(to_host(state_.options, near.remote));
    auto socket = hostabi::HostSocket::create(Kind::stream, peer.is_v4());
    if (socket.is_error()) return guest_error(socket.error());
    auto const begun = socket.value().connect(peer);
    if (begun.is_error() && begun.error().value != EINPROGRESS) return guest_error(begun.error());
    HostConnection::begin(state_.kernel, state_.io, std::move(socket).value(), near, state_.counters());
    return {};
}

Result<std::unique_ptr<net::OutsideDatagrams>> UserNetwork::open_datagrams(
    net::DatagramUser& user, net::InetName const& local)
{
    RefPtr<PublishedDatagrams> published;
    for (auto& one : published_)
        if (one->guest_port() == local.port) published = one;
    return std::unique_ptr<net::OutsideDatagrams>(
        std::make_unique<HostDatagrams>(state_, user, std::move(published)));
}

Result<std::unique_ptr<net::OutsideDatagrams>> UserNetwork::open_echoes(net::DatagramUser& user)
{
    return std::unique_ptr<net::OutsideDatagrams>(std::make_unique<HostEchoes>(state_, user));
}

} // namespace umbra::drivers
