// SPDX-License-Identifier: GPL-2.0-or-later
// rtnetlink(7): routes, which follow from the addresses, and rules, which are those that every machine begins with.
#include <algorithm>

#include "core/abi/inet.h"
#include "core/net/netlink/protocols.h"
#include "core/task/task.h"

namespace umbra::net {

namespace {

struct Route {
    IpAddress to, source;
    u8 length, type, scope;
};

/// The address with all bits behind the prefix as `ones` says.
IpAddress masked(InterfaceAddress const& one, bool ones)
{
    IpAddress result = one.address;
    for (size_t bit = one.prefix; bit < 32; ++bit) {
        u8 const mask = u8(0x80 >> bit % 8);
        u8& byte = result.bytes[12 + bit / 8];
        byte = ones ? byte | mask : byte & u8(~mask);
    }
    return result;
}

/// The local table.
std::vector<Route> routes(NetworkNamespace const& space, bool is_v4)
{
    std::vector<Route> all;
    if (!space.loopback.was_up) return all;
    for (auto const& one : space.loopback.addresses) {
        if (one.is_v4() != is_v4) continue;
        if (!is_v4) {
            all.push_back({ one.address, {}, 128, abi::rtn_local, abi::rt_scope_universe });
            continue;
        }
        if (one.prefix < 32)
            all.push_back(
                { masked(one, false), one.address, one.prefix, abi::rtn_local, abi::rt_scope_host });
        all.push_back({ one.address, one.address, 32, abi::rtn_local, abi::rt_scope_host });
        if (space.loopback.is_up && one.prefix < 31)
            all.push_back({ masked(one, true), one.address, 32, abi::rtn_broadcast, abi::rt_scope_link });
    }
    // As a table of Linux lists them.
    std::ranges::stable_sort(all, {}, [](Route const& route) { return route.to.bytes; });
    return all;
}

std::vector<u8> describe_route(Route const& route, bool is_v4, abi::NetlinkHeader head)
{
    MessageWriter writer(head);
    writer.put(abi::RouteMessage { .family = u8(is_v4 ? abi::af_inet : abi::af_inet6),
        .to_length = route.length,
        .from_length = 0,
        .tos = 0,
        .table = abi::rt_table_local,
        .protocol = abi::rtprot_kernel,
        .scope = route.scope,
        .type = route.type,
        .flags = 0 });
    writer.value(abi::rta_table, u32(abi::rt_table_local)).attribute(abi::rta_dst, netlink_bytes(route.to));
    if (is_v4)
        writer.attribute(abi::rta_prefsrc, netlink_bytes(route.source));
    else
        writer.value(abi::rta_priority, u32(0)).value(abi::rta_pref, u8(0));
    return writer.value(abi::rta_oif, u32(Loopback::kIndex)).take();
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
    // There is no cache of routes, and no table but one has any.
    if (head && (head->flags & abi::rtm_f_cloned)) return {};
    if (table && table != abi::rt_table_local) return {};
    for (bool is_v4 : { true, false }) {
        if (!is_wanted(request.message.payload[0], is_v4)) continue;
        for (auto const& route : routes(request.space(), is_v4))
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
    if (!space.reaches(*to)) return err::netunreach;
    MessageWriter writer(request.head(abi::rtm_newroute));
    writer.put(abi::RouteMessage { .family = head->family,
        .to_length = u8(is_v4 ? 32 : 128),
        .from_length = 0,
        .tos = 0,
        .table = is_v4 ? abi::rt_table_main : abi::rt_table_local,
        .protocol = is_v4 ? u8(0) : abi::rtprot_kernel,
        .scope = abi::rt_scope_universe,
        .type = abi::rtn_local,
        .flags = is_v4 ? abi::rtm_f_cloned | abi::rtcf_local : 0 });
    writer.value(abi::rta_table, u32(is_v4 ? abi::rt_table_main : abi::rt_table_local))
        .attribute(abi::rta_dst, netlink_bytes(*to))
        .value(abi::rta_oif, u32(Loopback::kIndex))
        .attribute(abi::rta_prefsrc, netlink_bytes(space.source_for(*to)));
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
        // A loopback interface has no neighbours.
        return request.is_dump() ? Result<void>() : err::noent;
    }
}

} // namespace umbra::net
