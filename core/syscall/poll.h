// SPDX-License-Identifier: GPL-2.0-or-later
// The wait behind poll(2) and select(2).
#pragma once

#include <span>

#include "core/vfs/file.h"

namespace umbra {

struct PollItem {
    RefPtr<vfs::File> file; ///< null: `ready` stays as it is
    u32 wanted = 0; ///< poll bits; POLLERR and POLLHUP are always reported
    u32 ready = 0;
};

/// Fills in `ready` and returns how many items are; waits until there is one or `deadline` (CLOCK_MONOTONIC)
/// has passed. err::restart_nohand on a signal.
Result<u64> poll_items(std::span<PollItem> items, Nanoseconds deadline);

} // namespace umbra
