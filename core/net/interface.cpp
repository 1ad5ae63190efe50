// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses of interfaces, and where they lead.
#include "core/net/interface.h"

#include <algorithm>

#include "core/abi/inet.h"

namespace umbra::net {

namespace {
constexpr u8 kHostScope = 254;
constexpr size_t kV4At = 12; ///< where the IPv4 address stands in its mapped form
} // namespace

bool InterfaceAddress::covers(IpAddress const& other) const
{
    if (is_v4() != other.is_v4()) return false;
    size_t const start = is_v4() ? kV4At : 0, bits = is_v4() ? 32 : 128;
    for (size_t bit = 0; bit < std::min<size_t>(prefix, bits); ++bit) {
        u8 const mask = u8(0x80 >> bit % 8);
        if ((address.bytes[start + bit / 8] ^ other.bytes[start + bit / 8]) & mask) return false;
    }
    return true;
}

IpAddress InterfaceAddress::masked(bool ones) const
{
    IpAddress result = address;
    size_t const start = is_v4() ? kV4At : 0, bits = is_v4() ? 32 : 128;
    for (size_t bit = prefix; bit < bits; ++bit) {
        u8 const mask = u8(0x80 >> bit % 8);
        u8& byte = result.bytes[start + bit / 8];
        byte = ones ? byte | mask : byte & u8(~mask);
    }
    return result;
}

void Interface::set_up(bool up)
{
    if (is_up == up) return;
    is_up = up;
    was_up |= up;
    if (!up) {
        // IPv6 forgets its addresses with the interface, IPv4 keeps them.
        std::erase_if(addresses, [](auto const& one) { return !one.is_v4(); });
        gateway.reset(), gateway_v6.reset();
        return;
    }
    if (!is_loopback) return;
    auto const usual = IpAddress::loopback(true);
    if (std::ranges::none_of(addresses, [&](auto const& one) { return one.is_v4() && one.covers(usual); }))
        addresses.insert(addresses.begin(), { usual, 8, kHostScope, name });
    addresses.push_back({ IpAddress::loopback(false), 128, kHostScope });
}

bool Interface::is_own(IpAddress const& other) const
{
    return std::ranges::any_of(addresses, [&](auto const& one) {
        return one.address == other || (is_loopback && one.is_v4() && one.covers(other));
    });
}

bool Interface::leads_to(IpAddress const& other) const
{
    if (is_loopback || !is_up || !source_for(other)) return false;
    return gateway_of(other.is_v4())
        || std::ranges::any_of(addresses, [&](auto const& one) { return one.covers(other); });
}

InterfaceAddress const* Interface::source_for(IpAddress const& to) const
{
    InterfaceAddress const* any = nullptr;
    for (auto const& one : addresses) {
        if (one.covers(to)) return &one;
        if (!any && one.is_v4() == to.is_v4()) any = &one;
    }
    return any;
}

Result<void> Interface::add_address(InterfaceAddress address)
{
    for (auto const& one : addresses)
        if (one.address == address.address && (!one.is_v4() || one.prefix == address.prefix))
            return err::exist;
    addresses.push_back(std::move(address));
    return {};
}

Result<InterfaceAddress> Interface::remove_address(IpAddress const& address, u8 prefix)
{
    auto const found = std::ranges::find_if(
        addresses, [&](auto const& one) { return one.address == address && one.prefix == prefix; });
    if (found == addresses.end()) return err::addrnotavail;
    InterfaceAddress gone = *found;
    addresses.erase(found);
    return gone;
}

u32 Interface::flags() const
{
    constexpr u32 up = abi::iff_up | abi::iff_running;
    return (is_loopback ? abi::iff_loopback : abi::iff_broadcast | abi::iff_multicast) | (is_up ? up : 0);
}

u16 Interface::hardware_type() const { return is_loopback ? abi::arphrd_loopback : abi::arphrd_ether; }

Interface::HardwareAddress Interface::broadcast_address() const
{
    HardwareAddress all {};
    if (!is_loopback) all.fill(0xff);
    return all;
}

} // namespace umbra::net
