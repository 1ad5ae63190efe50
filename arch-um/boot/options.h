// SPDX-License-Identifier: GPL-2.0-or-later
// The command line: what the user asked for, checked, as plain data. The composition (compose.cpp) acts on
// it; tests call parse_command_line() without any process. Law 7's ban on exceptions is about kernel code:
// here a usage error travels as an exception, because CLI11 works so, and ends in Command::error.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/types.h"
#include "drivers-virtual/net/ethernet/impairment.h"
#include "drivers-virtual/net/link/link-addresses.h"

namespace umbra::boot {

/// Umbra's own failures, as docker has them: the guest's command keeps all other values.
constexpr int kExitUmbraError = 125, kExitCannotExecute = 126, kExitNotFound = 127;

enum class RootKind : u8 {
    embedded, ///< the busybox image in the binary
    directory, ///< a host directory: read-only lower layer, or written through
    archive, ///< a tar file
    host, ///< `umbra do`: the host's own root, read-only below
};
enum class BackendChoice : u8 { automatic, seccomp, ptrace };
char const* backend_name(BackendChoice choice); ///< "auto", "seccomp", "ptrace"

/// How page faults are served; the seccomp backend has both ways.
enum class FaultPathChoice : u8 { automatic, userfaultfd, signal };
char const* fault_path_name(FaultPathChoice choice); ///< "auto", "userfaultfd", "signal"

struct UserChoice {
    u32 uid, gid;
};
/// -v HOST:GUEST[:ro]
struct VolumeChoice {
    std::string host; ///< absolute, exists
    std::string guest; ///< absolute
    bool read_only;
};
/// -p [ADDR:]HOSTPORT:GUESTPORT[/udp]
struct PortChoice {
    std::string text; ///< as it was given
    std::array<u8, 16> address {}; ///< of the host, IPv4 as v4-mapped; all 0: every one
    u16 host_port, guest_port;
    bool is_udp = false;
};
/// What there is beside loopback: a way out through the host, other instances, a device of the host's or a peer's socket, or
/// nothing; or the host's own network.
enum class NetworkKind : u8 { user, switched, tap, passt, none, host };
/// --net, -p, --host-loopback
struct NetworkChoice {
    NetworkKind kind = NetworkKind::user;
    std::string name {}; ///< of the switch or the device; the path of the socket
    drivers::LinkAddresses addresses {}; ///< with tap and passt
    drivers::Impairments impairments {}; ///< of what is sent over the switch, the device or the socket
    bool host_loopback = false;
    std::vector<PortChoice> ports {};
};
/// --strace[=LIST], --strace-output FILE
struct StraceChoice {
    std::vector<std::string> calls; ///< names of known system calls; empty: every call
    bool excluded = false; ///< `calls` are those not to show
    std::string output; ///< absolute host path; empty: standard error
};

struct RunOptions {
    RootKind root = RootKind::embedded;
    std::string root_path; ///< absolute host path of the directory or archive; "/" for the host's root
    bool write_through = false; ///< --rw
    BackendChoice backend = BackendChoice::automatic;
    FaultPathChoice fault_path = FaultPathChoice::automatic;
    u32 cpus = 0; ///< 0: as many as the host lets this process use and the backend can
    u64 memory = u64 { 4 } << 30; ///< bytes
    u64 fault_around = 64 << 10; ///< bytes
    bool image_faults = true, patched_calls = true; ///< see KernelOptions
    std::vector<std::string> environment; ///< the command's whole environment, K=V, no key twice
    std::string working_directory; ///< guest path, absolute
    UserChoice user { 0, 0 };
    std::vector<VolumeChoice> volumes;
    std::string hostname;
    NetworkChoice network {};
    bool own_init = false; ///< --init: run the tree's /sbin/init
    bool quiet = false;
    std::string log_file; ///< absolute host path; empty: none
    std::optional<StraceChoice> strace;
    bool stats = false; ///< --stats, --stats-output
    std::string capture_file; ///< --pcap: absolute host path; empty: none
    std::string stats_file; ///< absolute host path; empty: standard error
    std::vector<std::string> command; ///< empty: the tree's shell
};

/// What the calling process is; a test makes one up.
struct Caller {
    u32 uid = 0, gid = 0;
    std::string working_directory = "/";
    std::vector<std::string> environment;
};
Caller this_caller();

struct Command {
    enum class Kind : u8 { run, doctor, version, syscalls, nothing };
    Kind kind = Kind::nothing;
    RunOptions run; ///< for Kind::run
    bool json = false; ///< for doctor
    int exit_status = 0; ///< for `nothing`: help was asked for, or there is an error
    std::string output; ///< for standard output
    std::string error; ///< one line for standard error, with its newline
};
/// `arguments` without the program's name. Looks at the host's files (do they exist), changes nothing.
Command parse_command_line(std::span<char const* const> arguments, Caller const& caller);

} // namespace umbra::boot
