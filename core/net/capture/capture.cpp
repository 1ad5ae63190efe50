// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/net/capture/capture.h"

#include "core/kernel.h"
#include "core/net/capture/pcapng.h"
#include "core/net/inet/inet-socket.h"
#include "core/net/network-namespace.h"
#include "core/vfs/operations.h"

namespace umbra::net {

Capture::Capture(NetworkNamespace& space, CaptureOutput& output)
    : space_(space)
    , output_(output)
    , counts_(space.interfaces.size())
{
    output_.offer(pcapng_section("umbra"), true);
    for (auto const& interface : space.interfaces)
        output_.offer(pcapng_interface(interface.name), true);
    space.capture = this;
}

Capture::~Capture()
{
    space_.capture = nullptr;
    for (u32 i = 0; i < counts_.size(); ++i)
        output_.offer(pcapng_statistics(i, now(), counts_[i].passed, counts_[i].lost), true);
}

u64 Capture::lost() const
{
    u64 sum = 0;
    for (Counts const& one : counts_)
        sum += one.lost;
    return sum;
}

u64 Capture::now() const
{
    constexpr u64 second = 1'000'000'000;
    auto const time = vfs::current_time(space_.kernel);
    return u64(time.sec) * second + u64(time.nsec);
}

u32 Capture::interface_for(PacketHead const& head) const
{
    // What comes from outside or goes there has one foreign address.
    bool const is_inside = space_.reaches(head.from.address) && space_.reaches(head.to.address);
    return is_inside ? 0 : u32(counts_.size() - 1);
}

void Capture::pass(u32 interface, std::span<u8 const> packet)
{
    ++counts_[interface].passed;
    if (!output_.offer(pcapng_packet(interface, now(), packet), false)) ++counts_[interface].lost;
}

void Capture::datagram(InetName const& from, InetName const& to, i32 protocol, PacketNotes const& notes,
    std::span<u8 const> data, i32 interface)
{
    PacketHead const head { from, to, notes.hop_limit, notes.traffic_class };
    u32 const place
        = interface ? u32(space_.find_interface(interface) - &space_.interfaces[0]) : interface_for(head);
    pass(place, make_udp_packet(head, protocol, data));
}

void Capture::icmp(
    IpAddress const& from, IpAddress const& to, PacketNotes const& notes, std::span<u8 const> message)
{
    PacketHead const head { { from, 0 }, { to, 0 }, notes.hop_limit, notes.traffic_class };
    pass(interface_for(head), make_icmp_packet(head, message));
}

} // namespace umbra::net
