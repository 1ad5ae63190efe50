// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/net/inet/icmp-socket.h"

#include <algorithm>

#include "core/abi/inet.h"
#include "core/kernel.h"
#include "core/net/capture/capture.h"
#include "core/net/inet/icmp.h"
#include "core/net/network-namespace.h"
#include "core/net/uplink.h"
#include "core/task/task.h"
#include "core/vfs/operations.h"

namespace umbra::net {

namespace {
constexpr u64 kMaxMessage = 65535, kMaxRaw = kMaxMessage - kIpHeader;
constexpr size_t kMostIdentifiers = 16; ///< of one raw socket that answers from outside may have
constexpr u64 kIcmpFilterSize = 4;
} // namespace

/// The outside's answers to requests with one identifier. The host's socket has another one.
class IcmpSocket::Outside final : private DatagramUser {
public:
    static Result<std::unique_ptr<Outside>> open(IcmpSocket& owner, u16 identifier)
    {
        std::unique_ptr<Outside> made(new Outside(owner, identifier));
        made->way_ = TRY(owner.space().uplink->open_echoes(*made));
        return made;
    }
    Result<void> send(InetName const& to, std::span<u8 const> request) { return way_->send(to, request); }

private:
    Outside(IcmpSocket& owner, u16 identifier)
        : owner_(owner)
        , identifier_(identifier)
    {
    }
    void arrived(InetName const& from, std::span<u8 const> data) override
    {
        if (!is_echo_reply(data, from.address.is_v4())) return;
        auto* const way = owner_.space().way_to(from.address);
        if (!way) return;
        std::vector<u8> reply(data.begin(), data.end());
        IpAddress const to = way->source_for(from.address)->address;
        set_echo_identifier(reply, identifier_);
        set_checksum(reply, from.address, to);
        PacketNotes const notes {
            .to = to, .interface = way->index, .arrived = vfs::current_time(owner_.kernel_)
        };
        Message const message { from.address, to, notes, reply };
        show(owner_.space(), message);
        arrive(owner_.space(), message);
    }
    void failed(Errno why) override { owner_.fail(why); }

    IcmpSocket& owner_;
    u16 identifier_;
    std::unique_ptr<OutsideDatagrams> way_;
};

IcmpSocket::IcmpSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 type, i32 protocol)
    : DatagramSocket(space, std::move(path), flags, family, type, protocol)
{
    turn_on(abi::so_reuseaddr); // as Linux has it for both
    v6_only = !by_v4();
    if (is_raw()) space.raw_ports.enter(*this, { IpAddress::any(family), u16(protocol) });
}

IcmpSocket::~IcmpSocket() { ports().release(*this); }

PortTable& IcmpSocket::ports() const { return is_raw() ? space().raw_ports : space().ping_ports; }

Result<void> IcmpSocket::bind(Task& task, SocketAddress const& address)
{
    InetName const name = TRY(inet_name_of(address, PortUser::family));
    if (!space().has(name.address)) return err::addrnotavail;
    if (is_raw()) {
        if (has_peer_) return err::inval;
        local.address = name.address;
        return {};
    }
    if (is_bound()) return err::inval;
    copy_reuse_options();
    uid = task.credentials().euid;
    // An identifier is taken whatever the address.
    auto [first, last] = ports().users().equal_range(name.port);
    if (std::any_of(
            first, last, [&](auto const& entry) { return !entry.second->reuse_address || !reuse_address; }))
        return err::addrinuse;
    return ports().bind(space(), *this, name);
}

Result<void> IcmpSocket::connect(Task& task, SocketAddress const& address)
{
    if (address.length < sizeof(u16)) return err::inval;
    if (address.family() == abi::af_unspec) {
        remote = { IpAddress::any(PortUser::family), 0 };
        has_peer_ = false;
        return {};
    }
    InetName const to = TRY(destination(address));
    TRY(bind_for(task, to));
    if (local.address.is_any()) local.address = space().source_for(to.address);
    remote = to;
    has_peer_ = true;
    return {};
}

