// SPDX-License-Identifier: GPL-2.0-or-later
// When a vCPU's thread watches for calls that its guest hands over (core/platform/patched-calls.h), instead of sleeping
// until a trap. That takes a CPU beside the guest's own: it is begun only after calls followed each other closely and
// while a CPU has nothing to do, and ends as soon as one of both is no longer so, or the guest traps. To begin and to
// end costs what some ten traps do, so a watch that did not pay makes the next one begin later.
#pragma once

#include "arch-um/common/vcpu-port.h"
#include "arch-um/seccomp/stub-thread.h"

namespace umbra::um {

class CallWatch final : public BusyWait {
public:
    static constexpr unsigned kFewestCalls = 16, kMostCalls = 4096;

    CallWatch(StubProcess& process, StubThread& thread)
        : process_(process)
        , thread_(thread)
    {
    }
    ~CallWatch() override;

    bool is_on() const { return on_; }
    /// Before the thread is resumed: begins or ends watching.
    void prepare(UmPort& port);
    /// What the thread came back with.
    void note_trap(UmPort& port);
    bool look(UmPort& port, Nanoseconds deadline) override;

private:
    bool may_begin(UmPort& port) const;
    void begin();
    void end();

    StubProcess& process_;
    StubThread& thread_;
    bool on_ = false;
    unsigned close_calls_ = 0; ///< calls of gates, one soon after the other
    unsigned wanted_ = kFewestCalls; ///< as many begin a watch
    unsigned served_ = 0; ///< calls in this watch
    Nanoseconds resumed_at_ = 0, not_before_ = 0;
};

} // namespace umbra::um
