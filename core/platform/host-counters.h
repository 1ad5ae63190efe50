// SPDX-License-Identifier: GPL-2.0-or-later
// What a Platform may offer beside its own calls: how often it crossed to the host. An optional interface: core asks its
// platform for it by dynamic_cast, and does without where there is none.
#pragma once

#include <vector>

#include "core/base/types.h"

namespace umbra::platform {

struct HostCounter {
    char const* name;
    u64 value;
};

class HostCounters {
public:
    virtual ~HostCounters() = default;
    /// All vCPUs together, since the start. Exact only while the vCPUs stand still. Never waits.
    virtual std::vector<HostCounter> host_counters() const = 0;
};

} // namespace umbra::platform