Result<void> IcmpSocket::check(std::span<u8 const> message) const
{
    if (is_raw()) return {};
    if (message.size() < kEchoHeader || !is_echo_request(message, by_v4()) || message[1] != 0)
        return err::inval;
    return {};
}

Result<InetName> IcmpSocket::choose_destination(SendRequest const& request)
{
    bool const named = request.to && request.to->length > 0;
    if (!named && !has_peer_) return err::destaddrreq;
    if (!named) return remote;
    InetName const wanted = TRY(inet_name_of(*request.to, PortUser::family));
    if (!by_v4() && wanted.address.is_v4()) return err::inval;
    return destination(*request.to);
}

Result<u64> IcmpSocket::send(Task& task, IoBuffer& data, SendRequest& request)
{
    u64 const size = data.remaining();
    if (size > (is_raw() && by_v4() ? kMaxRaw : kMaxMessage)) return err::msgsize;
    if (!is_raw() && size < kEchoHeader) return err::inval;
    if (request.flags & abi::msg_oob) return err::opnotsupp;
    std::vector<u8> bytes(size);
    TRY(data.take_all(bytes.data(), size));
    auto const sent = send_message(task, bytes, request);
    if (!sent.is_error()) return size;
    data.rewind(size); // nothing of it has been sent
    return sent.error();
}

Result<void> IcmpSocket::send_message(Task& task, std::span<u8> bytes, SendRequest const& request)
{
    TRY(check(bytes));
    InetName const to = TRY(choose_destination(request));
    if (error_) return Errno(take_error());
    if (send_shut_) return err::pipe;
    Way const way = TRY(way_for(to.address));
    PacketNotes notes = TRY(notes_for(to, request.ancillary));
    TRY(bind_for(task, to));
    IpAddress from = notes.source.is_any() ? local.address : notes.source;
    if (from.is_any()) from = space().source_for(to.address);
    if (!is_raw()) set_echo_identifier(bytes, local.port);
    // Of IPv4 who is raw has set it.
    bool const wants_checksum = !is_raw() || !by_v4();
    if (wants_checksum && bytes.size() >= kEchoHeader / 2) set_checksum(bytes, from, to.address);
    notes.interface = way_in();
    notes.arrived = vfs::current_time(kernel_);
    Message const message { from, to.address, notes, bytes };
    if (way == Way::nowhere) return {};
    if (way == Way::outside) return send_outside(to, message);
    pass_inside(space(), message);
    return {};
}

Result<void> IcmpSocket::send_outside(InetName const& to, Message const& message)
{
    // What the host's own ping socket does not send.
    if (!is_echo_request(message.bytes, by_v4())) return err::opnotsupp;
    u16 const identifier = echo_identifier(message.bytes);
    auto found = outside_.find(identifier);
    if (found == outside_.end()) {
        auto made = TRY(Outside::open(*this, identifier));
        if (outside_.size() >= kMostIdentifiers) outside_.erase(outside_.begin());
        found = outside_.emplace(identifier, std::move(made)).first;
    }
    show(space(), message);
    return found->second->send(to, message.bytes);
}

void IcmpSocket::pass_inside(NetworkNamespace& space, Message const& message)
{
    show(space, message);
    arrive(space, message);
    bool const is_v4 = message.to.is_v4();
    if (!is_echo_request(message.bytes, is_v4)) return;
    if (!has_right_checksum(message.bytes, message.from, message.to)) return;
    std::vector<u8> reply(message.bytes.begin(), message.bytes.end());
    turn_into_reply(reply, is_v4);
    set_checksum(reply, message.to, message.from);
    PacketNotes notes { .to = message.from, .interface = message.notes.interface };
    notes.traffic_class = message.notes.traffic_class;
    notes.arrived = message.notes.arrived;
    Message const answer { message.to, message.from, notes, reply };
    show(space, answer);
    arrive(space, answer);
}

