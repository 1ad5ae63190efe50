// SPDX-License-Identifier: GPL-2.0-or-later
// core's changes to an address space as host calls of a stub's leader. err::inval for what does not lie in
// the guest's part: the stub's own part must stay as it is whatever core asks for.
#pragma once

#include <algorithm>

#include <sys/mman.h>
#include <sys/syscall.h>

#include "arch-um/stub/layout.h"
#include "core/platform/platform.h"

namespace umbra::stub {

inline bool is_guest_range(GuestAddr start, u64 length)
{
    return ((start.value | length) & kPageMask) == 0 && length != 0 && start.value < kZone
        && length <= kZone - start.value;
}

inline u64 host_protection(platform::Protection p)
{
    using platform::Protection;
    u64 bits = PROT_NONE;
    if (has(p, Protection::read)) bits |= PROT_READ;
    if (has(p, Protection::write)) bits |= PROT_WRITE;
    // Execute-only would cost the host a protection key, and hide the code from debuggers.
    if (has(p, Protection::execute)) bits |= PROT_EXEC | PROT_READ;
    return bits;
}

inline Result<Op> operation(platform::Mapping const& m)
{
    if (!is_guest_range(m.start, m.length)) return err::inval;
    u64 const flags = MAP_SHARED | MAP_FIXED | (m.populate ? MAP_POPULATE : 0);
    auto const fd = static_cast<u64>(static_cast<i64>(m.source.value));
    return Op { SYS_mmap, { m.start.value, m.length, host_protection(m.protection), flags, fd, m.offset } };
}

inline Result<Op> operation(platform::Range const& r)
{
    if (!is_guest_range(r.start, r.length)) return err::inval;
    return Op { SYS_munmap, { r.start.value, r.length } };
}

inline Result<Op> operation(platform::ProtectRange const& r)
{
    if (!is_guest_range(r.start, r.length)) return err::inval;
    return Op { SYS_mprotect, { r.start.value, r.length, host_protection(r.protection) } };
}

/// Translates and executes a batch, a few operations at a time. Stub: StubProcess, TracedProcess.
template <typename Stub, typename Port, typename Item>
Result<void> execute_all(Stub& stub, Port& port, std::span<Item const> batch)
{
    constexpr u64 kAtOnce = 16; // on a fiber's stack
    while (!batch.empty()) {
        Op ops[kAtOnce];
        auto const chunk = batch.first(std::min<u64>(batch.size(), kAtOnce));
        for (u64 i = 0; i < chunk.size(); ++i)
            ops[i] = TRY(operation(chunk[i]));
        TRY(stub.execute(port, { ops, chunk.size() }));
        batch = batch.subspan(chunk.size());
    }
    return {};
}

} // namespace umbra::stub
