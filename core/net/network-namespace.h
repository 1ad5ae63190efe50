// SPDX-License-Identifier: GPL-2.0-or-later
// Network namespaces (network_namespaces(7)): a loopback interface with its addresses, ports, and abstract names of local
// sockets. References: the sets of tasks, open files of a namespace, and its sockets hold it; it knows those that have a
// name in it without holding them. Guarded by the kernel lock.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/net/inet/port-table.h"
#include "core/vfs/namespace.h"

namespace umbra {
enum class Capability : u8;
}

namespace umbra::net {

class NetlinkSocket;
class UnixEndpoint;

/// An address of the loopback interface; all of its prefix is this machine, as Linux has it for IPv4.
struct InterfaceAddress {
    IpAddress address {};
    u8 prefix = 0; ///< bits, of 32 for IPv4
    u8 scope = 0; ///< RT_SCOPE_*
    std::string label {};
    bool is_v4() const { return address.is_v4(); }
    bool covers(IpAddress const& other) const;
};

/// "lo", of which each namespace has one and nothing else.
struct Loopback {
    static constexpr char kName[] = "lo";
    static constexpr i32 kIndex = 1;
    static constexpr i32 kMtu = 65536, kQueueLength = 1000;
    bool is_up = false;
    bool was_up = false; ///< ever
    std::vector<InterfaceAddress> addresses {};
};

/// net.ipv4.* and net.core.* that are obeyed.
struct NetworkSettings {
    i64 first_port = 32768, last_port = 60999; ///< ip_local_port_range
    i64 first_unprivileged_port = 1024; ///< ip_unprivileged_port_start
    i64 first_ping_group = 1, last_ping_group = 0; ///< ping_group_range
    i64 most_pending = 4096; ///< somaxconn
};

class NetworkNamespace final : public vfs::Namespace {
public:
    NetworkNamespace(Kernel& kernel, vfs::NamespaceOrigin origin);

    /// IFF_UP on or off. With the first, the addresses of a loopback interface come by themselves.
    void set_loopback(bool up);
    /// Whether something sent to the address comes back to this machine.
    bool reaches(IpAddress const& address) const;
    /// Whether a socket may have the address as its own.
    bool has(IpAddress const& address) const;
    /// Where something sent to a local address comes from.
    IpAddress source_for(IpAddress const& to) const;
    /// EEXIST.
    Result<void> add_address(InterfaceAddress address);
    /// EADDRNOTAVAIL.
    Result<InterfaceAddress> remove_address(IpAddress const& address, u8 prefix);
    /// The next port of netlink to try where a process's number is taken; they read as negative numbers.
    u32 choose_netlink_port();

    Kernel& kernel;
    Loopback loopback;
    NetworkSettings settings;
    PortTable tcp_ports, udp_ports;
    std::map<std::string, UnixEndpoint*> abstract_names;
    u32 last_autobind = 0;
    std::vector<NetlinkSocket*> netlink_sockets;
    std::map<std::pair<i32, u32>, NetlinkSocket*>
        netlink_ports; ///< by protocol and port: those that are bound

private:
    i32 next_netlink_port_ = kFirstNetlinkPort;
    static constexpr i32 kFirstNetlinkPort = -4097;
};

/// The namespace of a task.
NetworkNamespace& network_namespace(Task const& task);
/// Whether the task has the capability in the owner of the namespace.
bool rules(Task const& task, NetworkNamespace const& space, Capability capability);

} // namespace umbra::net
