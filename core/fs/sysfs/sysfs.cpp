// SPDX-License-Identifier: GPL-2.0-or-later
// The tree of sysfs, filled when it is made.
#include "core/fs/sysfs/sysfs.h"

#include <algorithm>

#include "core/abi/inet.h"
#include "core/device/device-table.h"
#include "core/fs/pseudo/pseudo.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/mm/frame.h"
#include "core/net/network-namespace.h"
#include "core/task/namespaces.h"
#include "core/task/scheduler.h"

namespace umbra::fs {

namespace {
constexpr i64 kSysfsMagic = 0x62656572;
constexpr unsigned kMaxCpus = 64;

class SysFileSystem final : public vfs::FileSystem {
public:
    explicit SysFileSystem(Kernel& kernel);
    Ref<vfs::Inode> root() override { return *root_; }

private:
    RefPtr<vfs::Inode> root_;
};

void add_fixed(StaticDirectory& directory, std::string name, std::string text)
{
    directory.add_text(std::move(name), [text = std::move(text) + "\n"] { return Result<std::string>(text); },
        { .mode = 0444, .size = kPageSize });
}

u64 cpu_set(unsigned count) { return count >= kMaxCpus ? ~u64 { 0 } : (u64 { 1 } << count) - 1; }

/// Bit masks as sysfs writes them: groups of 32 bits.
std::string mask_text(u64 set)
{
    auto high = unsigned(set >> 32), low = unsigned(set);
    return high ? format_text("%x,%08x", high, low) : format_text("%x", low);
}

void add_cpu_sets(StaticDirectory& topology, char const* name, u64 set)
{
    add_fixed(topology, name, mask_text(set));
    add_fixed(topology, std::string(name) + "_list", format_list(set));
}

/// One socket; every CPU is a core of its own.
void add_cpu(StaticDirectory& cpus, unsigned index, unsigned count)
{
    StaticDirectory& topology = cpus.directory_at("cpu" + std::to_string(index) + "/topology");
    add_fixed(topology, "core_id", std::to_string(index));
    add_fixed(topology, "die_id", "0");
    add_fixed(topology, "physical_package_id", "0");
    u64 self = u64 { 1 } << index, all = cpu_set(count);
    for (char const* name : { "core_cpus", "thread_siblings" })
        add_cpu_sets(topology, name, self);
    for (char const* name : { "core_siblings", "die_cpus", "package_cpus" })
        add_cpu_sets(topology, name, all);
}

void add_cpus(StaticDirectory& root, unsigned count)
{
    StaticDirectory& cpus = root.directory_at("devices/system/cpu");
    std::string list = format_list(cpu_set(count));
    for (char const* name : { "online", "possible", "present" })
        add_fixed(cpus, name, list);
    add_fixed(cpus, "offline", "");
    add_fixed(cpus, "isolated", "");
    add_fixed(cpus.directory("smt"), "active", "0");
    add_fixed(cpus.directory("smt"), "control", "notsupported");
    add_fixed(cpus, "kernel_max", std::to_string(kMaxCpus - 1));
    for (unsigned i = 0; i < count; ++i)
        add_cpu(cpus, i, count);
}

std::string node_memory(Kernel& kernel)
{
    u64 const total = kernel.memory().limit(), free = kernel.memory().free();
    std::string out;
    for (auto const& [name, pages] :
        { std::pair("MemTotal:", total), std::pair("MemFree:", free), std::pair("MemUsed:", total - free) })
        append_format(
            out, "Node 0 %-15s%8llu kB\n", name, static_cast<unsigned long long>(pages << (kPageShift - 10)));
    return out;
}

/// One memory node that has everything.
void add_nodes(StaticDirectory& root, Kernel& kernel, unsigned count)
{
    StaticDirectory& nodes = root.directory_at("devices/system/node");
    for (char const* name : { "online", "possible", "has_cpu", "has_memory", "has_normal_memory" })
        add_fixed(nodes, name, "0");
    StaticDirectory& node = nodes.directory("node0");
    add_fixed(node, "cpulist", format_list(cpu_set(count)));
    add_fixed(node, "cpumap", mask_text(cpu_set(count)));
    add_fixed(node, "distance", "10");
    node.add_text("meminfo", [&kernel] { return Result<std::string>(node_memory(kernel)); },
        { .mode = 0444, .size = kPageSize });
}

/// "../" from a directory to the top, and on to another.
std::string relative(int depth, std::string const& to)
{
    std::string path;
    for (int i = 0; i < depth; ++i)
        path += "../";
    return path + to;
}

/// devices/virtual/CLASS/NAME and the links that lead there: from class/, dev/ and for what udevadm asks, back.
StaticDirectory& add_device(StaticDirectory& root, std::string const& type, std::string const& name)
{
    std::string const place = "devices/virtual/" + type + "/" + name;
    StaticDirectory& device = root.directory_at(place);
    device.add_link("subsystem", relative(4, "class/" + type));
    root.directory_at("class/" + type).add_link(name, relative(2, place));
    return device;
}

void add_node(StaticDirectory& root, device::DeviceRegion const& region, device::DeviceNode const& node)
{
    bool const is_block = region.kind == device::DeviceKind::block;
    std::string name = node.path;
    std::replace(name.begin(), name.end(), '/', '!'); // as Linux names what is in a directory of /dev
    std::string const type = is_block ? "block" : region.name;
    std::string const number = std::to_string(region.major) + ":" + std::to_string(node.minor);
    StaticDirectory& device = add_device(root, type, name);
    add_fixed(device, "dev", number);
    add_fixed(device, "uevent",
        format_text("MAJOR=%u\nMINOR=%u\nDEVNAME=%s\nDEVMODE=%04o", region.major, node.minor,
            node.path.c_str(), node.mode));
    root.directory_at(is_block ? "dev/block" : "dev/char")
        .add_link(number, relative(2, "devices/virtual/" + type + "/" + name));
    if (is_block) root.directory("block").add_link(name, relative(1, "devices/virtual/block/" + name));
}

void add_devices(StaticDirectory& root, Kernel& kernel)
{
    for (auto const& region : kernel.devices().regions())
        for (auto const& node : region.nodes)
            add_node(root, region, node);
}

std::string hardware_text(net::Interface::HardwareAddress const& address)
{
    std::string out;
    for (u8 byte : address) {
        char text[4];
        std::snprintf(text, sizeof text, out.empty() ? "%02x" : ":%02x", byte);
        out += text;
    }
    return out;
}

/// An interface of the first namespace's; of others only lo is to be seen here, as theirs.
void add_interface(StaticDirectory& root, net::Interface const& interface)
{
    struct Row {
        char const* name;
        std::string text;
    };
    std::string const index = std::to_string(interface.index);
    Row const rows[] = { { "addr_len", "6" }, { "address", hardware_text(interface.hardware_address) },
        { "broadcast", hardware_text(interface.broadcast_address()) }, { "dev_id", "0x0" },
        { "dev_port", "0" }, { "dormant", "0" }, { "ifindex", index }, { "iflink", index },
        { "link_mode", "0" }, { "mtu", std::to_string(interface.mtu) }, { "netdev_group", "0" },
        { "tx_queue_len", "1000" }, { "type", std::to_string(interface.hardware_type()) },
        { "uevent", "INTERFACE=" + interface.name + "\nIFINDEX=" + index } };
    StaticDirectory& device = add_device(root, "net", interface.name);
    for (Row const& row : rows)
        add_fixed(device, row.name, row.text);
    // Of the interface in the namespace of who looks.
    auto seen = [number = interface.index]() -> net::Interface const* {
        return net::network_namespace(current()).find_interface(number);
    };
    auto is_up = [seen] { return seen() && seen()->is_up; };
    auto flags = [seen] {
        char text[16];
        std::snprintf(text, sizeof text, "0x%x\n", seen() ? seen()->flags() & ~abi::iff_running : 0);
        return Result<std::string>(text);
    };
    char const* const up_state = interface.is_loopback ? "unknown\n" : "up\n";
    PseudoAttributes const readable { .mode = 0444, .size = kPageSize };
    device.add_text("flags", flags, readable);
    device.add_text(
        "operstate", [=] { return Result<std::string>(is_up() ? up_state : "down\n"); }, readable);
    device.add_text(
        "carrier", [is_up] { return is_up() ? Result<std::string>("1\n") : err::inval; }, readable);
    StaticDirectory& statistics = device.directory("statistics");
    for (char const* name :
        { "collisions", "multicast", "rx_dropped", "rx_errors", "tx_dropped", "tx_errors" })
        add_fixed(statistics, name, "0");
    using Counters = net::InterfaceCounters;
    for (auto [name, counter] : { std::pair("rx_bytes", &Counters::received_bytes),
             std::pair("rx_packets", &Counters::received_packets),
             std::pair("tx_bytes", &Counters::sent_bytes), std::pair("tx_packets", &Counters::sent_packets) })
        statistics.add_text(
            name,
            [seen, counter = counter] {
                u64 const count = seen() ? seen()->counters.*counter : 0;
                return Result<std::string>(std::to_string(count) + "\n");
            },
            readable);
}

SysFileSystem::SysFileSystem(Kernel& kernel)
    : FileSystem(kernel, "sysfs")
{
    magic_ = kSysfsMagic;
    auto root = make_ref<StaticDirectory>(*this, PseudoAttributes { .mode = 0555 });
    for (char const* path :
        { "block", "bus", "class/block", "class/net", "class/tty", "dev/block", "dev/char", "devices/virtual",
            "firmware", "fs/cgroup", "kernel/debug", "kernel/security", "module", "power" })
        (void)root->directory_at(path);
    unsigned count = std::min(kernel.platform().vcpu_count(), kMaxCpus);
    add_devices(*root, kernel);
    for (auto const& interface : kernel.first_namespaces().network->interfaces)
        add_interface(*root, interface);
    add_cpus(*root, count);
    add_nodes(*root, kernel, count);
    StaticDirectory& huge = root->directory_at("kernel/mm/transparent_hugepage");
    add_fixed(huge, "enabled", "always madvise [never]");
    add_fixed(huge, "defrag", "always defer defer+madvise madvise [never]");
    add_fixed(huge, "hpage_pmd_size", std::to_string(u64 { 2 } << 20));
    add_fixed(root->directory("kernel"), "uevent_seqnum", "0");
    root_ = root;
}
} // namespace

Ref<vfs::FileSystem> make_sysfs(Kernel& kernel) { return make_ref<SysFileSystem>(kernel); }

} // namespace umbra::fs
