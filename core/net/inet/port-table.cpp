// SPDX-License-Identifier: GPL-2.0-or-later
// Conflicts of names (SO_REUSEADDR and SO_REUSEPORT in socket(7)) and ephemeral ports (ip(7)).
#include "core/net/inet/port-table.h"

#include "core/kernel.h"
#include "core/net/network-namespace.h"

namespace umbra::net {

namespace {

/// Whether an address bound with or without IPV6_V6ONLY takes what is sent to `address`.
bool takes(IpAddress const& bound, bool v6_only, IpAddress const& address)
{
    if (bound == address) return true;
    if (!bound.is_any()) return false;
    return bound.is_v4() ? address.is_v4() : !(v6_only && address.is_v4());
}

bool overlap(IpAddress const& a, bool a_v6_only, IpAddress const& b, bool b_v6_only)
{
    return takes(a, a_v6_only, b) || takes(b, b_v6_only, a);
}

bool share_interface(PortUser const& a, PortUser const& b)
{
    return !a.only_interface || b.hears(a.only_interface);
}

} // namespace

bool PortUser::covers(IpAddress const& address) const { return takes(local.address, v6_only, address); }

bool PortTable::conflicts(PortUser const& user, InetName const& name) const
{
    auto [first, last] = users_.equal_range(name.port);
    for (auto at = first; at != last; ++at) {
        PortUser const& other = *at->second;
        if (&other == &user || !overlap(name.address, user.v6_only, other.local.address, other.v6_only))
            continue;
        if (!share_interface(user, other)) continue;
        if (user.reuse_address && other.reuse_address && !other.is_listening) continue;
        if (user.reuse_port && other.reuse_port && user.uid == other.uid) continue;
        return true;
    }
    return false;
}

void PortTable::add(PortUser& user, InetName const& name)
{
    user.local = name;
    user.table_ = this;
    users_.emplace(name.port, &user);
}

Result<void> PortTable::bind(NetworkNamespace const& space, PortUser& user, InetName name)
{
    if (name.port) {
        if (conflicts(user, name)) return err::addrinuse;
        add(user, name);
        return {};
    }
    auto const& range = space.settings;
    u32 const count = u32(range.last_port - range.first_port + 1);
    u32 start = 0;
    space.kernel.platform().random_bytes({ reinterpret_cast<u8*>(&start), sizeof start });
    for (u32 i = 0; i < count; ++i) {
        name.port = u16(u32(range.first_port) + (start % count + i) % count);
        // Nobody asked for this very port: no reason to share it.
        if (users_.contains(name.port)) continue;
        add(user, name);
        return {};
    }
    return err::addrinuse;
}

void PortTable::share(PortUser& user, PortUser const& listener, InetName const& local)
{
    user.reuse_address = listener.reuse_address, user.reuse_port = listener.reuse_port;
    user.only_interface = listener.only_interface;
    user.uid = listener.uid, user.v6_only = listener.v6_only;
    add(user, local);
}

void PortTable::release(PortUser& user)
{
    if (!user.table_) return;
    auto [first, last] = users_.equal_range(user.local.port);
    for (auto at = first; at != last; ++at)
        if (at->second == &user) {
            users_.erase(at);
            break;
        }
    user.table_ = nullptr;
}

bool PortTable::has_other_listener(PortUser const& user) const
{
    auto [first, last] = users_.equal_range(user.local.port);
    return std::any_of(first, last, [&](auto const& entry) {
        PortUser const& other = *entry.second;
        return &other != &user && other.is_listening && !(user.reuse_port && other.reuse_port)
            && share_interface(user, other)
            && overlap(user.local.address, user.v6_only, other.local.address, other.v6_only);
    });
}

} // namespace umbra::net
