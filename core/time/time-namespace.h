// SPDX-License-Identifier: GPL-2.0-or-later
// Time namespaces (time_namespaces(7)): what CLOCK_MONOTONIC and CLOCK_BOOTTIME read for a group of processes is the
// kernel's clock and an offset. A process enters one as it is made or with a new program, so the offsets may be set
// until somebody has; its timers count on the kernel's clocks all the time.
#pragma once

#include "core/mm/memory-object.h"
#include "core/time/timekeeper.h"
#include "core/vfs/namespace.h"

namespace umbra {

class Task;

/// Added to the kernel's clocks; may be negative.
struct TimeOffsets {
    Nanoseconds monotonic = 0, boottime = 0;
};

class TimeNamespace final : public vfs::Namespace {
public:
    TimeNamespace(vfs::NamespaceOrigin origin, TimeOffsets offsets)
        : Namespace(vfs::NamespaceKind::time, std::move(origin))
        , offsets(offsets)
    {
    }
    /// What the namespace adds to a clock: CLOCK_MONOTONIC and its kin, CLOCK_BOOTTIME; nothing to others.
    Nanoseconds offset_of(i32 clock) const;
    /// An instant that a program named, on the kernel's clock. One before its beginning is the first nanosecond, which
    /// has passed: 0 would disarm a timer. kNever stays.
    Nanoseconds to_kernel(i32 clock, Nanoseconds instant) const;
    /// Nanoseconds since the boot of the instance, as the namespace has it; at least 0.
    Nanoseconds since_boot(Nanoseconds instant) const;
    /// The clocks that programs have to ask the kernel for, a bit each: the vDSO knows the kernel's only.
    u64 own_clocks() const;

    TimeOffsets offsets;
    bool frozen = false; ///< somebody has entered it: the offsets stay
    RefPtr<mm::MemoryObject> vdso; ///< made when it is first shown; see core/mm/vdso.h
};

TimeNamespace& time_namespace(Task const& task);

} // namespace umbra
