// SPDX-License-Identifier: GPL-2.0-or-later
// Options that speak of groups (ip(7), ipv6(7), RFC 3678), and by which interface something is sent to one.
#include "core/net/inet/multicast.h"

#include <algorithm>

#include "core/abi/inet.h"
#include "core/net/inet/inet-socket.h"
#include "core/net/network-namespace.h"

namespace umbra::net {

namespace {

constexpr i64 kMostGroups = 20; ///< net.ipv4.igmp_max_memberships

/// What an option asks for.
struct Wish {
    IpAddress group {}, address {}; ///< the latter of the interface, or unspecified
    i32 interface = 0; ///< 0: not said
};

template <typename T> T structure_in(std::span<u8 const> value)
{
    T read {};
    std::memcpy(&read, value.data(), std::min(value.size(), sizeof read));
    return read;
}

IpAddress v4_of(u8 const (&b)[4]) { return IpAddress::v4(b[0], b[1], b[2], b[3]); }

IpAddress v6_of(u8 const (&bytes)[16])
{
    IpAddress made;
    std::ranges::copy(bytes, made.bytes.begin());
    return made;
}

Result<Wish> wish_v4(std::span<u8 const> value)
{
    if (value.size() < abi::ip_mreq_size) return err::inval;
    // The index is the longer form's.
    if (value.size() < sizeof(abi::GroupRequest4)) value = value.first(abi::ip_mreq_size);
    auto const wanted = structure_in<abi::GroupRequest4>(value);
    return Wish { v4_of(wanted.group), v4_of(wanted.address), wanted.interface };
}

Result<Wish> wish_v6(std::span<u8 const> value)
{
    if (value.size() < sizeof(abi::GroupRequest6)) return err::inval;
    auto const wanted = structure_in<abi::GroupRequest6>(value);
    return Wish { v6_of(wanted.group), {}, wanted.interface };
}

/// MCAST_JOIN_GROUP
Result<Wish> wish_of_any(std::span<u8 const> value, bool is_v4)
{
    if (value.size() < abi::group_req_size) return err::inval;
    auto const wanted = structure_in<abi::GroupRequest>(value);
    if (wanted.family != (is_v4 ? abi::af_inet : abi::af_inet6))
        return is_v4 ? err::inval : err::addrnotavail;
    return Wish { is_v4 ? v4_of(wanted.v4) : v6_of(wanted.v6), {}, wanted.interface };
}

/// The one that is meant, or by which the group is reached; null: none.
Interface* interface_of(NetworkNamespace& space, Wish const& wish)
{
    if (wish.interface) return space.find_interface(wish.interface);
    if (wish.address.is_any()) return space.way_to_group(wish.group);
    auto const found = std::ranges::find_if(
        space.interfaces, [&](Interface const& one) { return one.is_own(wish.address); });
    return found == space.interfaces.end() ? nullptr : &*found;
}

bool is_join(i32 level, i32 name)
{
    return name == abi::mcast_join_group
        || name == (level == abi::ipproto_ip ? abi::ip_add_membership : abi::ipv6_join_group);
}
bool is_leave(i32 level, i32 name)
{
    return name == abi::mcast_leave_group
        || name == (level == abi::ipproto_ip ? abi::ip_drop_membership : abi::ipv6_leave_group);
}

} // namespace

Memberships::~Memberships()
{
    for (auto const& one : joined_)
        count(one, -1);
}

void Memberships::count(Membership const& one, i32 change)
{
    auto const at = space_.members.try_emplace({ one.interface, one.group.bytes }, 0).first;
    bool const is_first = at->second == 0;
    at->second += change;
    bool const is_last = at->second == 0;
    if (is_last) space_.members.erase(at);
    if ((is_first || is_last) && space_.uplink && one.interface == space_.interfaces.back().index)
        space_.uplink->group_changed(one.group, is_first);
}

bool Memberships::has(IpAddress const& group, i32 interface) const
{
    return std::ranges::any_of(joined_, [&](auto const& one) { return one.is(group, interface); });
}

Result<void> Memberships::join(IpAddress const& group, i32 interface)
{
    if (has(group, interface)) return err::addrinuse;
    auto const is_v4 = [](auto const& one) { return one.group.is_v4(); };
    if (group.is_v4() && std::ranges::count_if(joined_, is_v4) >= kMostGroups) return err::nobufs;
    joined_.push_back({ group, interface });
    count(joined_.back(), 1);
    return {};
}

Result<void> Memberships::leave(IpAddress const& group, i32 interface)
{
    auto const found
        = std::ranges::find_if(joined_, [&](auto const& one) { return one.is(group, interface); });
    if (found == joined_.end()) return err::addrnotavail;
    count(*found, -1);
    joined_.erase(found);
    return {};
}

Result<void> InetSocket::change_membership(i32 level, i32 name, std::span<u8 const> value)
{
    bool const is_v4 = level == abi::ipproto_ip;
    bool const any_family = name == abi::mcast_join_group || name == abi::mcast_leave_group;
    if (type() == abi::sock_stream && !any_family) return err::proto;
    Wish const wish = any_family ? TRY(wish_of_any(value, is_v4))
        : is_v4                  ? TRY(wish_v4(value))
                                 : TRY(wish_v6(value));
    bool const joins = is_join(level, name);
    if (!wish.group.is_multicast()) return joins || !is_v4 ? err::inval : err::addrnotavail;
    Interface const* const at = interface_of(space(), wish);
    if (joins) return at ? memberships_.join(wish.group, at->index) : err::nodev;
    if (!at && is_v4 && !wish.interface && wish.address.is_any()) return err::nodev;
    if (!at && !wish.interface && is_v4) return err::addrnotavail;
    // Of IPv6 any interface will do where none is named.
    i32 const index = is_v4 && at ? at->index : wish.interface;
    return memberships_.leave(wish.group, index);
}

Result<void> InetSocket::choose_group_interface(std::span<u8 const> value)
{
    if (type() == abi::sock_stream || value.size() < sizeof(u32)) return err::inval;
    // A short one is the address alone.
    abi::GroupRequest4 wanted {};
    if (value.size() < abi::ip_mreq_size)
        std::memcpy(wanted.address, value.data(), sizeof wanted.address);
    else
        wanted = structure_in<abi::GroupRequest4>(
            value.first(value.size() < sizeof wanted ? abi::ip_mreq_size : sizeof wanted));
    IpAddress const address = v4_of(wanted.address);
    if (!wanted.interface && address.is_any()) {
        group_interface_ = 0, group_source_ = address;
        return {};
    }
    Interface const* const found = interface_of(space(), { {}, address, wanted.interface });
    if (!found) return err::addrnotavail;
    if (bound_interface() && bound_interface() != found->index) return err::inval;
    group_interface_ = found->index, group_source_ = address;
    return {};
}

Result<void> InetSocket::choose_group_interface6(std::span<u8 const> value)
{
    if (type() == abi::sock_stream) return err::noprotoopt;
    if (value.size() < sizeof(i32)) return err::inval;
    i32 const wanted = structure_in<i32>(value);
    if (wanted && !space().find_interface(wanted)) return err::nodev;
    if (wanted && bound_interface() && bound_interface() != wanted) return err::inval;
    group_interface6_ = wanted;
    return {};
}

bool InetSocket::is_group_option(i32 level, i32 name) const
{
    if (level == abi::ipproto_ipv6) {
        if (family() != abi::af_inet6) return false;
        return is_join(level, name) || is_leave(level, name) || name == abi::ipv6_multicast_if;
    }
    return level == abi::ipproto_ip
        && (is_join(level, name) || is_leave(level, name) || name == abi::ip_multicast_if);
}

Result<void> InetSocket::set_group_option(i32 level, i32 name, std::span<u8 const> value)
{
    if (is_join(level, name) || is_leave(level, name)) return change_membership(level, name, value);
    return level == abi::ipproto_ip ? choose_group_interface(value) : choose_group_interface6(value);
}

Result<std::vector<u8>> InetSocket::get_group_option(i32 level, i32 name) const
{
    if (level == abi::ipproto_ip && name == abi::ip_multicast_if)
        return std::vector<u8>(group_source_.bytes.begin() + 12, group_source_.bytes.end());
    if (level != abi::ipproto_ipv6 || name != abi::ipv6_multicast_if) return err::noprotoopt;
    auto const* const start = reinterpret_cast<u8 const*>(&group_interface6_);
    return std::vector<u8>(start, start + sizeof group_interface6_);
}

Result<Interface*> InetSocket::way_to_group(IpAddress const& group) const
{
    i32 const chosen = group.is_v4() ? group_interface_ : group_interface6_;
    i32 const wanted = bound_interface() ? bound_interface() : chosen;
    Interface* const by = wanted ? space().find_interface(wanted) : space().way_to_group(group);
    if (wanted && !by) return err::nodev;
    // lo has no route to IPv6's groups.
    if (!by || !by->is_up || (by->is_loopback && !group.is_v4())) return err::netunreach;
    return by;
}

IpAddress InetSocket::source_for_group(Interface const& by, IpAddress const& group)
{
    auto const& own = user().local.address;
    if (!own.is_any() && !own.is_multicast()) return own;
    if (group.is_v4() && !group_source_.is_any()) return group_source_;
    // lo's own is for this machine only, as Linux sees it, and a group is not; where there is no other, it has to do.
    InterfaceAddress const* found = by.source_for(group);
    if (by.is_loopback)
        for (auto const& one : space().interfaces)
            if (auto const* other = one.is_loopback ? nullptr : one.source_for(group)) found = other;
    return found ? found->address : IpAddress::loopback(group.is_v4());
}

bool InetSocket::hears_group(IpAddress const& group, i32 interface) const
{
    if (memberships_.has(group, interface)) return true;
    return group.is_v4() ? option(abi::ipproto_ip, abi::ip_multicast_all)
                         : option(abi::ipproto_ipv6, abi::ipv6_multicast_all);
}

} // namespace umbra::net
