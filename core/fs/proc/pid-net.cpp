// SPDX-License-Identifier: GPL-2.0-or-later
// net/: the tables of the network: interfaces, routes of IPv4, sockets.
#include <cstring>

#include "core/abi/inet.h"
#include "core/fs/proc/pid-directory.h"
#include "core/net/inet/inet-socket.h"
#include "core/net/network-namespace.h"
#include "core/net/packet/packet-socket.h"
#include "core/net/unix/unix-socket.h"

namespace umbra::fs {

namespace {
/// Numbers of one interface, as `dev` has them.
std::string interface_rows(net::NetworkNamespace const& space)
{
    std::string out;
    for (auto const& interface : space.interfaces) {
        auto const& c = interface.counters;
        char line[200];
        std::snprintf(line, sizeof line,
            "%6s: %7llu %7llu    0    0    0     0          0         0 %8llu %7llu    0    0    0     0     "
            "  0 "
            "         0\n",
            interface.name.c_str(), static_cast<unsigned long long>(c.received_bytes),
            static_cast<unsigned long long>(c.received_packets),
            static_cast<unsigned long long>(c.sent_bytes), static_cast<unsigned long long>(c.sent_packets));
        out += line;
    }
    return out;
}

/// Addresses of IPv6: address, index, bits, scope and flags in hexadecimal, name.
std::string address_rows(net::NetworkNamespace const& space)
{
    constexpr u8 host_scope = 254;
    std::string out;
    for (auto const& interface : space.interfaces)
        for (auto const& one : interface.addresses) {
            if (one.is_v4() || !interface.is_up) continue;
            char text[64];
            for (u8 byte : one.address.bytes) {
                std::snprintf(text, sizeof text, "%02x", byte);
                out += text;
            }
            std::snprintf(text, sizeof text, " %02x %02x %02x 80 %8s\n", u32(interface.index), one.prefix,
                one.scope == host_scope ? 0x10 : 0, interface.name.c_str());
            out += text;
        }
    return out;
}

/// A line of `route`, which all have the same length.
std::string filled_up(std::string line)
{
    constexpr size_t width = 127;
    line.resize(std::max(line.size(), width), ' ');
    return line + "\n";
}

/// A row of the main table; addresses are words as they lie in memory.
std::string route_row(net::Interface const& interface, net::IpAddress const& to,
    net::IpAddress const& gateway, u32 flags, u8 prefix)
{
    auto word = [](net::IpAddress const& address) {
        u32 value;
        std::memcpy(&value, &address.bytes[12], sizeof value);
        return value;
    };
    u32 const mask = __builtin_bswap32(prefix ? ~u32 { 0 } << (32 - prefix) : 0);
    char line[160];
    int const length = std::snprintf(line, sizeof line, "%s\t%08X\t%08X\t%04X\t0\t0\t0\t%08X\t0\t0\t0",
        interface.name.c_str(), word(to), word(gateway), flags, mask);
    return filled_up(std::string(line, size_t(length)));
}

std::string route_rows(net::NetworkNamespace const& space)
{
    constexpr u32 up = 1, has_gateway = 2;
    auto const none = net::IpAddress::any(abi::af_inet);
    std::string out
        = filled_up("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
    for (auto const& interface : space.interfaces) {
        if (interface.is_loopback || !interface.is_up) continue;
        if (interface.gateway) out += route_row(interface, none, *interface.gateway, up | has_gateway, 0);
        for (auto const& one : interface.addresses)
            if (one.is_v4() && one.prefix < 32)
                out += route_row(interface, one.first(), none, up, one.prefix);
    }
    return out;
}

std::string packet_rows(net::NetworkNamespace const& space)
{
    std::string out;
    for (net::PacketSocket const* socket : space.packet_sockets)
        out += socket->describe();
    return out;
}

struct NetRow {
    char const *name, *text;
    i32 family = 0, protocol = 0; ///< whose sockets follow, or 0
    std::string (*rows)(net::NetworkNamespace const& space) = nullptr; ///< what follows otherwise, or null
};
constexpr char const* kInetHeader
    = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
constexpr char const* kInet6Header
    = "  sl  local_address                         remote_address                        "
      "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
constexpr NetRow kNetFiles[] = {
    { "arp", "IP address       HW type     Flags       HW address            Mask     Device\n" },
    { "dev",
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo "
        "colls "
        "carrier compressed\n",
        0, 0, interface_rows },
    { "if_inet6", "", 0, 0, address_rows },
    { "packet", "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n", 0, 0, packet_rows },
    { "route", "", 0, 0, route_rows },
    { "tcp", kInetHeader, abi::af_inet, abi::ipproto_tcp },
    { "tcp6", kInet6Header, abi::af_inet6, abi::ipproto_tcp },
    { "udp", kInetHeader, abi::af_inet, abi::ipproto_udp },
    { "udp6", kInet6Header, abi::af_inet6, abi::ipproto_udp },
    { "udplite", kInetHeader, abi::af_inet, abi::ipproto_udplite },
    { "udplite6", kInet6Header, abi::af_inet6, abi::ipproto_udplite },
    { "icmp", kInetHeader, abi::af_inet, abi::ipproto_icmp },
    { "icmp6", kInet6Header, abi::af_inet6, abi::ipproto_icmp },
    { "raw", kInetHeader, abi::af_inet, abi::ipproto_raw },
    { "raw6", kInet6Header, abi::af_inet6, abi::ipproto_raw },
    { "unix", "Num       RefCount Protocol Flags    Type St Inode Path\n", 0, 0, net::describe_unix_sockets },
};
} // namespace

Ref<vfs::Inode> make_net_directory(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    auto directory = make_ref<StaticDirectory>(fs, attributes);
    u64 number = attributes.number;
    for (NetRow const& row : kNetFiles)
        directory->add_text(row.name,
            [&kernel = fs.kernel(), reference, &row]() -> Result<std::string> {
                auto const task = TRY(live_task(TRY(find_subject(kernel, reference))));
                auto const& space = net::network_namespace(*task);
                if (row.family) return row.text + net::describe_ports(space, row.family, row.protocol);
                return row.rows ? row.text + row.rows(space) : std::string(row.text);
            },
            { .mode = 0444, .number = number += 1 << 16 });
    return directory;
}

} // namespace umbra::fs
