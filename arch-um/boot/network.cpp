// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch-um/boot/network.h"

#include <cstring>

#include "core/abi/file.h"
#include "core/kernel.h"
#include "core/printk/printk.h"
#include "core/task/namespaces.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"
#include "core/vfs/file-system-types.h"
#include "core/vfs/operations.h"
#include "drivers-virtual/net/link/link-port.h"
#include "drivers-virtual/net/switch/port.h"
#include "hostabi/random.h"
#include "hostabi/text-file.h"

namespace umbra::boot {

namespace {

std::unique_ptr<drivers::UserNetwork> make_user_network(
    Kernel& kernel, drivers::HostIo& io, NetworkChoice const& choice, std::string& problem)
{
    drivers::UserNetworkOptions options { .host_loopback = choice.host_loopback,
        .ipv6 = hostabi::has_ipv6_route() };
    hostabi::HostName server;
    if (hostabi::find_name_server(server)) options.name_server = server;
    auto network = std::make_unique<drivers::UserNetwork>(kernel, io, options);
    for (PortChoice const& port : choice.ports) {
        auto taken = network->publish({ { port.address, port.host_port }, port.guest_port, port.is_udp });
        if (taken.ok()) continue;
        problem = "-p " + port.text + ": " + std::strerror(taken.error().value);
        problem += taken.error().value == EADDRINUSE ? ": another program has this port: give another one"
            : taken.error().value == EACCES          ? ": give a port from 1024 on"
                                                     : "";
        return nullptr;
    }
    return network;
}

using WireResult = hostabi::HostResult<std::unique_ptr<drivers::Wire>>;

WireResult make_switch_port(drivers::HostIo& io, RunOptions const& options)
{
    auto port = std::make_unique<drivers::SwitchPort>(io);
    auto const joined = port->join(options.network.name, options.hostname);
    if (joined.is_error()) return joined.error();
    return std::unique_ptr<drivers::Wire>(std::move(port));
}

WireResult make_link_port(drivers::HostIo& io, NetworkChoice const& choice)
{
    auto channel = choice.kind == NetworkKind::tap ? hostabi::FrameChannel::open_tap(choice.name)
                                                   : hostabi::FrameChannel::connect(choice.name);
    if (channel.is_error()) return channel.error();
    std::array<u8, 6> random;
    hostabi::random_bytes(random);
    return std::unique_ptr<drivers::Wire>(std::make_unique<drivers::LinkPort>(
        io, std::move(channel).value(), choice.addresses, drivers::make_hardware_address(random)));
}

std::string why_no_tap(std::string const& name, int error)
{
    std::string const make = "ip tuntap add " + name + " mode tap user NAME";
    switch (error) {
    case ENOENT:
        return "the host has no /dev/net/tun";
    case ENODEV:
        return "there is no such device: root makes it, with " + make;
    case EPERM:
    case EACCES:
        return "it is not this user's: root gives it, with " + make;
    case EBUSY:
        return "another program has it";
    case EINVAL:
        return "it is no tap device of one queue: root makes one, with " + make;
    default:
        return std::strerror(error);
    }
}

/// Why there is no wire, and what would help.
std::string why_no_wire(NetworkChoice const& choice, int error)
{
    switch (choice.kind) {
    case NetworkKind::tap:
        return "--net tap:" + choice.name + ": " + why_no_tap(choice.name, error);
    case NetworkKind::passt:
        return "--net passt:" + choice.name + ": " + std::strerror(error)
            + (error == ENOENT || error == ECONNREFUSED ? ": start passt first; it says where its socket is"
                                                        : "");
    default:
        return "--net switch:" + choice.name + ": "
            + (error == EADDRINUSE ? "all its ports are taken: give another switch" : std::strerror(error));
    }
}

std::unique_ptr<drivers::EthernetNetwork> make_ethernet_network(
    Kernel& kernel, drivers::HostIo& io, RunOptions const& options, std::string& problem)
{
    auto const& choice = options.network;
    auto wire
        = choice.kind == NetworkKind::switched ? make_switch_port(io, options) : make_link_port(io, choice);
    if (!wire.is_error())
        return std::make_unique<drivers::EthernetNetwork>(
            kernel, std::move(wire).value(), choice.impairments);
    problem = why_no_wire(choice, wire.error().value);
    return nullptr;
}

std::unique_ptr<drivers::DirectNetwork> make_direct_network(
    Kernel& kernel, drivers::HostIo& io, std::string& problem)
{
    auto network = std::make_unique<drivers::DirectNetwork>(kernel, io);
    auto& space = *kernel.first_namespaces().network;
    auto const attached = network->attach(space, hostabi::list_interfaces());
    if (attached.is_error()) {
        problem = "--net host: " + std::string(std::strerror(attached.error().value));
        return nullptr;
    }
    kernel.scheduler().vcpu(0).run_soon([made = network.get()] { made->start(); });
    return network;
}

bool is_ethernet(NetworkKind kind)
{
    return kind == NetworkKind::switched || kind == NetworkKind::tap || kind == NetworkKind::passt;
}

/// On a vCPU it begins to hear.
template <typename Network> void plug_in(Kernel& kernel, Network& network)
{
    kernel.first_namespaces().network->attach(network);
    kernel.scheduler().vcpu(0).run_soon([&network] { network.start(); });
}

} // namespace

InstanceNetwork make_network(
    Kernel& kernel, drivers::HostIo& io, RunOptions const& options, std::string& problem)
{
    // Everybody may ping, as where systemd has set up a machine; Linux by itself lets nobody.
    auto& settings = kernel.first_namespaces().network->settings;
    settings.first_ping_group = 0, settings.last_ping_group = INT32_MAX;
    InstanceNetwork made;
    if (options.network.kind == NetworkKind::user)
        made.user = make_user_network(kernel, io, options.network, problem);
    if (is_ethernet(options.network.kind))
        made.ethernet = make_ethernet_network(kernel, io, options, problem);
    if (options.network.kind == NetworkKind::host) {
        made.direct = make_direct_network(kernel, io, problem);
        made.host_resolver = hostabi::read_text("/etc/resolv.conf");
    }
    if (made.user) plug_in(kernel, *made.user);
    if (made.ethernet) plug_in(kernel, *made.ethernet);
    return made;
}

void finish_network(InstanceNetwork& network)
{
    if (network.ethernet) network.ethernet->drain();
}

namespace {

constexpr u32 kMode = 0644;
constexpr u64 kMostHosts = 1 << 20; ///< bytes of a file that are looked at

/// The first part of it.
Result<std::string> read_text(Task& task, vfs::At const& at)
{
    auto file = TRY(vfs::open(task, at, { .flags = abi::o_rdonly }));
    std::string text(kMostHosts, '\0');
    IoBuffer buffer = IoBuffer::kernel({ reinterpret_cast<u8*>(text.data()), text.size() });
    TRY(vfs::read_file(*file, buffer, 0));
    text.resize(buffer.transferred());
    return text;
}

Result<void> write_text(Task& task, vfs::At const& at, std::string const& text, u32 how = abi::o_trunc)
{
    auto file = TRY(vfs::open(task, at, { .flags = abi::o_wronly | abi::o_creat | how, .mode = kMode }));
    IoBuffer buffer = IoBuffer::kernel_source({ reinterpret_cast<u8 const*>(text.data()), text.size() });
    u64 offset = 0;
    TRY(vfs::write_file(task, *file, buffer, offset));
    return {};
}

/// Empty: nobody answers.
std::string resolver_text(NetworkChoice const& choice, InstanceNetwork const& network)
{
    NetworkKind const kind = choice.kind;
    if (kind == NetworkKind::host) return network.host_resolver;
    if (kind == NetworkKind::user)
        return "# Umbra's: the host's name server answers here.\nnameserver "
            + net::text_of(drivers::user_name_server()) + "\n";
    if (kind == NetworkKind::switched)
        return "# Umbra's: the switch knows the names of the instances on it.\nnameserver "
            + net::text_of(drivers::switch_address(drivers::kSwitchItself)) + "\n";
    if (choice.addresses.name_server)
        return "# Umbra's: as --net says.\nnameserver " + net::text_of(*choice.addresses.name_server) + "\n";
    return "";
}

net::IpAddress own_address(InstanceNetwork const& network)
{
    if (network.user) return drivers::user_address();
    // 127.0.1.1 is what Debian gives a machine without an address of its own.
    return network.ethernet ? network.ethernet->address() : net::IpAddress::v4(127, 0, 1, 1);
}

/// A file of our own over the tree's. ENOENT: the tree has none to cover.
Result<void> cover(Task& task, char const* path, std::string const& text)
{
    auto const* type = task.kernel().file_system_types().find("tmpfs");
    if (!type) return err::nodev;
    auto fs = TRY(type->make({ task.kernel(), "tmpfs", "size=64k", 0 }));
    auto mount = make_ref<vfs::Mount>(fs, fs->root_dentry(), vfs::kMountRelAtime, "umbra");
    vfs::Path const root { mount, mount->root() };
    TRY(write_text(task, { root, "file" }, text));
    auto const file = TRY(vfs::lookup_child(root, "file"));
    auto const place = TRY(vfs::walk(task, task.fs().root, path));
    return task.fs().mounts->attach(make_ref<vfs::Mount>(fs, file, vfs::kMountRelAtime, "umbra"), place);
}

/// Adds the instance's name where no line has it.
Result<void> name_in_hosts(
    Task& task, vfs::At const& at, std::string const& name, net::IpAddress const& address)
{
    auto there = read_text(task, at);
    if (there.is_error() && there.error() != err::noent) return there.error();
    bool const is_new = there.is_error();
    std::string text;
    if (is_new)
        text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
    else
        text = there.release_value();
    for (size_t found = text.find(name); found != text.npos; found = text.find(name, found + 1)) {
        auto ends = [&](size_t index) { return index >= text.size() || std::strchr(" \t\n", text[index]); };
        if (found > 0 && ends(found - 1) && ends(found + name.size())) return {};
    }
    std::string const line = net::text_of(address) + "\t" + name + "\n";
    if (is_new) return write_text(task, at, text + line);
    return write_text(task, at, (text.empty() || text.ends_with('\n') ? "" : "\n") + line, abi::o_append);
}

} // namespace

void write_network_files(Task& task, RunOptions const& options, InstanceNetwork const& network)
{
    auto const& root = task.fs().root;
    bool const has_etc = vfs::walk(task, root, "/etc", { .want_directory = true }).ok();
    if (!has_etc) return;
    auto said = [&](char const* file, Result<void> result) {
        if (result.is_error()) task.kernel().printk().info("umbra: %s: %s", file, errno_name(result.error()));
    };
    std::string const resolver = resolver_text(options.network, network);
    if (options.write_through) {
        if (!resolver.empty()) said("/etc/resolv.conf", cover(task, "/etc/resolv.conf", resolver));
        return;
    }
    if (!resolver.empty()) {
        // It may be a link to where a name server of the host's own puts it.
        (void)vfs::unlink(task, { root, "/etc/resolv.conf" });
        said("/etc/resolv.conf", write_text(task, { root, "/etc/resolv.conf" }, resolver));
    }
    said("/etc/hosts", name_in_hosts(task, { root, "/etc/hosts" }, options.hostname, own_address(network)));
    said("/etc/hostname", write_text(task, { root, "/etc/hostname" }, options.hostname + "\n"));
}

} // namespace umbra::boot
