// SPDX-License-Identifier: GPL-2.0-or-later
// rtnetlink(7): routes, which follow from the addresses, and rules, which are those that every machine begins with.
#include <algorithm>

#include "core/abi/inet.h"
#include "core/net/netlink/protocols.h"
#include "core/task/task.h"

namespace umbra::net {

namespace {

struct Route {
    IpAddress to {}; ///< the first of `length` bits; all 0 for the default
    u8 length;
    u8 type, scope;
    i32 interface;
    u8 table = abi::rt_table_local, protocol = abi::rtprot_kernel;
    std::optional<IpAddress> source {}, gateway {};
    u32 priority = 0; ///< the metric
};

/// What Linux gives routes of IPv6 that nobody asked for, and those that were asked for without a number.
constexpr u32 kKernelMetric = 256, kUserMetric = 1024;

/// The routes that an address brings with it.
void add_routes(std::vector<Route>& all, Interface const& interface, InterfaceAddress const& one)
{
    i32 const index = interface.index;
    if (!one.is_v4()) {
        all.push_back({ one.address, 128, abi::rtn_local, abi::rt_scope_universe, index });
        if (one.prefix < 128)
            all.push_back({ .to = one.first(),
                .length = one.prefix,
                .type = abi::rtn_unicast,
                .scope = abi::rt_scope_universe,
                .interface = index,
                .table = abi::rt_table_main,
                .priority = kKernelMetric });
        return;
    }
    Route of_prefix { .to = one.first(),
        .length = one.prefix,
        .type = abi::rtn_local,
        .scope = abi::rt_scope_host,
        .interface = index,
        .source = one.address };
    if (!interface.is_loopback)
        of_prefix.type = abi::rtn_unicast, of_prefix.scope = abi::rt_scope_link,
        of_prefix.table = abi::rt_table_main;
    if (one.prefix < 32) all.push_back(of_prefix);
    Route own { .to = one.address,
        .length = 32,
        .type = abi::rtn_local,
        .scope = abi::rt_scope_host,
        .interface = index,
        .source = one.address };
    all.push_back(own);
    own.to = one.last(), own.type = abi::rtn_broadcast, own.scope = abi::rt_scope_link;
    if (interface.is_up && one.prefix < 31) all.push_back(own);
}

/// All tables.
std::vector<Route> routes(NetworkNamespace const& space, bool is_v4)
{
    std::vector<Route> all;
    for (auto const& interface : space.interfaces) {
        if (!interface.was_up || (!interface.is_loopback && !interface.is_up)) continue;
        for (auto const& one : interface.addresses)
            if (one.is_v4() == is_v4) add_routes(all, interface, one);
        if (auto const& gateway = interface.gateway_of(is_v4))
            all.push_back({ .to = IpAddress::any(is_v4 ? abi::af_inet : abi::af_inet6),
                .length = 0,
                .type = abi::rtn_unicast,
                .scope = abi::rt_scope_universe,
                .interface = interface.index,
                .table = abi::rt_table_main,
                .protocol = abi::rtprot_boot,
                .gateway = gateway,
                .priority = is_v4 ? 0 : kUserMetric });
    }
    // As Linux lists them.
    std::ranges::stable_sort(
        all, {}, [](Route const& route) { return std::pair(route.table, route.to.bytes); });
    return all;
}

std::vector<u8> describe_route(Route const& route, bool is_v4, abi::NetlinkHeader head)
{
    MessageWriter writer(head);
    writer.put(abi::RouteMessage { .family = u8(is_v4 ? abi::af_inet : abi::af_inet6),
        .to_length = route.length,
        .from_length = 0,
        .tos = 0,
        .table = route.table,
        .protocol = route.protocol,
        .scope = route.scope,
        .type = route.type,
        .flags = 0 });
    writer.value(abi::rta_table, u32(route.table));
    if (route.length) writer.attribute(abi::rta_dst, netlink_bytes(route.to));
    if (!is_v4) writer.value(abi::rta_priority, route.priority).value(abi::rta_pref, u8(0));
    if (route.source) writer.attribute(abi::rta_prefsrc, netlink_bytes(*route.source));
    if (route.gateway) writer.attribute(abi::rta_gateway, netlink_bytes(*route.gateway));
    return writer.value(abi::rta_oif, u32(route.interface)).take();
}

bool is_wanted(u8 wanted, bool is_v4)
{
    return !wanted || wanted == u8(is_v4 ? abi::af_inet : abi::af_inet6);
}

Result<void> list_routes(NetlinkRequest& request)
{
    auto const head = fixed_part<abi::RouteMessage>(request.message.payload);
    u32 table = 0;
    if (request.is_strict()) {
        if (!head) return err::inval;
        table = Attributes(behind<abi::RouteMessage>(request.message.payload))
                    .number(abi::rta_table)
                    .value_or(head->table);
    }
    if (head && (head->flags & abi::rtm_f_cloned)) return {}; // there is no cache of routes
    for (bool is_v4 : { true, false }) {
        if (!is_wanted(request.message.payload[0], is_v4)) continue;
        for (auto const& route : routes(request.space(), is_v4))
            if (!table || table == route.table)
                request.answers.push_back(describe_route(route, is_v4, request.head(abi::rtm_newroute)));
    }
    return {};
}

/// The way to one address.
Result<void> get_route(NetlinkRequest& request)
{
    auto const head = fixed_part<abi::RouteMessage>(request.message.payload);
    if (!head) return err::inval;
    bool const is_v4 = head->family == abi::af_inet;
    if (!is_v4 && head->family != abi::af_inet6) return err::opnotsupp;
    Attributes const attributes(behind<abi::RouteMessage>(request.message.payload));
    auto const to = address_of_netlink(attributes.bytes(abi::rta_dst), head->family);
    if (!to) return err::inval;
    auto& space = request.space();
    bool const is_own = space.reaches(*to);
    Interface const* const way = is_own ? &space.loopback() : space.way_to(*to);
    if (!way) return err::netunreach;
    bool const is_local_table = !is_v4 && is_own;
    MessageWriter writer(request.head(abi::rtm_newroute));
    writer.put(abi::RouteMessage { .family = head->family,
        .to_length = u8(is_v4 ? 32 : 128),
        .from_length = 0,
        .tos = 0,
        .table = is_local_table ? abi::rt_table_local : abi::rt_table_main,
        .protocol = is_v4 ? u8(0) : abi::rtprot_kernel,
        .scope = abi::rt_scope_universe,
        .type = is_own ? abi::rtn_local : abi::rtn_unicast,
        .flags = is_v4 ? abi::rtm_f_cloned | (is_own ? abi::rtcf_local : 0) : 0 });
    writer.value(abi::rta_table, u32(is_local_table ? abi::rt_table_local : abi::rt_table_main))
        .attribute(abi::rta_dst, netlink_bytes(*to));
    writer.value(abi::rta_oif, u32(way->index))
        .attribute(abi::rta_prefsrc, netlink_bytes(space.source_for(*to)));
    bool const is_neighbour
        = is_own || std::ranges::any_of(way->addresses, [&](auto const& one) { return one.covers(*to); });
    if (!is_neighbour) writer.attribute(abi::rta_gateway, netlink_bytes(*way->gateway_of(is_v4)));
    auto const& who = request.task.credentials();
    if (is_v4)
        writer.value(abi::rta_uid, who.user_namespace->uid_out(who.euid));
    else
        writer.value(abi::rta_priority, u32(0)).value(abi::rta_pref, u8(0));
    request.answers.push_back(writer.take());
    return {};
}

struct Rule {
    u32 priority;
    u8 table;
};
constexpr Rule kRules[]
    = { { 0, abi::rt_table_local }, { 32766, abi::rt_table_main }, { 32767, abi::rt_table_default } };

Result<void> list_rules(NetlinkRequest& request)
{
    constexpr u8 to_table = 1;
    for (bool is_v4 : { true, false }) {
        if (!is_wanted(request.message.payload[0], is_v4)) continue;
        for (Rule const& rule : kRules) {
            if (!is_v4 && rule.table == abi::rt_table_default) continue;
            MessageWriter writer(request.head(abi::rtm_newrule));
            writer.put(abi::RuleMessage { .family = u8(is_v4 ? abi::af_inet : abi::af_inet6),
                .to_length = 0,
                .from_length = 0,
                .tos = 0,
                .table = rule.table,
                .reserved1 = 0,
                .reserved2 = 0,
                .action = to_table,
                .flags = 0 });
            writer.value(abi::fra_table, u32(rule.table))
                .value(abi::fra_suppress_prefixlen, ~u32 { 0 })
                .value(abi::fra_protocol, abi::rtprot_kernel);
            if (rule.priority) writer.value(abi::fra_priority, rule.priority);
            request.answers.push_back(writer.take());
        }
    }
    return {};
}

} // namespace

Result<void> answer_routes(NetlinkRequest& request)
{
    switch (request.type()) {
    case abi::rtm_getroute:
        return request.is_dump() ? list_routes(request) : get_route(request);
    case abi::rtm_getrule:
        return request.is_dump() ? list_rules(request) : err::opnotsupp;
    default:
        // A loopback interface has no neighbours, and what is behind eth0 needs no address resolution.
        return request.is_dump() ? Result<void>() : err::noent;
    }
}

} // namespace umbra::net
