// SPDX-License-Identifier: GPL-2.0-or-later
// What a task knows of its control group (cgroups(7)): a member of Task, so that the paths that every task takes look at
// one word. Changed by core/cgroup only.
#pragma once

#include "core/base/ref.h"
#include "core/base/types.h"

namespace umbra::cgroup {

class Cgroup;

/// What a task's group asks of it on its way to the guest and through the scheduler: bits of Membership::work.
enum Work : u32 {
    work_freeze = 1, ///< the group or one above it is frozen
    work_bandwidth = 2, ///< the group or one above it has a cpu.max
    work_shares = 4, ///< it is below a group with cpu.weight
};

struct Membership {
    RefPtr<Cgroup> group; ///< null before birth only; a zombie keeps it
    u32 work = 0;
    bool is_live = false; ///< counts among the group's tasks: from birth until its exit
    bool is_frozen = false; ///< stands still and counts as frozen
    u32 runnable_weight
        = 0; ///< with which it shares what its group gets; 0: it does not run and does not want to
    u64 counted_user = 0, counted_system = 0; ///< cycles that the group's cpu.stat has already
    u64 charged_cycles = 0; ///< cycles that cpu.max has counted
    RefPtr<Cgroup>
        exhausted; ///< whose memory.max the last failed allocation met; looked at by the OOM killer
};

} // namespace umbra::cgroup
