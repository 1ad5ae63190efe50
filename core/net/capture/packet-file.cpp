// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/net/capture/packet-file.h"

#include "core/abi/packet.h"
#include "core/kernel.h"
#include "core/net/capture/pcapng.h"
#include "core/net/network-namespace.h"
#include "core/vfs/operations.h"

namespace umbra::net {

PacketFile::PacketFile(NetworkNamespace& space, CaptureOutput& output)
    : space_(space)
    , output_(output)
    , counts_(space.interfaces.size())
{
    output_.offer(pcapng_section("umbra"), true);
    for (auto const& interface : space.interfaces)
        output_.offer(pcapng_interface(interface.name), true);
    space_.watch(*this);
}

PacketFile::~PacketFile()
{
    space_.unwatch(*this);
    for (u32 i = 0; i < counts_.size(); ++i)
        output_.offer(pcapng_statistics(i, now(), counts_[i].passed, counts_[i].lost), true);
}

u64 PacketFile::lost() const
{
    u64 sum = 0;
    for (Counts const& one : counts_)
        sum += one.lost;
    return sum;
}

u64 PacketFile::now() const
{
    constexpr u64 second = 1'000'000'000;
    auto const time = vfs::current_time(space_.kernel);
    return u64(time.sec) * second + u64(time.nsec);
}

void PacketFile::see(PacketSight const& sight)
{
    // The file's link type has nothing below IP.
    if (sight.ethertype != abi::eth_p_ip && sight.ethertype != abi::eth_p_ipv6) return;
    u32 const place = u32(&sight.interface - &space_.interfaces[0]);
    if (place >= counts_.size()) return;
    ++counts_[place].passed;
    if (!output_.offer(pcapng_packet(place, now(), sight.packet), false)) ++counts_[place].lost;
}

} // namespace umbra::net
