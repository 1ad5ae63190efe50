// SPDX-License-Identifier: GPL-2.0-or-later
// net/: the tables of a network stack without interfaces, routes or sockets; headers only, which is what
// programs need to see that there is nothing.
#include "core/fs/proc/pid-directory.h"

namespace umbra::fs {

namespace {
struct NetRow {
    char const *name, *text;
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
        "carrier compressed\n" },
    { "if_inet6", "" },
    { "route", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" },
    { "tcp", kInetHeader },
    { "tcp6", kInet6Header },
    { "udp", kInetHeader },
    { "udp6", kInet6Header },
    { "raw", kInetHeader },
    { "unix", "Num       RefCount Protocol Flags    Type St Inode Path\n" },
};
} // namespace

Ref<vfs::Inode> make_net_directory(
    vfs::FileSystem& fs, PidReference const&, PseudoAttributes const& attributes)
{
    auto directory = make_ref<StaticDirectory>(fs, attributes);
    u64 number = attributes.number;
    for (NetRow const& row : kNetFiles)
        directory->add_text(row.name, [text = row.text] { return Result<std::string>(text); },
            { .mode = 0444, .number = number += 1 << 16 });
    return directory;
}

} // namespace umbra::fs
