// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch-um/boot/options.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "arch-um/boot/option-values.h"

namespace umbra::boot {
namespace {

Caller const kCaller { .uid = 1000,
    .gid = 100,
    .working_directory = "/tmp",
    .environment = { "TERM=xterm", "SHELL=/bin/bash", "HOME=/home/me" } };

Command parse(std::vector<char const*> arguments) { return parse_command_line(arguments, kCaller); }

RunOptions run(std::vector<char const*> arguments)
{
    Command command = parse(std::move(arguments));
    EXPECT_EQ(command.kind, Command::Kind::run) << command.error;
    return command.run;
}

void expect_error(std::vector<char const*> arguments, std::string const& part)
{
    Command command = parse(std::move(arguments));
    EXPECT_EQ(command.kind, Command::Kind::nothing);
    EXPECT_EQ(command.exit_status, kExitUmbraError);
    EXPECT_NE(command.error.find(part), std::string::npos) << command.error;
    EXPECT_EQ(std::count(command.error.begin(), command.error.end(), '\n'), 1) << command.error;
}

using Words = std::vector<std::string>;

TEST(Options, TheCommandBeginsAtTheFirstWord)
{
    EXPECT_EQ(run({ "run", "ls", "-l", "-q" }).command, (Words { "ls", "-l", "-q" }));
    EXPECT_EQ(run({ "run", "-q", "--cpus", "2", "ls" }).command, (Words { "ls" }));
    EXPECT_FALSE(run({ "run", "ls", "-q" }).quiet);
}

TEST(Options, TheMarkEndsOptions)
{
    EXPECT_EQ(run({ "run", "--", "-x", "-q" }).command, (Words { "-x", "-q" }));
    EXPECT_EQ(run({ "run", "-q", "--", "ls", "--", "x" }).command, (Words { "ls", "--", "x" }));
    EXPECT_EQ(run({ "run", "ls", "--", "x" }).command, (Words { "ls", "--", "x" }));
    EXPECT_TRUE(run({ "run" }).command.empty());
    EXPECT_TRUE(run({ "run", "--" }).command.empty());
}

TEST(Options, RunHasDefaults)
{
    RunOptions o = run({ "run" });
    EXPECT_EQ(o.root, RootKind::embedded);
    EXPECT_EQ(o.backend, BackendChoice::automatic);
    EXPECT_EQ(o.memory, u64 { 4 } << 30);
    EXPECT_EQ(o.user.uid, 0u);
    EXPECT_EQ(o.working_directory, "/");
    EXPECT_EQ(o.hostname, "umbra");
    EXPECT_EQ(environment_value(o.environment, "TERM"), "xterm");
    EXPECT_EQ(environment_value(o.environment, "HOME"), "/root");
    EXPECT_FALSE(o.strace);
}

TEST(Options, DoIsTheCallerOnTheHostsRoot)
{
    RunOptions o = run({ "do", "make" });
    EXPECT_EQ(o.root, RootKind::host);
    EXPECT_EQ(o.user.uid, 1000u);
    EXPECT_EQ(o.user.gid, 100u);
    EXPECT_EQ(o.working_directory, "/tmp");
    EXPECT_EQ(environment_value(o.environment, "HOME"), "/home/me");
    EXPECT_EQ(environment_value(run({ "do", "-u", "0", "id" }).environment, "HOME"), "/root");
    EXPECT_EQ(run({ "do" }).command, (Words { "/bin/bash" }));
}

TEST(Options, Sizes)
{
    EXPECT_EQ(run({ "run", "--memory", "512M" }).memory, u64 { 512 } << 20);
    EXPECT_EQ(run({ "run", "--memory=2g" }).memory, u64 { 2 } << 30);
    EXPECT_EQ(run({ "run", "--memory", "33554432" }).memory, u64 { 32 } << 20);
    EXPECT_EQ(run({ "run", "--fault-around", "4k" }).fault_around, 4096u);
    EXPECT_EQ(run({ "run", "--fault-path", "signal" }).fault_path, FaultPathChoice::signal);
    expect_error({ "run", "--memory", "12x" }, "'12x' is not a size");
    expect_error({ "run", "--memory", "" }, "--memory");
    expect_error({ "run", "--memory", "1K" }, "from 16M to 1T");
    expect_error({ "run", "--memory", "99999999999999999999" }, "not a size");
    expect_error({ "run", "--memory", "99999999999999G" }, "out of range");
    expect_error({ "run", "--fault-around", "12K" }, "power of two");
}

TEST(Options, UsersAndVolumes)
{
    EXPECT_EQ(run({ "run", "-u", "7" }).user.gid, 7u);
    EXPECT_EQ(run({ "run", "-u", "7:8" }).user.gid, 8u);
    expect_error({ "run", "-u", "root" }, "UID[:GID]");
    expect_error({ "run", "-u", "4294967295" }, "UID[:GID]");
    RunOptions o = run({ "run", "-v", "/:/host:ro", "-v", "/tmp:/t", "ls" });
    ASSERT_EQ(o.volumes.size(), 2u);
    EXPECT_TRUE(o.volumes[0].read_only);
    EXPECT_EQ(o.volumes[0].guest, "/host");
    EXPECT_FALSE(o.volumes[1].read_only);
    expect_error({ "run", "-v", "/tmp" }, "HOST:GUEST");
    expect_error({ "run", "-v", "/tmp:x" }, "not absolute");
    expect_error({ "run", "-v", "/tmp:/x:rx" }, "neither ro nor rw");
    expect_error({ "run", "-v", "/no/such:/x" }, "/no/such: No such file");
}

TEST(Options, Impairments)
{
    auto const of = [](char const* net) { return run({ "run", "--net", net }).network; };
    auto const all = of("switch:lab,latency=20ms,loss=0.5%,reorder=25%,rate=1.5mbit,seed=7");
    EXPECT_EQ(all.name, "lab");
    EXPECT_EQ(all.impairments,
        (drivers::Impairments {
            .latency = 20'000'000, .loss = 5'000, .reorder = 250'000, .rate = 1'500'000, .seed = 7 }));
    EXPECT_TRUE(of("switch:lab").impairments.are_none());
    EXPECT_EQ(of("switch:lab,latency=500us").impairments.latency, 500'000);
    EXPECT_EQ(of("switch:lab,latency=2s,rate=9bit").impairments.rate, 9u);
    expect_error({ "run", "--net", "switch:lab,latency=20" }, "'latency=20' is not right: give a time");
    expect_error({ "run", "--net", "switch:lab,latency=61s" }, "up to 60s");
    expect_error({ "run", "--net", "switch:lab,loss=101%" }, "from 0% to 100%");
    expect_error({ "run", "--net", "switch:lab,loss=-1%" }, "from 0% to 100%");
    expect_error({ "run", "--net", "switch:lab,loss=nan%" }, "from 0% to 100%");
    expect_error({ "run", "--net", "switch:lab,rate=0mbit" }, "nothing would go through");
    expect_error({ "run", "--net", "switch:lab,rate=fast" }, "bits a second");
    expect_error({ "run", "--net", "switch:lab,seed=x" }, "'seed=x' is not right");
    expect_error({ "run", "--net", "switch:lab,jitter=1ms" }, "'jitter=1ms' is not known");
    expect_error({ "run", "--net", "switch:lab," }, "'' is not known");
    expect_error({ "run", "--net", "switch:lab,reorder=1%" }, "give latency= as well");
}

TEST(Options, AddressesOnAWire)
{
    auto const of = [](char const* net) { return run({ "run", "--net", net }).network; };
    auto const tap = of("tap:um0,address=192.168.7.2/24,gateway=192.168.7.1,dns=9.9.9.9,latency=1ms");
    EXPECT_EQ(tap.kind, NetworkKind::tap);
    EXPECT_EQ(tap.name, "um0");
    EXPECT_EQ(tap.addresses.address, net::IpAddress::v4(192, 168, 7, 2));
    EXPECT_EQ(tap.addresses.prefix, 24);
    EXPECT_EQ(tap.addresses.gateway, net::IpAddress::v4(192, 168, 7, 1));
    EXPECT_EQ(tap.addresses.name_server, net::IpAddress::v4(9, 9, 9, 9));
    EXPECT_EQ(tap.impairments.latency, 1'000'000);
    auto const passt = of("passt:/tmp/a b.socket,address=10.0.0.1/30");
    EXPECT_EQ(passt.kind, NetworkKind::passt);
    EXPECT_EQ(passt.name, "/tmp/a b.socket");
    EXPECT_FALSE(passt.addresses.gateway);
    expect_error({ "run", "--net", "tap:um0" }, "tap:um0 needs the guest's address");
    expect_error({ "run", "--net", "tap:,address=10.0.0.1/24" }, "no name of a device");
    expect_error({ "run", "--net", "tap:sixteen-letters-,address=10.0.0.1/24" }, "no name of a device");
    expect_error({ "run", "--net", "passt:,address=10.0.0.1/24" }, "has no path");
    expect_error({ "run", "--net", "tap:um0,address=10.0.0.1" }, "the bits of the net as well");
    expect_error({ "run", "--net", "tap:um0,address=10.0.0.1/31" }, "1 to 30");
    expect_error({ "run", "--net", "tap:um0,address=fd00::1/64" }, "an address of IPv4");
    expect_error({ "run", "--net", "tap:um0,address=10.0.0.0/24" }, "no address of a machine");
    expect_error({ "run", "--net", "tap:um0,address=10.0.0.255/24" }, "no address of a machine");
    expect_error({ "run", "--net", "tap:um0,address=127.0.0.5/8" }, "no address of a machine");
    expect_error(
        { "run", "--net", "tap:um0,address=10.0.0.2/24,gateway=10.0.1.1" }, "not on the guest's net");
    expect_error({ "run", "--net", "tap:um0,address=10.0.0.2/24,dns=here" }, "such as dns=");
    expect_error({ "run", "--net", "tap:um0,address=10.0.0.2/24,mtu=9000" }, "'mtu=9000' is not known");
    expect_error({ "run", "--net", "switch:lab,address=10.0.0.2/24" }, "is not known: give latency=");
    expect_error({ "run", "--net", "tap:um0,address=10.0.0.2/24", "-p", "80:80" }, "leave one of them out");
}

TEST(Options, Network)
{
    EXPECT_EQ(run({ "run" }).network.kind, NetworkKind::user);
    EXPECT_EQ(run({ "run", "--net=none" }).network.kind, NetworkKind::none);
    auto const switched = run({ "run", "--net=switch:my-lab_2" }).network;
    EXPECT_EQ(switched.kind, NetworkKind::switched);
    EXPECT_EQ(switched.name, "my-lab_2");
    EXPECT_TRUE(run({ "do", "--host-loopback", "ls" }).network.host_loopback);
    auto const ports
        = run({ "run", "-p", "8080:80", "-p", "127.0.0.1:53:5353/udp", "-p", "[::1]:1:65535/tcp" })
              .network.ports;
    ASSERT_EQ(ports.size(), 3u);
    EXPECT_EQ(ports[0].host_port, 8080);
    EXPECT_EQ(ports[0].guest_port, 80);
    EXPECT_FALSE(ports[0].is_udp);
    std::array<u8, 16> const any {}, v4 { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1 };
    EXPECT_EQ(ports[0].address, any);
    EXPECT_EQ(ports[1].address, v4);
    EXPECT_TRUE(ports[1].is_udp);
    EXPECT_EQ(ports[2].address.back(), 1);
    EXPECT_EQ(ports[2].guest_port, 65535);
    expect_error({ "run", "-p", "80" }, "HOSTPORT:GUESTPORT");
    expect_error({ "run", "-p", "0:80" }, "'0' is no port of the host");
    expect_error({ "run", "-p", "80:65536" }, "'65536' is no port of the guest");
    expect_error({ "run", "-p", "80:80/sctp" }, "neither tcp nor udp");
    expect_error({ "run", "-p", "localhost:80:80" }, "'localhost' is no address");
    expect_error({ "run", "-p", "::1:80:80" }, "is no address");
    EXPECT_EQ(run({ "run", "--net=host" }).network.kind, NetworkKind::host);
    expect_error({ "run", "--net", "bridge" }, "give user, none, host, switch:NAME, tap:NAME");
    expect_error({ "run", "--net", "host", "-p", "80:80" }, "the guest's ports are the host's");
    expect_error({ "run", "--net", "host", "--host-loopback" }, "it is the guest's own");
    expect_error({ "run", "--net", "host", "--pcap", "file" }, "capture on the host");
    expect_error({ "run", "--net", "switch" }, "give user, none, host, switch:NAME, tap:NAME");
    expect_error({ "run", "--net", "switch:" }, "is no name of a switch");
    expect_error({ "run", "--net", "switch:a/b" }, "is no name of a switch");
    expect_error({ "run", "--net", "switch:lab", "-p", "80:80" }, "nothing leads in");
    expect_error({ "run", "--net", "switch:lab", "--host-loopback" }, "nothing leads out");
    expect_error({ "run", "--net", "none", "-p", "80:80" }, "nothing leads in");
    expect_error({ "run", "--net", "none", "--host-loopback" }, "nothing leads out");
}

TEST(Options, EnvironmentIsSetAndPassedOn)
{
    RunOptions o = run({ "run", "-e", "A=1", "-eB=x=y", "-e", "A=2", "-e", "SHELL", "-e", "NONE" });
    EXPECT_EQ(environment_value(o.environment, "A"), "2");
    EXPECT_EQ(environment_value(o.environment, "B"), "x=y");
    EXPECT_EQ(environment_value(o.environment, "SHELL"), "/bin/bash");
    EXPECT_EQ(std::count(o.environment.begin(), o.environment.end(), "A=1"), 0);
    expect_error({ "run", "-e", "=x" }, "NAME=VALUE");
}

TEST(Options, Roots)
{
    EXPECT_EQ(run({ "run", "--rootfs", "/usr" }).root, RootKind::directory);
    EXPECT_EQ(run({ "run", "--rootfs", "/proc/self/exe" }).root, RootKind::archive);
    EXPECT_TRUE(run({ "run", "--rootfs", "/usr", "--rw" }).write_through);
    expect_error({ "run", "--rootfs", "/no/such" }, "/no/such: No such file");
    expect_error({ "run", "--rootfs", "/dev/null" }, "neither a directory nor a tar archive");
    expect_error({ "run", "--rw" }, "give --rootfs DIR");
    expect_error({ "do", "--rootfs", "/usr", "ls" }, "unknown option --rootfs");
}

TEST(Options, Strace)
{
    EXPECT_TRUE(run({ "run", "--strace", "ls" }).strace->calls.empty());
    EXPECT_EQ(run({ "run", "--strace=openat,execve", "ls" }).strace->calls, (Words { "openat", "execve" }));
    EXPECT_TRUE(run({ "run", "--strace=!read", "ls" }).strace->excluded);
    EXPECT_EQ(run({ "run", "--strace-output", "x", "ls" }).strace->output, "/tmp/x");
    expect_error({ "run", "--strace=bogus" }, "'bogus' is not a system call");
}

TEST(Options, Pcap)
{
    EXPECT_EQ(run({ "run", "--pcap", "x", "ls" }).capture_file, "/tmp/x");
    EXPECT_EQ(run({ "do", "--pcap=/x/y", "ls" }).capture_file, "/x/y");
    EXPECT_EQ(run({ "run", "ls" }).capture_file, "");
}

TEST(Options, MistakesGetOneLine)
{
    expect_error({}, "there is no command");
    expect_error({ "foo" }, "'foo' is not a command");
    expect_error({ "run", "--bogus", "ls" }, "unknown option --bogus");
    expect_error({ "run", "-q", "-Z" }, "unknown option -Z");
    expect_error({ "run", "--memory" }, "--memory");
    expect_error({ "run", "--cpus", "0" }, "from 1 to 64");
    expect_error({ "run", "--backend", "kvm" }, "auto, seccomp or ptrace");
    expect_error({ "run", "--fault-path", "magic" }, "auto, userfaultfd or signal");
    expect_error({ "run", "-w", "x" }, "not absolute");
    expect_error({ "run", "--hostname", "a b" }, "--hostname");
    expect_error({ "version", "x" }, "takes no arguments");
    expect_error({ "doctor", "--", "x" }, "takes no arguments");
}

TEST(Options, HelpAndTheOtherCommands)
{
    for (auto const& arguments : { std::vector<char const*> { "--help" }, { "run", "--help" }, { "do", "-h" },
             { "doctor", "--help" } }) {
        Command command = parse(arguments);
        EXPECT_EQ(command.kind, Command::Kind::nothing);
        EXPECT_EQ(command.exit_status, 0);
        EXPECT_NE(command.output.find("--help"), std::string::npos);
    }
    EXPECT_EQ(run({ "run", "ls", "--help" }).command, (Words { "ls", "--help" }));
    EXPECT_TRUE(parse({ "doctor", "--json" }).json);
    EXPECT_EQ(parse({ "version" }).kind, Command::Kind::version);
    EXPECT_EQ(parse({ "syscalls" }).kind, Command::Kind::syscalls);
}

} // namespace
} // namespace umbra::boot
