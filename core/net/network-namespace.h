// SPDX-License-Identifier: GPL-2.0-or-later
// Network namespaces (network_namespaces(7)): interfaces with their addresses, ports, and abstract names of local
// sockets. References: the sets of tasks, open files of a namespace, and its sockets hold it; it knows those that have a
// name in it without holding them. Guarded by the kernel lock.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/net/inet/port-table.h"
#include "core/net/uplink.h"
#include "core/vfs/namespace.h"

namespace umbra {
enum class Capability : u8;
}

namespace umbra::net {

class Capture;
class DirectSockets;
class NetlinkSocket;
class PacketSocket;
class PacketWatcher;
class UnixEndpoint;

/// net.ipv4.* and net.core.* that are obeyed.
struct NetworkSettings {
    i64 first_port = 32768, last_port = 60999; ///< ip_local_port_range
    i64 first_unprivileged_port = 1024; ///< ip_unprivileged_port_start
    i64 first_ping_group = 1, last_ping_group = 0; ///< ping_group_range
    i64 most_pending = 4096; ///< somaxconn
};

/// Where something that is sent goes: to this machine itself, out, or to where nobody is.
enum class Way : u8 { inside, outside, nowhere };

class NetworkNamespace final : public vfs::Namespace {
public:
    NetworkNamespace(Kernel& kernel, vfs::NamespaceOrigin origin);
    ~NetworkNamespace() override;

    Interface& loopback() { return interfaces.front(); }
    Interface const& loopback() const { return interfaces.front(); }
    /// Null: there is none.
    Interface* find_interface(i32 index);
    Interface* find_interface(std::string_view name);
    /// Plugs in what leads out of the instance. Before any task runs.
    void attach(Uplink& way_out);

    /// Whether something sent to the address comes back to this machine.
    bool reaches(IpAddress const& address) const;
    /// The interface by which something sent to the address leaves this machine; null: none.
    Interface* way_to(IpAddress const& address);
    /// By the interface with the index `bound`, or with 0 by any. ENODEV: there is none; ENETUNREACH.
    Result<Way> find_way(IpAddress const& to, i32 bound);
    /// The interface by which a group is reached that nobody has said more about; null: none.
    Interface* way_to_group(IpAddress const& group);
    /// Whether anybody here has joined it there.
    bool is_member(IpAddress const& group, i32 interface) const;
    /// Whether all on a wire have the address.
    bool is_broadcast(IpAddress const& address) const;
    /// Whether a socket may have the address as its own.
    bool has(IpAddress const& address) const;
    /// Where something sent to an address comes from.
    IpAddress source_for(IpAddress const& to) const;
    /// The next port of netlink to try where a process's number is taken; they read as negative numbers.
    u32 choose_netlink_port();

    /// From here on it sees what passes the interfaces.
    void watch(PacketWatcher& watcher);
    void unwatch(PacketWatcher& watcher);

    Kernel& kernel;
    std::vector<Interface> interfaces; ///< lo first
    Uplink* uplink = nullptr; ///< null: nothing leads out
    DirectSockets* direct = nullptr; ///< null: internet sockets are our own
    std::unique_ptr<Capture> capture; ///< null: nobody watches
    NetworkSettings settings;
    /// The table of one of the protocols.
    PortTable const& ports(i32 protocol) const;
    PortTable tcp_ports, udp_ports, udplite_ports;
    PortTable ping_ports; ///< by identifier, of both families
    PortTable raw_ports; ///< by protocol
    std::map<std::string, UnixEndpoint*> abstract_names;
    u32 last_autobind = 0;
    std::vector<NetlinkSocket*> netlink_sockets;
    std::vector<PacketSocket*> packet_sockets;
    std::map<std::pair<i32, std::array<u8, 16>>, i32> members; ///< sockets, by interface and group
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
