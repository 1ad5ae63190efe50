// SPDX-License-Identifier: GPL-2.0-or-later
// rtnetlink(7): which request is whose, and the interfaces.
#include <algorithm>

#include "core/abi/inet.h"
#include "core/kernel.h"
#include "core/net/netlink/protocols.h"
#include "core/task/namespaces.h"
#include "core/task/permissions.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"
#include "core/task/task.h"
#include "core/vfs/fd-table.h"

namespace umbra::net {

namespace {

constexpr u8 kOperStateUnknown = 0, kOperStateDown = 2, kOperStateUp = 6;
constexpr u32 kGsoSegments = 65535, kGsoSize = 65536;

u8 operation_state(Interface const& interface)
{
    if (!interface.is_up) return kOperStateDown;
    return interface.is_loopback ? kOperStateUnknown : kOperStateUp;
}

/// struct rtnl_link_stats64: received and sent, in packets and then in bytes.
std::vector<u8> statistics(InterfaceCounters const& counters)
{
    std::vector<u8> all(25 * sizeof(u64));
    u64 const first[]
        = { counters.received_packets, counters.sent_packets, counters.received_bytes, counters.sent_bytes };
    std::memcpy(all.data(), first, sizeof first);
    return all;
}

std::vector<u8> describe_link(Interface const& interface, abi::NetlinkHeader head, u8 family, u32 change)
{
    bool const up = interface.is_up;
    MessageWriter writer(head);
    writer.put(abi::LinkMessage { .family = family,
        .pad = 0,
        .type = interface.hardware_type(),
        .index = interface.index,
        .flags = interface.flags() | (up ? abi::iff_lower_up : 0),
        .change = change });
    writer.text(abi::ifla_ifname, interface.name)
        .value(abi::ifla_txqlen, u32(Interface::kQueueLength))
        .value(abi::ifla_operstate, operation_state(interface))
        .value(abi::ifla_linkmode, u8(0))
        .value(abi::ifla_mtu, u32(interface.mtu))
        .value(abi::ifla_min_mtu, u32(0))
        .value(abi::ifla_max_mtu, u32(0))
        .value(abi::ifla_group, u32(0))
        .value(abi::ifla_promiscuity, u32(0))
        .value(abi::ifla_num_tx_queues, u32(1))
        .value(abi::ifla_gso_max_segs, kGsoSegments)
        .value(abi::ifla_gso_max_size, kGsoSize)
        .value(abi::ifla_num_rx_queues, u32(1))
        .value(abi::ifla_carrier, u8(1))
        .text(abi::ifla_qdisc, up || interface.was_up ? "noqueue" : "noop")
        .value(abi::ifla_carrier_changes, u32(0));
    u8 const map[32] = {};
    writer.attribute(abi::ifla_map, map)
        .attribute(abi::ifla_address, interface.hardware_address)
        .attribute(abi::ifla_broadcast, interface.broadcast_address())
        .attribute(abi::ifla_stats64, statistics(interface.counters));
    return writer.take();
}

/// The interface that a message names by number or by name. EINVAL: neither; ENODEV.
Result<Interface*> find_link(
    NetworkNamespace& space, abi::LinkMessage const& link, Attributes const& attributes)
{
    if (link.index < 0 || (link.index == 0 && !attributes.has(abi::ifla_ifname))) return err::inval;
    Interface* const found = link.index > 0 ? space.find_interface(link.index)
                                            : space.find_interface(attributes.text(abi::ifla_ifname));
    return found ? Result<Interface*>(found) : err::nodev;
}

Result<void> get_link(NetlinkRequest& request)
{
    auto const& payload = request.message.payload;
    auto const link = fixed_part<abi::LinkMessage>(payload);
    if (request.is_dump()) {
        constexpr u8 af_bridge = 7;
        u8 const family = payload.empty() ? u8(0) : payload[0];
        if (request.is_strict() && !link) return err::inval;
        if (family == af_bridge) return {};
        for (auto const& interface : request.space().interfaces)
            request.answers.push_back(describe_link(interface, request.head(abi::rtm_newlink), family, 0));
        return {};
    }
    if (!link) return err::inval;
    auto const* interface = TRY(
        find_link(request.space(), *link, Attributes(behind<abi::LinkMessage>(payload))));
    request.answers.push_back(describe_link(*interface, request.head(abi::rtm_newlink), 0, 0));
    return {};
}

/// Of an interface's properties only IFF_UP can be changed.
Result<void> set_link(NetlinkRequest& request)
{
    auto const link = fixed_part<abi::LinkMessage>(request.message.payload);
    if (!link) return err::inval;
    Attributes const attributes(behind<abi::LinkMessage>(request.message.payload));
    auto const found = find_link(request.space(), *link, attributes);
    if (found.is_error()) {
        // Without a name it is one that is not there.
        if (request.type() == abi::rtm_newlink && link->index == 0 && !(request.flags() & abi::nlm_f_create))
            return err::nodev;
        bool const creates = request.type() == abi::rtm_newlink && (request.flags() & abi::nlm_f_create);
        if (!creates) return found.error();
        request.complaint = "Unknown device type";
        return err::opnotsupp;
    }
    if (request.type() == abi::rtm_newlink && (request.flags() & abi::nlm_f_excl)) return err::exist;
    if (attributes.has(abi::ifla_net_ns_pid) || attributes.has(abi::ifla_net_ns_fd)) {
        if (!found.value()->is_loopback)
            return err::opnotsupp; // what is outside stays with the first namespace
        request.complaint = "The interface netns is local";
        return err::inval;
    }
    for (auto const& [type, bytes] : attributes.all()) {
        constexpr u16 known[] = { abi::ifla_ifname, abi::ifla_ext_mask };
        if (std::ranges::find(known, type) == std::end(known)) return err::opnotsupp;
    }
    u32 const mask = link->change ? link->change : link->flags ? ~u32 { 0 } : 0;
    if (mask & abi::iff_up) change_interface(request.space(), *found.value(), link->flags & abi::iff_up);
    return {};
}

Result<void> delete_link(NetlinkRequest& request)
{
    auto const link = fixed_part<abi::LinkMessage>(request.message.payload);
    if (!link) return err::inval;
    TRY(find_link(request.space(), *link, Attributes(behind<abi::LinkMessage>(request.message.payload))));
    return err::opnotsupp;
}

/// No namespace has a number for another one.
Result<void> get_namespace_number(NetlinkRequest& request)
{
    constexpr u16 number = 1, by_pid = 2, by_fd = 3;
    constexpr i32 not_assigned = -1;
    struct Family {
        u8 family, pad[3];
    };
    Attributes const attributes(behind<Family>(request.message.payload));
    if (request.is_dump()) return {};
    if (auto const pid = attributes.number(by_pid)) {
        Pid const wanted = pid_in(request.task, i32(*pid));
        if (!request.task.kernel().processes().find_task(wanted)) return err::srch;
    } else if (auto const fd = attributes.number(by_fd)) {
        auto const file = TRY(request.task.files().get(GuestFd(i32(*fd))));
        auto const space = vfs::namespace_of_file(*file);
        if (!space || space->kind() != vfs::NamespaceKind::network) return err::inval;
    } else {
        return err::inval;
    }
    request.answers.push_back(
        MessageWriter(request.head(abi::rtm_newnsid)).put(Family {}).value(number, not_assigned).take());
    return {};
}

} // namespace

void tell_link(NetworkNamespace& space, Interface const& interface)
{
    tell_group(space, abi::netlink_route, abi::rtnlgrp_link,
        describe_link(interface, { 0, abi::rtm_newlink, 0, 0, 0 }, 0, abi::iff_up));
}

void change_interface(NetworkNamespace& space, Interface& interface, bool up)
{
    if (interface.is_up == up) return;
    auto const before = interface.addresses;
    interface.set_up(up);
    tell_link(space, interface);
    auto has = [](auto const& all, auto const& one) {
        return std::ranges::any_of(all, [&](auto const& other) { return other.address == one.address; });
    };
    for (auto const& one : interface.addresses)
        if (!has(before, one)) tell_address(space, interface, one, abi::rtm_newaddr);
    for (auto const& one : before)
        if (!has(interface.addresses, one)) tell_address(space, interface, one, abi::rtm_deladdr);
}

bool NetlinkRequest::may_change() const
{
    bool const was_opened_well
        = is_capable(socket.opener(), *space().owner(), Capability::net_admin) || is_addressed;
    return was_opened_well && rules(task, space(), Capability::net_admin);
}

Result<void> answer_route(NetlinkRequest& request)
{
    if (request.type() > abi::rtm_max) return err::opnotsupp;
    if (request.message.payload.empty()) return {}; // not even a family
    if (request.is_change() && !request.may_change()) return err::perm;
    switch (request.type()) {
    case abi::rtm_getlink:
        return get_link(request);
    case abi::rtm_newlink:
    case abi::rtm_setlink:
        return set_link(request);
    case abi::rtm_dellink:
        return delete_link(request);
    case abi::rtm_getnsid:
        return get_namespace_number(request);
    case abi::rtm_newaddr:
    case abi::rtm_deladdr:
    case abi::rtm_getaddr:
        return answer_addresses(request);
    case abi::rtm_getroute:
    case abi::rtm_getneigh:
    case abi::rtm_getrule:
        return answer_routes(request);
    default:
        return err::opnotsupp;
    }
}

} // namespace umbra::net
