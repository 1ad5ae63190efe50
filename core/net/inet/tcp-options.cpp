// SPDX-License-Identifier: GPL-2.0-or-later
// Options of tcp(7) that ask about a connection: there are no segments, but programs want to know how large they are, and how
// many were lost.
#include <string_view>

#include "core/net/inet/tcp-socket.h"
#include "core/net/network-namespace.h"
#include "core/net/option-value.h"

namespace umbra::net {

namespace {

constexpr i32 kDefaultSegment = 536, kLeastSegment = 88, kMostSegment = 32767;
constexpr i32 kMostPacket = 65535, kTcpHeader = 32, kIpv4Header = 20,
              kIpv6Header = 40; ///< TCP's with a timestamp
constexpr u32 kWindow = 10; ///< segments to begin with (RFC 6928)
/// The names of congestion controls that anybody may ask for. None has anything to do.
constexpr std::string_view kCongestion = "cubic", kOtherCongestion = "reno";

std::string_view name_in(std::span<u8 const> value)
{
    std::string_view const text(reinterpret_cast<char const*>(value.data()), value.size());
    return text.substr(0, text.find('\0')).substr(0, abi::congestion_name_max - 1);
}

} // namespace

i32 TcpSocket::segment_size() const
{
    if (end_->state != State::connected) return wanted_segment_ ? wanted_segment_ : kDefaultSegment;
    auto const& to = end_->remote.address;
    Interface const* way = space().reaches(to) ? &space().loopback() : space().way_to(to);
    if (!way) way = &space().loopback();
    i32 const size = std::min(way->mtu, kMostPacket) - kTcpHeader - (to.is_v4() ? kIpv4Header : kIpv6Header);
    return wanted_segment_ ? std::min(size, wanted_segment_) : size;
}

abi::TcpInfo TcpSocket::describe() const
{
    TcpEnd const& end = *end_;
    abi::TcpInfo info {};
    info.state = u8(end.state_number());
    info.send_segment = info.advertised_segment = u32(segment_size());
    info.receive_segment = info.send_segment;
    info.congestion_window = kWindow;
    info.path_mtu
        = info.send_segment + kTcpHeader + u32(end.remote.address.is_v4() ? kIpv4Header : kIpv6Header);
    if (end.state == State::listening) {
        info.unacknowledged = u32(end.receive_queue_bytes());
        info.selectively = end.backlog();
        return info;
    }
    info.bytes_received = end.received();
    // What was sent has arrived.
    if (end.peer) info.bytes_sent = info.bytes_acknowledged = end.peer->received();
    return info;
}

Result<void> TcpSocket::set_option(Task& task, i32 level, i32 name, std::span<u8 const> value)
{
    if (level == abi::ipproto_tcp && name == abi::tcp_congestion) {
        if (value.empty()) return err::inval;
        std::string_view const wanted = name_in(value);
        return wanted == kCongestion || wanted == kOtherCongestion ? Result<void>() : err::noent;
    }
    if (level == abi::ipproto_tcp && name == abi::tcp_maxseg) {
        i32 wanted = 0;
        if (value.size() < sizeof wanted) return err::inval;
        std::memcpy(&wanted, value.data(), sizeof wanted);
        if (wanted && (wanted < kLeastSegment || wanted > kMostSegment)) return err::inval;
        wanted_segment_ = wanted;
        return {};
    }
    TRY(InetSocket::set_option(task, level, name, value));
    bool const pushes = level == abi::ipproto_tcp
        && (name == abi::tcp_cork ? !option(level, name) : name == abi::tcp_nodelay && option(level, name));
    if (pushes) end_->push();
    return {};
}

Result<std::vector<u8>> TcpSocket::get_option(Task& task, i32 level, i32 name)
{
    if (level != abi::ipproto_tcp) return InetSocket::get_option(task, level, name);
    switch (name) {
    case abi::tcp_maxseg:
        return bytes_of(segment_size());
    case abi::tcp_info:
        return bytes_of(describe());
    case abi::tcp_congestion: {
        std::vector<u8> text(kCongestion.begin(), kCongestion.end());
        text.resize(abi::congestion_name_max);
        return text;
    }
    default:
        return InetSocket::get_option(task, level, name);
    }
}

} // namespace umbra::net
