// SPDX-License-Identifier: GPL-2.0-or-later
// The one place that plugs the parts together (style rule 2): platform, kernel, tables of system calls, file
// systems and devices, the root tree, init.
#pragma once

#include "arch-um/boot/options.h"

namespace umbra::boot {

/// Boots an instance and runs it to its end. Returns what the process exits with: the command's status, 128 +
/// n for a signal, or 125 to 127; an error of Umbra's own was printed in one line.
int run_instance(RunOptions const& options);

} // namespace umbra::boot