void IcmpSocket::show(NetworkNamespace const& space, Message const& message)
{
    if (space.capture) [[unlikely]]
        space.capture->icmp(message.from, message.to, message.notes, message.bytes);
}

bool IcmpSocket::wants(Message const& message) const
{
    if (by_v4() != message.to.is_v4() || !covers(message.to)) return false;
    if (!hears(message.notes.interface)) return false;
    if (!is_raw()) return true;
    if (has_peer_ && remote.address != message.from) return false;
    if (message.bytes.empty()) return true;
    u8 const type = message.bytes[0];
    bool const has_bit = !by_v4() || type < kIcmpFilterSize * 8;
    return !(has_bit && unwanted_[type / 8] >> type % 8 & 1);
}

void IcmpSocket::arrive(NetworkNamespace& space, Message const& message)
{
    for (auto const& [protocol, user] : space.raw_ports.users()) {
        auto& raw = static_cast<IcmpSocket&>(*user);
        if (raw.wants(message)) raw.take(message);
    }
    if (!is_echo_reply(message.bytes, message.to.is_v4())) return;
    if (!has_right_checksum(message.bytes, message.from, message.to)) return;
    auto [first, last] = space.ping_ports.users().equal_range(echo_identifier(message.bytes));
    for (auto at = first; at != last; ++at) {
        auto& ping = static_cast<IcmpSocket&>(*at->second);
        if (!ping.wants(message)) continue;
        ping.take(message);
        return;
    }
}

void IcmpSocket::take(Message const& message)
{
    bool const with_header = is_raw() && by_v4();
    u64 const before = with_header ? kIpHeader : 0;
    auto made = make_datagram(before + message.bytes.size(), { message.from, 0 }, message.notes);
    if (made.is_error()) return;
    Datagram datagram = std::move(made).value();
    if (with_header) {
        auto const header = make_ip_header(message.from, message.to, message.bytes.size(),
            message.notes.hop_limit, message.notes.traffic_class, abi::ipproto_icmp);
        std::ranges::copy(header, datagram.data.get());
    }
    std::ranges::copy(message.bytes, datagram.data.get() + before);
    deliver(std::move(datagram));
}

Result<u64> IcmpSocket::receive(Task& task, IoBuffer& data, ReceiveRequest& request)
{
    if (request.flags & abi::msg_oob) return err::opnotsupp;
    u64 const before = data.remaining();
    u64 const size = TRY(DatagramSocket::receive(task, data, request));
    // Linux tells the whole length of raw ones only.
    return is_raw() ? size : std::min(size, before);
}

std::span<u8> IcmpSocket::filter(i32 level, i32 name)
{
    if (!is_raw()) return {};
    if (by_v4() && level == abi::sol_raw && name == abi::icmp_filter)
        return std::span(unwanted_).first(kIcmpFilterSize);
    if (!by_v4() && level == abi::ipproto_icmpv6 && name == abi::icmp6_filter) return unwanted_;
    return {};
}

Result<void> IcmpSocket::set_option(Task& task, i32 level, i32 name, std::span<u8 const> value)
{
    if (auto const kept = filter(level, name); !kept.empty()) {
        std::ranges::copy(value.first(std::min(value.size(), kept.size())), kept.begin());
        return {};
    }
    if (is_raw() && !by_v4() && level == abi::sol_raw && name == abi::ipv6_checksum) {
        // The checksum is where ICMPv6 has it, and the kernel's to set.
        constexpr i32 offset = 2;
        i32 wanted = 0;
        if (value.size() < sizeof wanted) return err::inval;
        std::memcpy(&wanted, value.data(), sizeof wanted);
        return wanted == offset ? Result<void>() : err::inval;
    }
    return DatagramSocket::set_option(task, level, name, value);
}

Result<std::vector<u8>> IcmpSocket::get_option(Task& task, i32 level, i32 name)
{
    if (auto const kept = filter(level, name); !kept.empty())
        return std::vector<u8>(kept.begin(), kept.end());
    return DatagramSocket::get_option(task, level, name);
}

} // namespace umbra::net
