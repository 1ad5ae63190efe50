// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/net/inet/raw-socket.h"

#include "core/abi/inet.h"
#include "core/abi/packet.h"
#include "core/kernel.h"
#include "core/net/capture/packet-maker.h"
#include "core/net/inet/checksum.h"
#include "core/net/inet/icmp.h"
#include "core/net/network-namespace.h"
#include "core/net/option-value.h"
#include "core/task/task.h"
#include "core/vfs/operations.h"

namespace umbra::net {

namespace {

constexpr u64 kMaxPacket = 65535;
constexpr u64 kIcmpFilterSize = 4;
constexpr i32 kIcmp6ChecksumAt = 2;

} // namespace

RawSocket::RawSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 protocol)
    : IpSocket(space, std::move(path), flags, family, abi::sock_raw, protocol)
    , has_header_(by_v4() && protocol == abi::ipproto_raw)
{
    if (protocol == abi::ipproto_icmpv6) checksum_at_ = kIcmp6ChecksumAt;
    space.raw_ports.enter(*this, { IpAddress::any(family), u16(protocol) });
    space.watch(*this);
}

RawSocket::~RawSocket()
{
    space().unwatch(*this);
    ports().release(*this);
}

PortTable& RawSocket::ports() const { return space().raw_ports; }

bool RawSocket::is_icmp() const { return protocol() == (by_v4() ? abi::ipproto_icmp : abi::ipproto_icmpv6); }

Result<void> RawSocket::bind(Task&, SocketAddress const& address)
{
    InetName const name = TRY(inet_name_of(address, PortUser::family));
    if (!space().has(name.address)) return err::addrnotavail;
    if (has_peer()) return err::inval;
    local.address = name.address;
    return {};
}

Result<u64> RawSocket::send(Task&, IoBuffer& data, SendRequest& request)
{
    u64 const size = data.remaining();
    u64 const header = by_v4() && !has_header_ ? kIpHeader : 0;
    if (size + header > kMaxPacket) return err::msgsize;
    if (request.flags & abi::msg_oob) return err::opnotsupp;
    std::vector<u8> bytes(size);
    TRY(data.take_all(bytes.data(), size));
    auto const sent = send_message(std::move(bytes), request);
    if (!sent.is_error()) return size;
    data.rewind(size); // nothing of it has been sent
    return sent.error();
}

Result<void> RawSocket::send_message(std::vector<u8> bytes, SendRequest const& request)
{
    InetName const to = TRY(choose_destination(request));
    if (error_) return Errno(take_error());
    if (send_shut_) return err::pipe;
    Way const way = TRY(way_for(to.address));
    PacketNotes notes = TRY(notes_for(to, request.ancillary));
    if (notes.source.is_any()) notes.source = local.address;
    if (notes.source.is_any()) notes.source = space().source_for(to.address);
    notes.interface = way_in();
    notes.arrived = vfs::current_time(kernel_);
    auto const packet = TRY(make_packet(std::move(bytes), to, notes));
    if (way == Way::outside) {
        auto const parsed = parse_ip_packet(packet);
        if (!parsed || !is_icmp()) return err::opnotsupp;
        return outside_.send(to, { parsed->from, parsed->to, notes, parsed->payload });
    }
    if (way == Way::nowhere) return {};
    loop_back(space(),
        { .interface = space().loopback(),
            .passage = Passage::loops,
            .ethertype = by_v4() ? abi::eth_p_ip : abi::eth_p_ipv6,
            .packet = packet });
    return {};
}

Result<std::vector<u8>> RawSocket::make_packet(
    std::vector<u8> bytes, InetName const& to, PacketNotes const& notes)
{
    if (has_header_) {
        TRY(complete_header(bytes, notes.source));
        return bytes;
    }
    if (checksum_at_ >= 0) {
        if (u64(checksum_at_) + sizeof(u16) > bytes.size()) return err::inval;
        put_word(bytes, u64(checksum_at_), 0);
        u16 const sum = transport_checksum(notes.source, to.address, protocol(), bytes);
        put_word(bytes, u64(checksum_at_), sum ? sum : u16(kChecksumMask));
    }
    PacketHead const head { { notes.source, 0 }, to, notes.hop_limit, notes.traffic_class };
    return make_ip_packet(head, protocol(), bytes);
}

