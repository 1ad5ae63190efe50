// SPDX-License-Identifier: GPL-2.0-or-later
// The host's random numbers.
#pragma once

#include <span>

#include "core/base/types.h"

namespace umbra::hostabi {

/// Cryptographically strong bytes. Waits only on a host that has just booted and has gathered no entropy yet.
void random_bytes(std::span<u8> out);

} // namespace umbra::hostabi
