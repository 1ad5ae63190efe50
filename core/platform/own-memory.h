// SPDX-License-Identifier: GPL-2.0-or-later
// What a Platform may offer beside its own calls: care of the kernel's own memory. An optional interface: core asks its
// platform for it by dynamic_cast, once, and does without where there is none.
#pragma once

#include "core/base/types.h"

namespace umbra::platform {

class OwnMemory {
public:
    virtual ~OwnMemory() = default;
    /// Gives the host back whole pages of the kernel's own private memory; they read as zero afterwards. Never waits.
    virtual void discard_pages(void* start, u64 length) = 0;
};

} // namespace umbra::platform
