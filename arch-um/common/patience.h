// SPDX-License-Identifier: GPL-2.0-or-later
// How long the kernel waits for a stub that must answer soon: until it has had time on a CPU and used it for something else. By
// the clock alone, a host with much other work, on which a stub waits for its turn, would be taken for a stub that hangs; and
// counted in slices, so that a stub and a kernel that were stopped together (a debugger, a terminal's stop signal) are not
// either. One that does nothing at all is given up in the end.
#pragma once

#include "hostabi/clock.h"

namespace umbra::um {

class Patience {
public:
    /// With the stub that is `pid` on the host.
    explicit Patience(i32 pid)
        : pid_(pid)
    {
    }
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
        Nanoseconds const used = hostabi::process_cpu_time(pid_);
        if (++slices_ == 1) used_before_ = used;
        if (slices_ >= kMostSlices) return true;
        return slices_ >= kSlices && used - used_before_ >= kEnough;
    }
    /// It has answered.
    void renew() { slice_end_ = 0, slices_ = 0; }

private:
    static constexpr Nanoseconds kSlice = kNanosecondsPerSecond / 10;
    static constexpr Nanoseconds kEnough = kNanosecondsPerSecond / 20; ///< an answer takes microseconds
    static constexpr int kSlices = 20, kMostSlices = 300;

    i32 pid_;
    Nanoseconds slice_end_ = 0, used_before_ = 0;
    int slices_ = 0;
};

} // namespace umbra::um
