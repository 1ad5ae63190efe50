// SPDX-License-Identifier: GPL-2.0-or-later
// How many more processes and threads the host lets this user make: whoever takes them all, as a guest's fork bomb would,
// takes them from everybody else.
#pragma once

#include "core/base/types.h"

namespace umbra::hostabi {

/// The least that threads-max, pid_max, RLIMIT_NPROC (not for root) and the control groups' pids.max leave. Reads a few
/// files, so it is called once, at start. UINT64_MAX where nothing is known.
u64 room_for_tasks();

} // namespace umbra::hostabi
