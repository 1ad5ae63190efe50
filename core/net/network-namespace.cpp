// SPDX-License-Identifier: GPL-2.0-or-later
// Which addresses a namespace has.
#include "core/net/network-namespace.h"

#include <algorithm>

#include "core/abi/inet.h"
#include "core/net/capture/capture.h"
#include "core/task/namespaces.h"
#include "core/task/permissions.h"
#include "core/task/task.h"

namespace umbra::net {

constexpr i32 kLoopbackMtu = 65536;

NetworkNamespace::NetworkNamespace(Kernel& kernel, vfs::NamespaceOrigin origin)
    : Namespace(vfs::NamespaceKind::network, std::move(origin))
    , kernel(kernel)
{
    interfaces.push_back(
        { .name = kLoopbackName, .index = kLoopbackIndex, .mtu = kLoopbackMtu, .is_loopback = true });
}

NetworkNamespace::~NetworkNamespace() = default;

void NetworkNamespace::watch(PacketWatcher& watcher)
{
    if (!capture) capture = std::make_unique<Capture>(*this);
    capture->add(watcher);
}

void NetworkNamespace::unwatch(PacketWatcher& watcher)
{
    if (!capture) return;
    capture->remove(watcher);
    if (!capture->has_watchers()) capture.reset();
}

Interface* NetworkNamespace::find_interface(i32 index)
{
    auto const found = std::ranges::find(interfaces, index, &Interface::index);
    return found == interfaces.end() ? nullptr : &*found;
}

Interface* NetworkNamespace::find_interface(std::string_view name)
{
    auto const found = std::ranges::find(interfaces, name, &Interface::name);
    return found == interfaces.end() ? nullptr : &*found;
}

void NetworkNamespace::attach(Uplink& way_out)
{
    uplink = &way_out;
    interfaces.push_back(way_out.make_interface());
}

bool NetworkNamespace::reaches(IpAddress const& address) const
{
    // What is for any of this machine's addresses goes over lo.
    if (!loopback().is_up) return false;
    return address.is_any()
        || std::ranges::any_of(interfaces, [&](auto const& one) { return one.is_up && one.is_own(address); });
}

Interface* NetworkNamespace::way_to(IpAddress const& address)
{
    for (auto& one : interfaces)
        if (one.leads_to(address)) return &one;
    return nullptr;
}

Result<Way> NetworkNamespace::find_way(IpAddress const& to, i32 bound)
{
    Interface* const by = bound ? find_interface(bound) : nullptr;
    if (bound && !by) return err::nodev;
    if (reaches(to) && (!by || to.is_any() || (by->is_up && by->is_own(to)))) return Way::inside;
    if (by ? by->leads_to(to) : way_to(to) != nullptr) return Way::outside;
    // As Linux has it for IPv4: who names an interface knows who is there, and lo has nobody else.
    if (by && by->is_loopback && by->is_up && to.is_v4()) return Way::nowhere;
    return err::netunreach;
}

Interface* NetworkNamespace::way_to_group(IpAddress const& group)
{
    if (group.is_v4()) return way_to(group);
    // Every other interface that has addresses has a route to them.
    auto const found = std::ranges::find_if(interfaces,
        [&](Interface const& one) { return !one.is_loopback && one.is_up && one.source_for(group); });
    return found == interfaces.end() ? nullptr : &*found;
}

bool NetworkNamespace::is_member(IpAddress const& group, i32 interface) const
{
    constexpr std::array<u8, 16> all_v6 { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
    if (group == IpAddress::v4(224, 0, 0, 1) || group.bytes == all_v6) return true;
    return members.contains({ interface, group.bytes });
}

bool NetworkNamespace::is_broadcast(IpAddress const& address) const
{
    if (!address.is_v4()) return false;
    bool const is_limited = address == IpAddress::v4(255, 255, 255, 255);
    constexpr u8 least_hosts = 31; // a prefix of so many bits has no address for all (RFC 3021)
    auto is_all_of = [&](InterfaceAddress const& one) {
        return is_limited || (one.is_v4() && one.prefix < least_hosts && one.last() == address);
    };
    return std::ranges::any_of(interfaces, [&](Interface const& one) {
        return !one.is_loopback && one.is_up && std::ranges::any_of(one.addresses, is_all_of);
    });
}

bool NetworkNamespace::has(IpAddress const& address) const
{
    // Of IPv4's loopback addresses Linux does not ask whether they are there.
    if (address.is_any() || (address.is_v4() && address.is_loopback())) return true;
    if (is_broadcast(address)) return true;
    return std::ranges::any_of(interfaces, [&](auto const& one) { return one.is_own(address); });
}

IpAddress NetworkNamespace::source_for(IpAddress const& to) const
{
    for (auto const& interface : interfaces) {
        if (interface.is_own(to)) {
            // One address speaks for all of a loopback interface's prefix.
            auto const* own = interface.source_for(to);
            return interface.is_loopback && own ? own->address : to;
        }
        if (interface.leads_to(to)) return interface.source_for(to)->address;
    }
    return IpAddress::loopback(to.is_v4());
}

PortTable const& NetworkNamespace::ports(i32 protocol) const
{
    switch (protocol) {
    case abi::ipproto_tcp:
        return tcp_ports;
    case abi::ipproto_udplite:
        return udplite_ports;
    case abi::ipproto_icmp:
        return ping_ports;
    case abi::ipproto_raw:
        return raw_ports;
    default:
        return udp_ports;
    }
}

u32 NetworkNamespace::choose_netlink_port()
{
    i32 const port = next_netlink_port_;
    next_netlink_port_ = port == INT32_MIN ? kFirstNetlinkPort : port - 1;
    return u32(port);
}

NetworkNamespace& network_namespace(Task const& task) { return *task.namespaces().network; }

bool rules(Task const& task, NetworkNamespace const& space, Capability capability)
{
    return is_capable(task.credentials(), *space.owner(), capability);
}

} // namespace umbra::net
