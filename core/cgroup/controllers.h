// SPDX-License-Identifier: GPL-2.0-or-later
// What each controller keeps in a group. The state is there in every group, and has an effect where the controller is
// enabled.
#pragma once

#include "core/base/types.h"

namespace umbra::cgroup {

enum class Controller : u8 { cpu, memory, pids }; ///< in the order in which Linux lists them
constexpr size_t kControllers = 3;
using ControllerSet = u8;
constexpr ControllerSet bit(Controller controller) { return ControllerSet(1 << unsigned(controller)); }
constexpr ControllerSet kAllControllers = bit(Controller::pids);
/// Those that can tell threads of a process apart.
constexpr ControllerSet kThreadedControllers = bit(Controller::cpu) | bit(Controller::pids);
constexpr u64 kNoLimit = ~u64 { 0 };
char const* name_of(Controller controller);

struct PidsState {
    u64 current = 0; ///< tasks of the subtree, zombies among them; counted whether enabled or not
    u64 peak = 0, limit = kNoLimit;
    u64 refusals = 0, local_refusals = 0; ///< pids.events: with those below, and of this group's own limit
};

} // namespace umbra::cgroup
