// SPDX-License-Identifier: GPL-2.0-or-later
// net/: the tables of a machine whose network is itself: the loopback interface, its sockets, no routes.
#include "core/abi/inet.h"
#include "core/fs/proc/pid-directory.h"
#include "core/net/inet/inet-socket.h"
#include "core/net/network-namespace.h"

namespace umbra::fs {

namespace {
struct NetRow {
    char const *name, *text;
    i32 family = 0, protocol = 0; ///< whose sockets follow, or 0
    bool only_up = false; ///< empty while the interface is down
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
        "carrier compressed\n"
        "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0   "
        "  0       0 "
        "         0\n" },
    { "if_inet6", "00000000000000000000000000000001 01 80 10 80       lo\n", 0, 0, true },
    { "route", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" },
    { "tcp", kInetHeader, abi::af_inet, abi::ipproto_tcp },
    { "tcp6", kInet6Header, abi::af_inet6, abi::ipproto_tcp },
    { "udp", kInetHeader, abi::af_inet, abi::ipproto_udp },
    { "udp6", kInet6Header, abi::af_inet6, abi::ipproto_udp },
    { "raw", kInetHeader },
    { "unix", "Num       RefCount Protocol Flags    Type St Inode Path\n" },
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
                return row.only_up && !space.loopback.is_up ? std::string() : std::string(row.text);
            },
            { .mode = 0444, .number = number += 1 << 16 });
    return directory;
}

} // namespace umbra::fs
