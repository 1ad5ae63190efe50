// SPDX-License-Identifier: GPL-2.0-or-later
// The memory controller: frames are charged to the group of whoever allocates them, and to those above it, until they are
// free again. It counts from when it is first enabled anywhere; before, frames are nobody's, as those of the root are.
#pragma once

#include <functional>
#include <vector>

#include "core/cgroup/cgroup.h"
#include "core/mm/frame.h"

namespace umbra::cgroup {

/// Groups by the numbers that frames remember. Holds a group as long as frames name it.
class MemoryAccounts final : public RefCounted, public mm::FrameAccounts {
public:
    explicit MemoryAccounts(Kernel& kernel)
        : kernel_(kernel)
    {
    }
    Result<u32> charge(u64 pages, mm::FrameUse use) override;
    void uncharge(u32 account, u64 pages) override;
    Cgroup* group_of(u32 account) const;
    void release(Cgroup& group);

private:
    u32 account_of(Cgroup& group);

    Kernel& kernel_;
    std::vector<RefPtr<Cgroup>> groups_; ///< by number, from 1
};

void start_counting_memory(Hierarchy& hierarchy);
/// The group's number is free again, if it is dead and no frame has it.
void release_account(Cgroup& group);
void reset_memory(Cgroup& group);

/// Drops clean pages of files that were charged to the group or below. Returns how many. Never waits.
u64 reclaim(Cgroup& group, u64 pages);
/// The same with those that guests map: takes away the largest mappings of such pages until it has some. May wait.
u64 reclaim_mapped(Cgroup& group);
/// A limit was met: what of memory.events counts it.
void note(Cgroup& group, MemoryEvent event);
/// After an allocation has failed: the group at whose memory.max it did, if that is so still; null: it was not that.
RefPtr<Cgroup> take_exhausted(Task& task);
/// Whether the process's memory counts for the group.
bool counts_for(Process const& process, Cgroup const& group);
/// What dies with `victim` by memory.oom.group between it and `limit`: the topmost such group, or null.
Cgroup* killed_with(Process const& victim, Cgroup const& limit);

} // namespace umbra::cgroup
