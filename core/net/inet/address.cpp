// SPDX-License-Identifier: GPL-2.0-or-later
// sockaddr_in and sockaddr_in6.
#include "core/net/inet/address.h"

#include <cstdio>

#include "core/abi/inet.h"

namespace umbra::net {

namespace {

u16 port_of(u8 const (&port)[2]) { return u16(port[0] << 8 | port[1]); }

void set_port(u8 (&to)[2], u16 port)
{
    to[0] = u8(port >> 8);
    to[1] = u8(port);
}

template <typename T> SocketAddress to_socket_address(T const& value)
{
    SocketAddress result;
    std::memcpy(result.bytes, &value, sizeof value);
    result.length = sizeof value;
    return result;
}

InetName name_of(abi::SockaddrIn const& in)
{
    return { IpAddress::v4(in.address[0], in.address[1], in.address[2], in.address[3]), port_of(in.port) };
}

} // namespace

Result<InetName> inet_name_of(SocketAddress const& address, i32 family)
{
    u32 const least = family == abi::af_inet ? u32(sizeof(abi::SockaddrIn)) : abi::sockaddr_in6_short;
    if (address.length < sizeof(u16)) return err::inval;
    if (address.length < least) return err::inval;
    if (address.family() != family) return err::afnosupport;
    if (family == abi::af_inet) {
        abi::SockaddrIn in;
        std::memcpy(&in, address.bytes, sizeof in);
        return name_of(in);
    }
    abi::SockaddrIn6 in {};
    std::memcpy(&in, address.bytes, std::min<u64>(address.length, sizeof in));
    InetName name { {}, port_of(in.port) };
    std::ranges::copy(in.address, name.address.bytes.begin());
    return name;
}

Result<InetName> inet_name_to_bind(SocketAddress const& address, i32 family)
{
    abi::SockaddrIn in;
    if (family == abi::af_inet && address.length >= sizeof in && address.family() == abi::af_unspec) {
        std::memcpy(&in, address.bytes, sizeof in);
        if (InetName const name = name_of(in); name.address.is_any()) return name;
    }
    return inet_name_of(address, family);
}

SocketAddress socket_address_of(InetName const& name, i32 family)
{
    if (family == abi::af_inet) {
        abi::SockaddrIn in { .family = abi::af_inet, .port = {}, .address = {}, .zero = {} };
        set_port(in.port, name.port);
        std::copy(name.address.bytes.begin() + 12, name.address.bytes.end(), in.address);
        return to_socket_address(in);
    }
    abi::SockaddrIn6 in { .family = abi::af_inet6, .port = {}, .flow_info = 0, .address = {}, .scope_id = 0 };
    set_port(in.port, name.port);
    std::ranges::copy(name.address.bytes, in.address);
    return to_socket_address(in);
}

std::string text_of(IpAddress const& address)
{
    auto const& b = address.bytes;
    char text[40];
    if (address.is_v4()) {
        std::snprintf(text, sizeof text, "%u.%u.%u.%u", b[12], b[13], b[14], b[15]);
        return text;
    }
    std::string out;
    for (size_t at = 0; at < b.size(); at += 2) {
        std::snprintf(text, sizeof text, "%s%x", at ? ":" : "", b[at] << 8 | b[at + 1]);
        out += text;
    }
    return out;
}

} // namespace umbra::net