Result<void> RawSocket::complete_header(std::vector<u8>& packet, IpAddress const& from) const
{
    constexpr u64 length_at = 2, identification_at = 4, sum_at = 10, from_at = 12, address_size = 4;
    u64 const header = packet.empty() ? 0 : u64(packet[0] & 15) * sizeof(u32);
    if (packet.size() < kIpHeader || header > packet.size()) return err::inval;
    // By raw(7), those are the kernel's in any case, and those others where they are 0.
    put_word(packet, length_at, u16(packet.size()));
    if (!get_word(packet, identification_at)) put_word(packet, identification_at, u16(kernel_.next_unique()));
    auto const source = packet.begin() + from_at;
    if (std::all_of(source, source + address_size, [](u8 byte) { return byte == 0; }))
        std::copy_n(from.bytes.end() - address_size, address_size, source);
    if (header < kIpHeader) return {}; // which nobody will read
    put_word(packet, sum_at, 0);
    put_word(packet, sum_at, u16(~checksum_fold(checksum_sum(std::span(packet).first(header)))));
    return {};
}

bool RawSocket::is_unwanted_type(IpPacket const& packet) const
{
    if (!is_icmp() || packet.payload.empty()) return false;
    u8 const type = packet.payload[0];
    bool const has_bit = !by_v4() || type < kIcmpFilterSize * 8;
    return has_bit && unwanted_[type / 8] >> type % 8 & 1;
}

bool RawSocket::wants(IpPacket const& packet) const
{
    if (packet.protocol != protocol() || packet.to.is_v4() != by_v4() || !covers(packet.to)) return false;
    if (has_peer() && remote.address != packet.from) return false;
    if (is_unwanted_type(packet)) return false;
    return checksum_at_ < 0 || transport_checksum(packet.from, packet.to, protocol(), packet.payload) == 0;
}

void RawSocket::see(PacketSight const& sight)
{
    if (!sight.arrives() || !hears(sight.interface.index)) return;
    auto packet = parse_ip_packet(sight.packet);
    if (!packet || is_martian(sight, *packet) || !wants(*packet)) return;
    packet->notes.to = packet->to;
    packet->notes.interface = sight.interface.index;
    packet->notes.arrived = vfs::current_time(kernel_);
    auto const bytes = by_v4() ? packet->whole : packet->payload;
    auto made = make_datagram(bytes.size(), { packet->from, 0 }, packet->notes);
    if (made.is_error()) return; // what finds no room is lost
    std::ranges::copy(bytes, made.value().data.get());
    deliver(std::move(made).value());
}

Result<u64> RawSocket::receive(Task& task, IoBuffer& data, ReceiveRequest& request)
{
    if (request.flags & abi::msg_oob) return err::opnotsupp;
    return DatagramSocket::receive(task, data, request);
}

std::span<u8> RawSocket::filter(i32 level, i32 name)
{
    if (!is_icmp()) return {};
    if (by_v4() && level == abi::sol_raw && name == abi::icmp_filter)
        return std::span(unwanted_).first(kIcmpFilterSize);
    if (!by_v4() && level == abi::ipproto_icmpv6 && name == abi::icmp6_filter) return unwanted_;
    return {};
}

bool RawSocket::is_checksum_option(i32 level, i32 name) const
{
    return !by_v4() && (level == abi::sol_raw || level == abi::ipproto_ipv6) && name == abi::ipv6_checksum;
}

Result<void> RawSocket::set_checksum_place(i32 level, std::span<u8 const> value)
{
    i32 const wanted = TRY(value_from<i32>(value));
    // Of ICMPv6 the kernel knows it (RFC 3542, 3.1).
    if (is_icmp() && level == abi::ipproto_ipv6) return err::inval;
    if (wanted > 0 && wanted % 2) return err::inval;
    checksum_at_ = std::max(wanted, -1);
    return {};
}

Result<void> RawSocket::set_option(Task& task, i32 level, i32 name, std::span<u8 const> value)
{
    if (auto const kept = filter(level, name); !kept.empty()) {
        std::ranges::copy(value.first(std::min(value.size(), kept.size())), kept.begin());
        return {};
    }
    if (is_checksum_option(level, name)) return set_checksum_place(level, value);
    if (by_v4() && level == abi::ipproto_ip && name == abi::ip_hdrincl) {
        has_header_ = TRY(value_from<i32>(value)) != 0;
        return {};
    }
    return IpSocket::set_option(task, level, name, value);
}

Result<std::vector<u8>> RawSocket::get_option(Task& task, i32 level, i32 name)
{
    if (auto const kept = filter(level, name); !kept.empty())
        return std::vector<u8>(kept.begin(), kept.end());
    if (is_checksum_option(level, name)) return bytes_of(checksum_at_);
    if (by_v4() && level == abi::ipproto_ip && name == abi::ip_hdrincl) return bytes_of(i32(has_header_));
    return IpSocket::get_option(task, level, name);
}

} // namespace umbra::net
