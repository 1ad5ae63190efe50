// SPDX-License-Identifier: GPL-2.0-or-later
// What programs see of the network from outside a socket: the interfaces (netdevice(7)) and who has which port
// (proc(5), /proc/net).
#include <algorithm>
#include <cstdio>

#include "core/abi/inet.h"
#include "core/kernel.h"
#include "core/net/inet/inet-socket.h"
#include "core/net/netlink/protocols.h"
#include "core/task/credentials.h"
#include "core/task/task.h"

namespace umbra::net {

namespace {

void put_address(abi::InterfaceRequest& request, u8 a, u8 b, u8 c, u8 d)
{
    abi::SockaddrIn const address {
        .family = abi::af_inet, .port = {}, .address = { a, b, c, d }, .zero = {}
    };
    std::memcpy(request.value, &address, sizeof address);
}

template <typename T> void put(abi::InterfaceRequest& request, T const& value)
{
    std::memcpy(request.value, &value, sizeof value);
}

/// The first IPv4 address, which is the only one that this way shows; null if there is none.
InterfaceAddress const* first_address(Interface const& interface)
{
    for (auto const& one : interface.addresses)
        if (one.is_v4()) return &one;
    return nullptr;
}

void put_ip(abi::InterfaceRequest& request, IpAddress const& address)
{
    auto const& b = address.bytes;
    put_address(request, b[12], b[13], b[14], b[15]);
}

void put_name(abi::InterfaceRequest& request, Interface const& interface)
{
    std::memset(request.name, 0, sizeof request.name);
    interface.name.copy(request.name, sizeof request.name - 1);
}

Result<i64> list_interfaces(Task& task, NetworkNamespace const& space, u64 argument)
{
    UserInOut<abi::InterfaceList> place { GuestAddr(argument) };
    auto list = TRY(place.copy_in(task));
    i32 length = 0;
    for (auto const& interface : space.interfaces) {
        auto const* address = first_address(interface);
        i32 const size = sizeof(abi::InterfaceRequest);
        if (!address || (list.requests && length + size > list.length)) continue;
        abi::InterfaceRequest row {};
        put_name(row, interface);
        put_ip(row, address->address);
        if (list.requests)
            TRY(UserOut<abi::InterfaceRequest> { GuestAddr(list.requests + u64(length)) }.copy_out(
                task, row));
        length += size;
    }
    list.length = length;
    TRY(place.copy_out(task, list));
    return 0;
}

Result<void> put_netmask(abi::InterfaceRequest& request, u8 prefix)
{
    u32 const mask = prefix ? ~u32 { 0 } << (32 - std::min<u32>(prefix, 32)) : 0;
    put_address(request, u8(mask >> 24), u8(mask >> 16), u8(mask >> 8), u8(mask));
    return {};
}

/// Fills in what is asked about the interface. EADDRNOTAVAIL; ENOTTY for another command.
Result<void> answer(Interface const& interface, abi::InterfaceRequest& request, u32 command)
{
    auto const* address = first_address(interface);
    switch (command) {
    case abi::siocgifindex:
        put(request, interface.index);
        return {};
    case abi::siocgifflags:
        put(request, u16(interface.flags()));
        return {};
    case abi::siocgifaddr:
        if (!address) return err::addrnotavail;
        put_ip(request, address->address);
        return {};
    case abi::siocgifnetmask:
        return address ? put_netmask(request, address->prefix) : err::addrnotavail;
    case abi::siocgifmtu:
        put(request, interface.mtu);
        return {};
    case abi::siocgiftxqlen:
        put(request, Interface::kQueueLength);
        return {};
    case abi::siocgifbrdaddr:
        if (!address) return err::addrnotavail;
        put_ip(request, interface.is_loopback ? IpAddress::v4(0, 0, 0, 0) : address->last());
        return {};
    case abi::siocgifhwaddr:
        std::memset(request.value, 0, sizeof request.value);
        put(request, interface.hardware_type());
        std::ranges::copy(interface.hardware_address, request.value + sizeof(u16));
        return {};
    default:
        return err::notty;
    }
}

bool is_about_interfaces(u32 command)
{
    constexpr u32 known[] = { abi::siocgifname, abi::siocgifindex, abi::siocgifflags, abi::siocsifflags,
        abi::siocgifaddr, abi::siocgifnetmask, abi::siocgifmtu, abi::siocgifhwaddr, abi::siocgiftxqlen,
        abi::siocgifbrdaddr };
    return std::ranges::find(known, command) != std::end(known);
}

/// Of the flags only IFF_UP can be changed.
void set_flags(NetworkNamespace& space, Interface& interface, abi::InterfaceRequest const& request)
{
    u16 flags;
    std::memcpy(&flags, request.value, sizeof flags);
    change_interface(space, interface, flags & abi::iff_up);
}

/// An address as /proc/net shows it: 32-bit words as they lie in memory, in hexadecimal.
std::string hexadecimal(InetName const& name, bool is_v4)
{
    std::string out;
    char text[16];
    for (size_t at = is_v4 ? 12 : 0; at < 16; at += 4) {
        u32 word;
        std::memcpy(&word, &name.address.bytes[at], sizeof word);
        std::snprintf(text, sizeof text, "%08X", word);
        out += text;
    }
    std::snprintf(text, sizeof text, ":%04X", name.port);
    return out + text;
}

} // namespace

Result<i64> interface_ioctl(Task& task, NetworkNamespace& space, u32 command, u64 argument)
{
    if (command == abi::siocgifconf) return list_interfaces(task, space, argument);
    if (!is_about_interfaces(command)) return err::notty;
    UserInOut<abi::InterfaceRequest> place { GuestAddr(argument) };
    auto request = TRY(place.copy_in(task));
    if (command == abi::siocgifname) {
        i32 index;
        std::memcpy(&index, request.value, sizeof index);
        Interface const* const interface = space.find_interface(index);
        if (!interface) return err::nodev;
        put_name(request, *interface);
        TRY(place.copy_out(task, request));
        return 0;
    }
    request.name[sizeof request.name - 1] = '\0';
    bool const sets = command == abi::siocsifflags;
    if (sets && !rules(task, space, Capability::net_admin)) return err::perm;
    Interface* const interface = space.find_interface(std::string_view(request.name));
    if (!interface) return err::nodev;
    if (sets) {
        set_flags(space, *interface, request);
        return 0;
    }
    TRY(answer(*interface, request, command));
    TRY(place.copy_out(task, request));
    return 0;
}

std::string describe_ports(NetworkNamespace const& space, i32 family, i32 protocol)
{
    std::string out;
    int line = 0;
    for (auto const& [port, user] : space.ports(protocol).users()) {
        if (user->family != family) continue;
        char text[160];
        bool const is_v4 = family == abi::af_inet;
        std::snprintf(text, sizeof text, "%4d: ", line++);
        out += text + hexadecimal(user->local, is_v4) + " " + hexadecimal(user->remote, is_v4);
        std::snprintf(text, sizeof text,
            " %02X 00000000:%08X 00:00000000 00000000 %5u        0 %llu 1 0000000000000000",
            user->state_number(), u32(user->receive_queue_bytes()),
            current().credentials().user_namespace->uid_out(user->uid),
            static_cast<unsigned long long>(user->inode_number()));
        out += text + std::string(protocol == abi::ipproto_tcp ? " 100 0 0 10 0\n" : " 0\n");
    }
    return out;
}

} // namespace umbra::net
