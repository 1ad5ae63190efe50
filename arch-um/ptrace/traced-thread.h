// SPDX-License-Identifier: GPL-2.0-or-later
// One traced host thread of a stub. The leader only executes operations; the others run guest code under
// PTRACE_SYSEMU, which executes no system call. Page faults need the CPU's error code, which ptrace does not
// show: so fault signals are delivered to the stub's signal entry, whose report stops the thread again with a
// frame that has it. The guest's registers are then put back by ptrace: no thread ever executes rt_sigreturn.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "arch-um/common/vcpu-port.h"
#include "arch-um/ptrace/tracer.h"
#include "arch-um/stub/layout.h"
#include "arch-um/x86-64/host-frame.h"
#include "core/platform/platform.h"

namespace umbra::um {

class TracedProcess;

class TracedThread final : public Tracee {
public:
    enum class State : u8 { running, stopped, dead };

    /// `area_slot`: the thread's area in the area file, AreaFile::kNoSlot for the leader.
    TracedThread(TracedProcess& process, u32 area_slot, u32 area_index);
    ~TracedThread();

    /// Begins to follow the thread, which the host stops at its start.
    void attach(i32 tid);
    i32 tid() const { return tid_; }
    State state() const { return state_; }
    /// Gone from the host's process table.
    bool ended() const { return ended_; }
    void forget() { state_ = State::dead; }
    u32 area_slot() const { return area_slot_; }

    /// Has the stopped thread execute a host call; it is stopped again when that is done.
    void start_operation(stub::Op const& op);
    u64 operation_result() const { return operation_result_; }
    /// The operation that gives the thread its signal stack. Its argument lies in the area, which no other
    /// thread of the stub can touch now: only one thread of all runs at a time.
    stub::Op signal_stack_operation();

    // For guest threads, stopped:
    void reset();
    /// Why the thread stopped; nothing if it is for nobody to know, and it should go on.
    std::optional<platform::Trap> const& trap() const { return trap_; }
    void set_result(u64 value);
    platform::Registers* registers();
    std::span<u8> fp_image();
    void reset_fp_image();
    void resume(bool single_step);

    void kick();
    /// Keeps the thread on the vCPU's CPU: a stop that wakes another CPU costs ten times as much.
    void follow(UmPort const& port);

    void take_status(i32 status) override;

    bool counter_is_readable = true; ///< the time stamp counter, by the guest

private:
    enum class Mode : u8 { starting, operating, guest };

    u64 area_address() const { return stub::kAreas + u64 { area_index_ } * stub::kAreaSize; }
    void take_stop(int signal);
    void take_guest_stop(int signal);
    void take_syscall();
    void take_report();
    void store_registers(bool single_step);
    void store_fp();
    void load_fp_from_frame();
    bool load_fp();
    void write_fp();

    TracedProcess& process_;
    i32 tid_ = 0;
    u32 area_slot_, area_index_;
    u8* area_;
    State state_ = State::running;
    Mode mode_ = Mode::starting;
    bool ended_ = false;
    bool kick_outstanding_ = false;
    bool reporting_ = false; ///< in the stub's signal entry
    bool registers_loaded_ = false; ///< registers_ is the truth; it is written back at resume
    bool fp_loaded_ = false;
    bool fp_in_frame_ = false; ///< the guest's state is in the frame; the thread's own is the signal entry's
    bool mask_changed_ = false;
    bool single_stepped_ = false;
    bool in_syscall_ = false;
    int cpu_ = -1; ///< that it is pinned to
    u64 result_ = 0;
    u64 operation_result_ = 0;
    u64 frame_fp_offset_ = 0;
    platform::Registers registers_ {};
    std::optional<platform::Trap> trap_;
    std::unique_ptr<u8[]> fp_image_;
};

} // namespace umbra::um
