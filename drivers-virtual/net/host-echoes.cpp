// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/host-echoes.h"

#include <vector>

#include "core/net/inet/icmp.h"

namespace umbra::drivers {

HostEchoes::HostEchoes(UserNetworkState& state, net::DatagramUser& user)
    : state_(state)
    , user_(user)
    , outside_(state, user, nullptr, HostDatagrams::Kind::echo)
{
}

void HostEchoes::answer(net::InetName const& from, std::span<u8 const> request)
{
    std::vector<u8> reply(request.begin(), request.end());
    net::turn_into_reply(reply, from.address.is_v4());
    auto& counters = state_.counters();
    counters.sent_bytes += reply.size(), ++counters.sent_packets;
    counters.received_bytes += reply.size(), ++counters.received_packets;
    user_.arrived(from, reply);
}

Result<void> HostEchoes::send(net::InetName const& to, std::span<u8 const> request)
{
    net::InetName const there { to.address, 0 };
    if (is_user_machine(to.address)) {
        answer(there, request);
        return {};
    }
    TRY(to_host(state_.options, there)); // before the host is asked for a socket
    return outside_.send(there, request);
}

} // namespace umbra::drivers
