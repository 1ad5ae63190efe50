// SPDX-License-Identifier: GPL-2.0-or-later
// The facts about the host that core passes on to guests.
#pragma once

#include "core/platform/platform.h"

namespace umbra::um {

/// Reads CPUID, the auxiliary vector and a few files of /proc. May read files, so it is called once, at
/// start.
platform::MachineInfo machine_info(std::string backend);

} // namespace umbra::um
