// SPDX-License-Identifier: GPL-2.0-or-later
// rtnetlink(7): addresses of interfaces.
#include <algorithm>

#include "core/net/netlink/protocols.h"

namespace umbra::net {

namespace {

u8 family_of(IpAddress const& address) { return u8(address.is_v4() ? abi::af_inet : abi::af_inet6); }

std::vector<u8> describe_address(
    Interface const& interface, InterfaceAddress const& one, abi::NetlinkHeader head)
{
    MessageWriter writer(head);
    writer.put(abi::AddressMessage { .family = family_of(one.address),
        .prefix = one.prefix,
        .flags = abi::ifa_f_permanent,
        .scope = one.scope,
        .index = u32(interface.index) });
    writer.attribute(abi::ifa_address, netlink_bytes(one.address));
    if (one.is_v4()) {
        writer.attribute(abi::ifa_local, netlink_bytes(one.address));
        if (!interface.is_loopback) writer.attribute(abi::ifa_broadcast, netlink_bytes(one.last()));
        writer.text(abi::ifa_label, one.label);
    }
    constexpr u32 forever = ~u32 { 0 };
    return writer.value(abi::ifa_flags, abi::ifa_f_permanent)
        .value(abi::ifa_cacheinfo, abi::AddressLifetime { forever, forever, 0, 0 })
        .take();
}

/// Those of a family, or all for 0; IPv4 first.
Result<void> list_addresses(NetlinkRequest& request)
{
    auto const head = fixed_part<abi::AddressMessage>(request.message.payload);
    i32 index = 0; // of the only interface that is asked for
    if (request.is_strict()) {
        if (!head) return err::inval;
        index = i32(head->index);
        if (index && !request.space().find_interface(index)) return err::nodev;
    }
    u8 const wanted = request.message.payload[0];
    for (u8 family : { u8(abi::af_inet), u8(abi::af_inet6) }) {
        if (wanted && wanted != family) continue;
        for (auto const& interface : request.space().interfaces) {
            if (index && interface.index != index) continue;
            for (auto const& one : interface.addresses)
                if (family_of(one.address) == family)
                    request.answers.push_back(
                        describe_address(interface, one, request.head(abi::rtm_newaddr)));
        }
    }
    return {};
}

struct AddressChange {
    Interface& interface;
    InterfaceAddress address;
};

/// The address that a request is about. EOPNOTSUPP, EINVAL, ENODEV.
Result<AddressChange> parse_address(NetlinkRequest const& request)
{
    auto const head = fixed_part<abi::AddressMessage>(request.message.payload);
    u8 const family = request.message.payload[0];
    if (family != abi::af_inet && family != abi::af_inet6) return err::opnotsupp;
    if (!head) return err::inval;
    bool const is_v4 = family == abi::af_inet;
    Attributes const attributes(behind<abi::AddressMessage>(request.message.payload));
    auto bytes = attributes.bytes(abi::ifa_local);
    // IPv4 needs the local one to be named; what is taken away may be named either way.
    if (bytes.empty() && (!is_v4 || request.type() == abi::rtm_deladdr))
        bytes = attributes.bytes(abi::ifa_address);
    auto const address = address_of_netlink(bytes, family);
    // A mapped IPv4 address is none of IPv6's here: it would be taken for the other.
    if (!address || address->is_v4() != is_v4 || head->prefix > (is_v4 ? 32 : 128)) return err::inval;
    Interface* const interface = request.space().find_interface(i32(head->index));
    if (!interface) return err::nodev;
    InterfaceAddress one { *address, head->prefix, head->scope };
    if (is_v4) one.label = std::string(attributes.text(abi::ifa_label));
    if (is_v4 && one.label.empty()) one.label = interface->name;
    constexpr size_t name_max = 15;
    if (one.label.size() > name_max) return err::inval;
    return AddressChange { *interface, std::move(one) };
}

} // namespace

std::vector<u8> netlink_bytes(IpAddress const& address)
{
    auto const& all = address.bytes;
    return { all.begin() + (address.is_v4() ? 12 : 0), all.end() };
}

std::optional<IpAddress> address_of_netlink(std::span<u8 const> bytes, i32 family)
{
    if (family == abi::af_inet) {
        if (bytes.size() != 4) return std::nullopt;
        return IpAddress::v4(bytes[0], bytes[1], bytes[2], bytes[3]);
    }
    IpAddress address;
    if (bytes.size() != address.bytes.size()) return std::nullopt;
    std::ranges::copy(bytes, address.bytes.begin());
    return address;
}

void tell_address(
    NetworkNamespace& space, Interface const& interface, InterfaceAddress const& address, u16 type)
{
    tell_group(space, abi::netlink_route,
        address.is_v4() ? abi::rtnlgrp_ipv4_ifaddr : abi::rtnlgrp_ipv6_ifaddr,
        describe_address(interface, address, { 0, type, 0, 0, 0 }));
}

Result<void> answer_addresses(NetlinkRequest& request)
{
    if (request.type() == abi::rtm_getaddr)
        return request.is_dump() ? list_addresses(request) : err::opnotsupp;
    auto const [interface, address] = TRY(parse_address(request));
    auto& space = request.space();
    if (request.type() == abi::rtm_deladdr) {
        auto const gone = TRY(interface.remove_address(address.address, address.prefix));
        tell_address(space, interface, gone, abi::rtm_deladdr);
        return {};
    }
    constexpr size_t most = 1024; // each is the kernel's memory
    if (interface.addresses.size() >= most) return err::nobufs;
    auto const added = interface.add_address(address);
    // With NLM_F_REPLACE it is as it was asked to be.
    bool const may_stay = (request.flags() & abi::nlm_f_replace) && !(request.flags() & abi::nlm_f_excl);
    if (added.is_error()) return may_stay ? Result<void>() : added;
    tell_address(space, interface, address, abi::rtm_newaddr);
    return {};
}

} // namespace umbra::net
