// SPDX-License-Identifier: GPL-2.0-or-later
// From which nodes memory is to come (set_mempolicy(2), mbind(2)): kept and reported, since there is one node to take it from.
#pragma once

#include "core/base/types.h"

namespace umbra {

/// By default that of nobody in particular.
struct MemoryPolicy {
    u32 mode = 0, flags = 0; ///< MPOL_*
    u64 nodes = 0; ///< as asked for
    bool operator==(MemoryPolicy const&) const = default;
};

} // namespace umbra
