// SPDX-License-Identifier: GPL-2.0-or-later
// Which addresses a namespace has.
#include "core/net/network-namespace.h"

#include <algorithm>

#include "core/task/namespaces.h"
#include "core/task/permissions.h"
#include "core/task/task.h"

namespace umbra::net {

namespace {
constexpr u8 kHostScope = 254;
constexpr size_t kV4At = 12; ///< where the IPv4 address stands in its mapped form
} // namespace

bool InterfaceAddress::covers(IpAddress const& other) const
{
    if (!is_v4() || !other.is_v4()) return address == other;
    for (size_t bit = 0; bit < std::min<size_t>(prefix, 32); ++bit) {
        u8 const mask = u8(0x80 >> bit % 8);
        if ((address.bytes[kV4At + bit / 8] ^ other.bytes[kV4At + bit / 8]) & mask) return false;
    }
    return true;
}

NetworkNamespace::NetworkNamespace(Kernel& kernel, vfs::NamespaceOrigin origin)
    : Namespace(vfs::NamespaceKind::network, std::move(origin))
    , kernel(kernel)
{
}

void NetworkNamespace::set_loopback(bool up)
{
    if (loopback.is_up == up) return;
    loopback.is_up = up;
    auto& all = loopback.addresses;
    if (!up) {
        // IPv6 forgets its addresses with the interface, IPv4 keeps them.
        std::erase_if(all, [](auto const& one) { return !one.is_v4(); });
        return;
    }
    loopback.was_up = true;
    auto const usual = IpAddress::loopback(true);
    if (std::ranges::none_of(all, [&](auto const& one) { return one.is_v4() && one.covers(usual); }))
        all.insert(all.begin(), { usual, 8, kHostScope, Loopback::kName });
    all.push_back({ IpAddress::loopback(false), 128, kHostScope });
}

bool NetworkNamespace::reaches(IpAddress const& address) const
{
    if (!loopback.is_up) return false;
    return address.is_any()
        || std::ranges::any_of(loopback.addresses, [&](auto const& one) { return one.covers(address); });
}

bool NetworkNamespace::has(IpAddress const& address) const
{
    // Of IPv4's loopback addresses Linux does not ask whether they are there.
    if (address.is_any() || (address.is_v4() && address.is_loopback())) return true;
    return std::ranges::any_of(loopback.addresses, [&](auto const& one) { return one.covers(address); });
}

IpAddress NetworkNamespace::source_for(IpAddress const& to) const
{
    auto const& all = loopback.addresses;
    auto const found = std::ranges::find_if(all, [&](auto const& one) { return one.covers(to); });
    return found == all.end() ? IpAddress::loopback(to.is_v4()) : found->address;
}

Result<void> NetworkNamespace::add_address(InterfaceAddress address)
{
    for (auto const& one : loopback.addresses)
        if (one.address == address.address && (!one.is_v4() || one.prefix == address.prefix))
            return err::exist;
    loopback.addresses.push_back(std::move(address));
    return {};
}

Result<InterfaceAddress> NetworkNamespace::remove_address(IpAddress const& address, u8 prefix)
{
    auto& all = loopback.addresses;
    auto const found = std::ranges::find_if(
        all, [&](auto const& one) { return one.address == address && one.prefix == prefix; });
    if (found == all.end()) return err::addrnotavail;
    InterfaceAddress gone = *found;
    all.erase(found);
    return gone;
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
