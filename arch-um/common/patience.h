// SPDX-License-Identifier: GPL-2.0-or-later
// How long the kernel waits for a stub that must answer soon. Counted in slices and not by the clock, so that
// a stub and a kernel that were stopped together (a debugger, a terminal's stop signal) do not take it for a
// hang.
#pragma once

#include "hostabi/clock.h"

namespace umbra::um {

class Patience {
public:
    /// The deadline for the next wait.
    Nanoseconds deadline()
    {
        if (!slice_end_) slice_end_ = hostabi::monotonic_now() + kSlice;
        return slice_end_;
    }
    /// After a wait that brought nothing: true once the stub has had its time.
    bool is_over()
    {
        if (hostabi::monotonic_now() < slice_end_) return false;
        slice_end_ = 0;
        return ++slices_ >= kSlices;
    }

private:
    static constexpr Nanoseconds kSlice = kNanosecondsPerSecond / 10;
    static constexpr int kSlices = 20;

    Nanoseconds slice_end_ = 0;
    int slices_ = 0;
};

} // namespace umbra::um
