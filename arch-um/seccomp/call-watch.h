// SPDX-License-Identifier: GPL-2.0-or-later
// When a vCPU's thread watches for calls that its guest hands over (core/platform/patched-calls.h), instead of sleeping
// until a trap. That takes a CPU beside the guest's own: it is begun only after calls followed each other closely and
// while a CPU has nothing to do, and ends as soon as one of both is no longer so, or the guest traps. To begin and to
// end costs what some ten traps do, so a watch that did not pay makes the next one begin later.
//
// A thread that sleeps over a call for a moment is watched again when it wakes up: two tasks that talk take turns on one
// vCPU, which watches now this one and now that one, and their stub threads on another CPU.
#pragma once

#include <atomic>

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
    bool is_of(StubThread const& thread) const { return &thread == &thread_; }
    /// Another thread of the process goes on in guest code: whoever watches this one ends that soon, and the guest hands
    /// over nothing more. With the kernel lock, from any vCPU's thread.
    void stop();
    /// The port's thread is about to run another guest thread: this one, if it goes round in a call, makes room.
    void make_room() override;
    /// Before the thread is resumed: begins or ends watching.
    void prepare(UmPort& port);
    /// What the thread came back with.
    void note_trap(UmPort& port);
    bool look(UmPort& port, Nanoseconds deadline) override;

private:
    bool may_begin(UmPort& port) const;
    bool may_go_on(UmPort& port, Nanoseconds since_last);
    bool has_called_enough(UmPort const& port) const;
    void begin(UmPort& port);
    bool keep_away_from_this_cpu();
    void end();

    StubProcess& process_;
    StubThread& thread_;
    bool on_ = false;
    std::atomic<bool> stopped_ { false };
    UmPort* port_ = nullptr; ///< where it is on, or goes round in a call
    unsigned cpu_ = 0; ///< the watching thread's, on which the guest's is not to run
    unsigned close_calls_ = 0; ///< calls of gates, one soon after the other
    unsigned calls_in_a_row_ = 0; ///< those since another guest thread ran on the vCPU
    unsigned wanted_ = kFewestCalls; ///< as many begin a watch
    unsigned served_ = 0; ///< calls in this watch
    unsigned served_awake_ = 0; ///< calls since the thread slept in the host
    bool wakes_up_ = false; ///< the thread, which slept in the host
    Nanoseconds resumed_at_ = 0, not_before_ = 0;
    Nanoseconds forgiven_at_ = 0; ///< when `wanted_` was changed last
};

} // namespace umbra::um
