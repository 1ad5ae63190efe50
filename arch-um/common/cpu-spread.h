// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps vCPUs that have much to do on CPUs of their own where nothing pins them. With synchronous wake-ups (seccomp(2),
// SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) a vCPU thread and the stub thread that it serves wake each other on the CPU where
// they are, and each sleeps again within microseconds: the host's balancer never sees anybody wait, and leaves two such
// pairs on one CPU beside an idle one for good.
#pragma once

#include <atomic>
#include <memory>

#include <sched.h>

#include "core/base/types.h"

namespace umbra::um {

/// Shared by the vCPUs of an instance; each calls with its own index, from its own thread.
class CpuSpread {
public:
    explicit CpuSpread(unsigned vcpu_count);
    /// Busy vCPU `index` is on `cpu` at `now` (CLOCK_MONOTONIC, ns). True: it should leave it, for a busy one with a lower
    /// index is there too. Seldom, so that who finds no other place does not go on trying.
    bool should_move(unsigned index, unsigned cpu, Nanoseconds now);
    /// `cpus` without those of the other busy vCPUs.
    cpu_set_t free_of(cpu_set_t cpus, unsigned index, Nanoseconds now) const;

    /// Whether other vCPUs than `index` are busy.
    bool is_crowded(unsigned index, Nanoseconds now) const;

    /// How long a vCPU counts as busy where it was seen.
    static constexpr Nanoseconds kFresh = 5'000'000;
    static constexpr Nanoseconds kBetweenMoves = 20'000'000;

private:
    struct alignas(64) Place {
        std::atomic<unsigned> cpu { 0 };
        std::atomic<Nanoseconds> seen { -kFresh };
        Nanoseconds moved = -kBetweenMoves; ///< its own thread's
    };
    /// Relaxed loads: what is a little out of date costs one move too many or too few.
    bool is_busy_on(Place const& place, Nanoseconds now, unsigned& cpu) const;

    unsigned count_;
    std::unique_ptr<Place[]> places_;
};

} // namespace umbra::um
