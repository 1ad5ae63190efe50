// SPDX-License-Identifier: GPL-2.0-or-later
// One host thread that runs guest code in a stub, and what the kernel knows of it: running, or waiting for an
// answer in a plain system call (arguments only), in one that it handed over without a trap (the same, but it goes
// round in the stub's code, or has parked itself), or in a report of the stub's signal entry (the whole frame).
//
// All of its area can be written by the guest at any time. What a report says comes in the registers of the
// report's call, which nobody else can change; the frame in the area holds nothing but the thread's own
// register values.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include <linux/seccomp.h>

#include "arch-um/common/vcpu-port.h"
#include "arch-um/stub/layout.h"
#include "arch-um/x86-64/host-frame.h"
#include "core/platform/patched-calls.h"
#include "core/platform/registers.h"

namespace umbra::um {

class StubProcess;

class StubThread {
public:
    enum class State : u8 {
        running, ///< in guest code, or on its way to a call
        in_syscall, ///< waits for the result of a plain call
        in_patched_call, ///< waits for the result of a call that it handed over
        in_report, ///< waits in the signal entry: the frame is in the area
        dead,
    };

    /// `area_slot` is the area in the area file, `area_index` its place in the stub's address space.
    StubThread(StubProcess& process, u32 area_slot, u32 area_index);

    void set_tid(i32 tid) { tid_ = tid; }
    i32 tid() const { return tid_; }
    State state() const { return state_; }
    u32 area_slot() const { return area_slot_; }

    /// Where the clone operation has to point the new thread's stack.
    u64 initial_stack_pointer() const { return area_address() + frame_offset_; }
    /// All registers zero, initial floating-point state; clears what an earlier guest left in the area.
    void reset();

    /// While running: takes a call that the guest has handed over. False: there is none, or it needs a trap.
    bool take_patched_call();
    /// In in_patched_call: the thread has gone to sleep over it, or is about to.
    bool is_parked() const;
    /// In in_patched_call: has the thread go to sleep at once, rather than when it has gone round for long.
    void park();
    /// In in_syscall: what is behind the call was patched since; it has to go on where its registers say.
    bool goes_on_in_patch() const;

    // What happened. Valid in in_syscall and in_patched_call.
    seccomp_data const& call() const { return call_; }
    // Valid in in_report.
    int signal() const { return signal_; }
    x86_64::HostFrame frame_snapshot() const;

    // In in_syscall, in_patched_call and in_report:
    void set_result(u64 value);
    /// Continues the guest with what was set.
    void resume(bool single_step);
    /// In in_syscall and in_patched_call: has the thread report its frame. It is running until it does.
    void request_frame();
    // In in_report:
    platform::Registers& registers();
    std::span<u8> fp_image();
    void reset_fp_image();
    /// Has the thread change its own access to the time stamp counter: it is running until it reports again.
    void order_counter(bool readable);
    bool counter_is_readable() const { return counter_is_readable_; }
    /// What came of the last order: 0, or the host's negative errno.
    i64 order_result() const { return order_result_; }

    /// Asks a running thread for its frame; once is enough until the report comes.
    void kick();
    bool kick_outstanding() const { return kick_outstanding_; }
    /// Where wake-ups across CPUs are dear: runs the thread on the CPU of the vCPU that enters it.
    void follow(UmPort const& port);
    /// Lets the thread run on all of the platform's CPUs.
    void follow_nobody();
    void forget() { state_ = State::dead; }

    /// No guest thread owns it any more: it will park in a report as soon as it can.
    void retire();
    void adopt() { retired_ = false; }

    /// Notifications, handed over by the process.
    void receive(seccomp_notif const& n);

    UmPort* waiting_port = nullptr; ///< whose vCPU waits for this thread

private:
    u64 area_address() const { return stub::kAreas + u64 { area_index_ } * stub::kAreaSize; }
    u8* area() const { return area_; }
    x86_64::HostFrame* frame() const { return reinterpret_cast<x86_64::HostFrame*>(area_ + frame_offset_); }
    void receive_operation(seccomp_notif const& n);
    void receive_report(seccomp_notif const& n);
    void receive_order_result(seccomp_notif const& n);
    void receive_call(seccomp_notif const& n);
    void receive_park(seccomp_notif const& n);
    void finish_interrupted_call();
    void leave_gate();
    void leave_hand_over(x86_64::HostSigcontext& context);
    void finish_patched_call(x86_64::HostSigcontext& context, platform::CallSite const& site);
    void answer_patched_call();
    stub::Resume store_state(bool single_step);
    stub::Resume store_bases();
    u64 fp_offset() const;
    void answer(u64 value);
    bool same_call(seccomp_data const& other) const;

    StubProcess& process_;
    i32 tid_ = 0;
    u32 area_slot_, area_index_;
    u8* area_;
    State state_ = State::running;
    bool kick_outstanding_ = false;
    bool frame_requested_ = false;
    bool retired_ = false;
    bool answer_uncertain_ = false; ///< a signal may have interrupted the call that was answered last
    bool parked_ = false; ///< in_patched_call: id_ is of the notification that the thread sleeps in
    bool answer_when_parked_ = false; ///< the result is there, but the thread was about to park
    bool registers_loaded_ = false;
    bool fp_loaded_ = false;
    bool fp_reset_ = false;
    bool report_is_syscall_ = false;
    bool single_stepped_ = false; ///< the trap flag in the frame is ours
    bool counter_is_readable_ = true; ///< or was ordered to be
    bool order_given_ = false; ///< the next report says what came of it
    int signal_ = 0;
    int cpu_ = -1; ///< that it is pinned to
    std::optional<bool>
        preempts_; ///< the host's threads when it wakes up; as it was cloned until that is chosen
    i64 order_result_ = 0;
    u64 sites_at_call_ = 0; ///< the version of the call sites when it made its plain call
    u64 id_ = 0; ///< of the notification that waits for an answer
    u64 result_ = 0;
    u64 frame_offset_;
    u64 fs_base_ = 0, gs_base_ = 0; ///< what the CPU has, as far as known
    seccomp_data call_ {};
    stub::Op operations_[2]; ///< the operations that the thread itself is about to make
    u32 operation_next_ = 0, operation_count_ = 0;
    platform::Registers registers_ {};
    std::unique_ptr<u8[]> fp_image_;
};

} // namespace umbra::um
