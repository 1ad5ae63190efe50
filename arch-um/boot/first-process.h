// SPDX-License-Identifier: GPL-2.0-or-later
// Process 1 and the user's command. Without --init, process 1 is a task without a program: it starts the command, reaps
// what is orphaned to it, and ends the instance with the command's status.
#pragma once

#include <string>

#include "arch-um/boot/options.h"
#include "drivers-virtual/host-io.h"

namespace umbra::boot {

class Terminal;
struct InstanceNetwork;

/// What process 1 runs on its fiber. `problem`: one sentence for the user where the command could not be
/// started; printed by the caller once the vCPUs have stopped, since they must not wait for standard error.
void run_first_process(Task& init, drivers::HostIo& io, Terminal& terminal, InstanceNetwork& network,
    RunOptions const& options, std::string& problem);

} // namespace umbra::boot
