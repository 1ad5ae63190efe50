// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/host-datagrams.h"

#include <poll.h>

#include "core/net/inet/udp-socket.h"
#include "drivers-virtual/net/host-errors.h"

namespace umbra::drivers {

namespace {

constexpr int kMostInARow = 64; ///< then others get their turn
constexpr size_t kMostPeers = 4096;

Result<void> guest_result(hostabi::HostResult<void> result)
{
    return result.is_error() ? Result<void>(guest_error(result.error())) : Result<void>();
}

} // namespace

/// A socket of the host's, for one of a guest's.
class HostDatagrams::Flow final : public WatchUser {
public:
    Flow(UserNetworkState& state, net::DatagramUser& user, hostabi::HostSocket socket)
        : state_(state)
        , user_(&user)
        , socket_(std::move(socket))
        , readable_(state.io, *this)
    {
    }
    void close()
    {
        user_ = nullptr;
        readable_.stop();
        socket_.close();
    }
    Result<void> connect(net::InetName const& to)
    {
        auto const peer = TRY(to_host(state_.options, to));
        asks_name_server_ = to.address == user_name_server();
        TRY(guest_result(socket_.connect(peer)));
        listen();
        return {};
    }
    void disconnect() { socket_.disconnect(); }
    Result<void> send(net::InetName const& to, std::span<u8 const> data)
    {
        auto const peer = TRY(to_host(state_.options, to));
        asks_name_server_ |= to.address == user_name_server();
        TRY(guest_result(socket_.send_to(peer, data)));
        listen();
        return {};
    }

private:
    void listen() { readable_.wait_for(socket_.fd(), POLLIN); }
    void ready(HostWatch&, u32) override
    {
        for (int i = 0; user_ && i < kMostInARow; ++i) {
            hostabi::HostName from;
            auto const got = socket_.receive_from(from, { state_.room.get(), UserNetworkState::kRoom });
            if (got.is_error()) {
                if (is_not_now(got.error())) break;
                user_->failed(guest_error(got.error()));
                continue;
            }
            state_.counters().count_received(got.value());
            user_->arrived(sender(from), { state_.room.get(), got.value() });
        }
        if (user_) listen();
    }
    net::InetName sender(hostabi::HostName const& from) const
    {
        if (asks_name_server_ && from == state_.options.name_server) return { user_name_server(), from.port };
        return from_host(from);
    }

    UserNetworkState& state_;
    net::DatagramUser* user_; ///< null: gone
    hostabi::HostSocket socket_;
    HostWatch readable_;
    bool asks_name_server_ = false;
};

HostDatagrams::HostDatagrams(
    UserNetworkState& state, net::DatagramUser& user, RefPtr<PublishedDatagrams> published, Kind kind)
    : state_(state)
    , user_(user)
    , published_(std::move(published))
    , kind_(kind)
{
}

HostDatagrams::~HostDatagrams()
{
    for (auto& flow : flows_)
        if (flow) flow->close();
}

Result<HostDatagrams::Flow*> HostDatagrams::flow(bool is_v4)
{
    auto& flow = flows_[is_v4];
    if (!flow) {
        auto socket = hostabi::HostSocket::create(kind_, is_v4);
        if (socket.is_error() && kind_ == Kind::echo && socket.error().value == EACCES) return err::acces;
        if (socket.is_error()) return guest_error(socket.error());
        flow = make_ref<Flow>(state_, user_, std::move(socket).value());
    }
    return flow.get();
}

Result<void> HostDatagrams::connect(net::InetName const& to)
{
    if (published_) return {}; // whose sender is looked at where it arrives
    return TRY(flow(to.address.is_v4()))->connect(to);
}

void HostDatagrams::disconnect()
{
    for (auto& flow : flows_)
        if (flow) flow->disconnect();
}

Result<void> HostDatagrams::send(net::InetName const& to, std::span<u8 const> data)
{
    if (published_)
        TRY(published_->send(to, data));
    else
        TRY(TRY(flow(to.address.is_v4()))->send(to, data));
    state_.counters().count_sent(data.size());
    return {};
}

PublishedDatagrams::PublishedDatagrams(UserNetworkState& state, hostabi::HostSocket socket, u16 guest_port)
    : state_(state)
    , socket_(std::move(socket))
    , guest_port_(guest_port)
    , readable_(state.io, *this)
{
}

void PublishedDatagrams::start() { readable_.wait_for(socket_.fd(), POLLIN); }

void PublishedDatagrams::note(hostabi::HostName const& peer)
{
    if (!is_host_loopback(peer)) return;
    if (local_peers_.size() >= kMostPeers) local_peers_.clear();
    local_peers_.insert(peer.port);
}

void PublishedDatagrams::ready(HostWatch&, u32)
{
    for (int i = 0; i < kMostInARow; ++i) {
        hostabi::HostName host;
        auto const got = socket_.receive_from(host, { state_.room.get(), UserNetworkState::kRoom });
        if (got.is_error()) {
            if (is_not_now(got.error())) break;
            continue; // an answer to somebody was not wanted
        }
        note(host);
        auto const from = from_host(host);
        state_.counters().count_received(got.value());
        if (!state_.space.way_to(from.address)) continue; // eth0 is down
        // Nobody there: it is lost.
        (void)net::UdpSocket::deliver_from_outside(state_.space,
            { state_.space.source_for(from.address), guest_port_ }, from, { state_.room.get(), got.value() });
    }
    start();
}

Result<void> PublishedDatagrams::send(net::InetName const& to, std::span<u8 const> data)
{
    UserNetworkOptions options = state_.options;
    options.host_loopback |= local_peers_.contains(to.port);
    return guest_result(socket_.send_to(TRY(to_host(options, to)), data));
}

} // namespace umbra::drivers
