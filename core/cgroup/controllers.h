// SPDX-License-Identifier: GPL-2.0-or-later
// What each controller keeps in a group. The state is there in every group, and has an effect where the controller is
// enabled.
#pragma once

#include "core/base/ref.h"
#include "core/base/types.h"

namespace umbra::cgroup {

enum class Controller : u8 { cpu, memory, pids }; ///< in the order in which Linux lists them
constexpr size_t kControllers = 3;
using ControllerSet = u8;
constexpr ControllerSet bit(Controller controller) { return ControllerSet(1 << unsigned(controller)); }
constexpr ControllerSet kAllControllers = (1 << kControllers) - 1;
/// Those that can tell threads of a process apart.
constexpr ControllerSet kThreadedControllers = bit(Controller::cpu) | bit(Controller::pids);
constexpr u64 kNoLimit = ~u64 { 0 };
char const* name_of(Controller controller);

struct PidsState {
    u64 current = 0; ///< tasks of the subtree, zombies among them; counted whether enabled or not
    u64 peak = 0, limit = kNoLimit;
    u64 refusals = 0, local_refusals = 0; ///< pids.events: with those below, and of this group's own limit
};

class Bandwidth;

struct CpuState {
    u64 user_cycles = 0,
        system_cycles = 0; ///< Timekeeper::cycles() of tasks as they were counted last, with those below
    u32 weight = 100; ///< cpu.weight, 1 to 10000
    bool idle = false; ///< cpu.idle
    RefPtr<Bandwidth> bandwidth; ///< cpu.max; null: never set
    u64 runnable_weight = 0; ///< of tasks and child groups that run or would like to
    u64 periods = 0, throttled_periods = 0;
    Nanoseconds throttled = 0;
};

/// What memory.events counts.
enum class MemoryEvent : u8 { low, high, max, oom, oom_kill, oom_group_kill };
constexpr size_t kMemoryEvents = 6;

struct MemoryState {
    u64 current = 0, peak = 0; ///< pages, with those below
    u64 limit = kNoLimit, high = kNoLimit, minimum = 0, low = 0; ///< pages
    bool kill_as_group = false; ///< memory.oom.group
    u64 by_use[4] = {}; ///< pages by mm::FrameUse, with those below
    u64 events[kMemoryEvents] = {}, local_events[kMemoryEvents] = {};
    u64 own_pages = 0; ///< charged to the group itself
    u32 account = 0; ///< by which frames name the group; 0: none was charged yet
};

} // namespace umbra::cgroup
