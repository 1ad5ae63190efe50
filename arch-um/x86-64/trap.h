// SPDX-License-Identifier: GPL-2.0-or-later
// What a host signal on a guest thread means: the signal frame as core's Trap.
#pragma once

#include <optional>

#include "arch-um/x86-64/host-frame.h"
#include "core/platform/platform.h"

namespace umbra::x86_64 {

/// Nothing: the signal came from another process of the host, and the guest has to know nothing of it.
std::optional<platform::Trap> trap_of_frame(int signal, HostFrame const& frame);

} // namespace umbra::x86_64
