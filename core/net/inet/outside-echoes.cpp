// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/net/inet/outside-echoes.h"

#include "core/kernel.h"
#include "core/net/inet/icmp-socket.h"
#include "core/net/inet/icmp.h"
#include "core/net/network-namespace.h"
#include "core/net/uplink.h"
#include "core/vfs/operations.h"

namespace umbra::net {

namespace {
constexpr size_t kMostIdentifiers = 16; ///< of one socket that answers from outside may have
} // namespace

/// The outside's answers to requests with one identifier.
class OutsideEchoes::Way final : private DatagramUser {
public:
    static Result<std::unique_ptr<Way>> open(DatagramSocket& owner, u16 identifier)
    {
        std::unique_ptr<Way> made(new Way(owner, identifier));
        made->outside_ = TRY(owner.space().uplink->open_echoes(*made));
        return made;
    }
    Result<void> send(InetName const& to, std::span<u8 const> request) { return outside_->send(to, request); }

private:
    Way(DatagramSocket& owner, u16 identifier)
        : owner_(owner)
        , identifier_(identifier)
    {
    }
    void arrived(InetName const& from, std::span<u8 const> data) override
    {
        NetworkNamespace& space = owner_.space();
        if (!is_echo_reply(data, from.address.is_v4())) return;
        auto* const way = space.way_to(from.address);
        if (!way) return;
        std::vector<u8> reply(data.begin(), data.end());
        IpAddress const to = way->source_for(from.address)->address;
        set_echo_identifier(reply, identifier_);
        set_checksum(reply, from.address, to);
        PacketNotes const notes {
            .to = to, .interface = way->index, .arrived = vfs::current_time(space.kernel)
        };
        IcmpMessage const message { from.address, to, notes, reply };
        show(space, message);
        IcmpSocket::arrive(space, message);
    }
    void failed(Errno why) override { owner_.fail(why); }

    DatagramSocket& owner_;
    u16 identifier_;
    std::unique_ptr<OutsideDatagrams> outside_;
};

OutsideEchoes::OutsideEchoes(DatagramSocket& owner)
    : owner_(owner)
{
}

OutsideEchoes::~OutsideEchoes() = default;

Result<void> OutsideEchoes::send(InetName const& to, IcmpMessage const& message)
{
    if (!is_echo_request(message.bytes, to.address.is_v4())) return err::opnotsupp;
    u16 const identifier = echo_identifier(message.bytes);
    auto found = ways_.find(identifier);
    if (found == ways_.end()) {
        auto made = TRY(Way::open(owner_, identifier));
        if (ways_.size() >= kMostIdentifiers) ways_.erase(ways_.begin());
        found = ways_.emplace(identifier, std::move(made)).first;
    }
    show(owner_.space(), message);
    return found->second->send(to, message.bytes);
}

} // namespace umbra::net
