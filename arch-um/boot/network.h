// SPDX-License-Identifier: GPL-2.0-or-later
// The instance's way out, and the files of its tree that tell programs about it.
#pragma once

#include <memory>

#include "arch-um/boot/options.h"
#include "arch-um/boot/volume.h"
#include "drivers-virtual/net/direct/direct-network.h"
#include "drivers-virtual/net/ethernet/ethernet-network.h"
#include "drivers-virtual/net/user-network.h"

namespace umbra::boot {

/// The network that the user asked for: one of them, or none. Lives until the last vCPU has stopped.
struct InstanceNetwork {
    std::unique_ptr<drivers::UserNetwork> user {};
    std::unique_ptr<drivers::EthernetNetwork> ethernet {}; ///< a switch, a device or a peer's socket
    std::unique_ptr<drivers::DirectNetwork> direct {};
    std::string host_resolver {}; ///< the host's resolv.conf, where its network is the guest's
};

/// Plugs it in. A port that cannot be had is a `problem`, one sentence.
InstanceNetwork make_network(
    Kernel& kernel, drivers::HostIo& io, RunOptions const& options, std::string& problem);

/// What was sent has its time to arrive. By the first process, when the command has ended.
void finish_network(InstanceNetwork& network);

/// /etc/resolv.conf, hosts and hostname. A tree that is written through keeps its own: there a mount covers resolv.conf only.
/// A tree without /etc stays without. By the first process.
void write_network_files(Task& task, RunOptions const& options, InstanceNetwork const& network);

} // namespace umbra::boot
