// SPDX-License-Identifier: GPL-2.0-or-later
// Reading any clock that clock_gettime(2) knows.
#pragma once

#include "core/base/error.h"
#include "core/base/types.h"

namespace umbra {

class Task;

/// Nanoseconds on the clock as the task's time namespace has it; EINVAL for one that does not exist.
Result<Nanoseconds> read_clock(Task& task, i32 clock);

} // namespace umbra
