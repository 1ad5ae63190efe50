// SPDX-License-Identifier: GPL-2.0-or-later
// What an AddressSpace may offer beside its own calls: changes of single pages in place, without a mapping of their
// own, on hosts that can do that to a guest from outside. An optional interface: core asks an address space for it by
// dynamic_cast, once, and does without where there is none.
#pragma once

#include "core/platform/platform.h"

namespace umbra::platform {

/// Everything under the kernel lock; nothing but prepare() waits.
class InPlacePaging {
public:
    virtual ~InPlacePaging() = default;
    /// As AddressSpace::map(), but shows nothing yet: every access to the range is a fault until fill(). The source
    /// need not have pages there, and nothing that the guest does makes it have any.
    virtual Result<void> prepare(VcpuContext& ctx, Mapping const& mapping) = 0;
    /// Shows pages of prepared ranges; those that are shown already stay. The source has all of them.
    virtual Result<void> fill(std::span<Range const> batch) = 0;
    /// Whether guard() and unguard() work on this host.
    virtual bool can_guard() const = 0;
    /// Makes writes to mapped, writable pages fault until unguard(), or until another mapping takes their place.
    virtual Result<void> guard(std::span<Range const> batch) = 0;
    virtual Result<void> unguard(std::span<Range const> batch) = 0;
};

} // namespace umbra::platform
