// SPDX-License-Identifier: GPL-2.0-or-later
// What programs see of the network from outside a socket: the loopback interface (netdevice(7)) and who has which port
// (proc(5), /proc/net).
#include <cstdio>

#include "core/abi/inet.h"
#include "core/kernel.h"
#include "core/net/inet/inet-socket.h"
#include "core/net/unix/endpoint.h"
#include "core/task/task.h"

namespace umbra::net {

namespace {

constexpr char kLoopbackName[] = "lo";
constexpr i32 kLoopbackIndex = 1, kLoopbackMtu = 65536;

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

Result<i64> list_interfaces(Task& task, u64 argument)
{
    UserInOut<abi::InterfaceList> place { GuestAddr(argument) };
    auto list = TRY(place.copy_in(task));
    abi::InterfaceRequest lo {};
    std::memcpy(lo.name, kLoopbackName, sizeof kLoopbackName);
    put_address(lo, 127, 0, 0, 1);
    bool const fits = list.requests && list.length >= i32(sizeof lo);
    if (fits) TRY(UserOut<abi::InterfaceRequest> { GuestAddr(list.requests) }.copy_out(task, lo));
    list.length = fits || !list.requests ? sizeof lo : 0;
    TRY(place.copy_out(task, list));
    return 0;
}

/// Fills in what is asked about the interface. ENOTTY for another command.
Result<void> answer(abi::InterfaceRequest& request, u32 command)
{
    switch (command) {
    case abi::siocgifindex:
        put(request, kLoopbackIndex);
        return {};
    case abi::siocgifflags:
        put(request, u16(abi::iff_up | abi::iff_loopback | abi::iff_running));
        return {};
    case abi::siocgifaddr:
        put_address(request, 127, 0, 0, 1);
        return {};
    case abi::siocgifnetmask:
        put_address(request, 255, 0, 0, 0);
        return {};
    case abi::siocgifmtu:
        put(request, kLoopbackMtu);
        return {};
    case abi::siocgifhwaddr:
        std::memset(request.value, 0, sizeof request.value);
        put(request, abi::arphrd_loopback);
        return {};
    default:
        return err::notty;
    }
}

bool is_about_interfaces(u32 command)
{
    abi::InterfaceRequest unused {};
    return command == abi::siocgifname || answer(unused, command).ok();
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

Result<i64> interface_ioctl(Task& task, u32 command, u64 argument)
{
    if (command == abi::siocgifconf) return list_interfaces(task, argument);
    if (!is_about_interfaces(command)) return err::notty;
    UserInOut<abi::InterfaceRequest> place { GuestAddr(argument) };
    auto request = TRY(place.copy_in(task));
    if (command == abi::siocgifname) {
        i32 index;
        std::memcpy(&index, request.value, sizeof index);
        if (index != kLoopbackIndex) return err::nodev;
        std::memcpy(request.name, kLoopbackName, sizeof kLoopbackName);
    } else {
        request.name[sizeof request.name - 1] = '\0';
        if (std::strcmp(request.name, kLoopbackName) != 0) return err::nodev;
        TRY(answer(request, command));
    }
    TRY(place.copy_out(task, request));
    return 0;
}

std::string describe_ports(Kernel& kernel, i32 family, i32 protocol)
{
    Network& network = Network::of(kernel);
    std::string out;
    int line = 0;
    for (auto const& [port, user] :
        (protocol == abi::ipproto_tcp ? network.tcp_ports : network.udp_ports).users()) {
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
