// SPDX-License-Identifier: GPL-2.0-or-later
// The instance's way out, and the files of its tree that tell programs about it.
#pragma once

#include <memory>

#include "arch-um/boot/options.h"
#include "arch-um/boot/volume.h"
#include "drivers-virtual/net/user-network.h"

namespace umbra::boot {

/// Plugs in the network that the user asked for; null where there is none. A port that cannot be had is a `problem`, one
/// sentence. Lives until the last vCPU has stopped.
std::unique_ptr<drivers::UserNetwork> make_network(
    Kernel& kernel, drivers::HostIo& io, NetworkChoice const& choice, std::string& problem);

/// /etc/resolv.conf, hosts and hostname. A tree that is written through keeps its own: there a mount covers resolv.conf only.
/// A tree without /etc stays without. By the first process.
void write_network_files(Task& task, RunOptions const& options);

} // namespace umbra::boot
