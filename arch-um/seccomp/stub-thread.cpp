// SPDX-License-Identifier: GPL-2.0-or-later
// See stub-thread.h. The other side of every exchange here is stub/entry.S.
#include "arch-um/seccomp/stub-thread.h"

#include <atomic>
#include <cstring>

#include <asm/prctl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "arch-um/seccomp/stub-process.h"
#include "arch-um/x86-64/patched-call.h"
#include "hostabi/process.h"
#include "hostabi/seccomp.h"

namespace umbra::um {

using stub::Resume;
using x86_64::HostFrame;
using x86_64::HostSigcontext;

namespace {
using stub::CallState;

/// Calls that the filter does not let through as plain ones, as in stub/filter.h.
bool needs_trap(u64 number)
{
    switch (static_cast<i32>(number)) { // as the host takes it
    case SYS_clone:
    case SYS_fork:
    case SYS_vfork:
    case SYS_clone3:
    case SYS_execve:
    case SYS_execveat:
    case SYS_rt_sigreturn:
    case SYS_arch_prctl:
    case SYS_exit:
    case SYS_exit_group:
        return true;
    default:
        return false;
    }
}

/// From `from` to `to`, unless the guest was faster. What was read before belongs to `from`.
bool change_state(stub::CallSlot& slot, CallState from, CallState to)
{
    return std::atomic_ref(slot.state).compare_exchange_strong(from, to, std::memory_order_seq_cst);
}

constexpr u64 kTrapFlag = 0x100;
constexpr u64 kInitialFlags = 0x202; // interrupts enabled, as always in user mode
constexpr u64 kStackAlignment = 16;

constexpr u64 signal_bit(int signal) { return u64 { 1 } << (signal - 1); }
/// While guest code runs, only the signals that the CPU causes and the kick get through.
constexpr u64 kGuestMask = ~(signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGFPE)
    | signal_bit(SIGILL) | signal_bit(SIGTRAP) | signal_bit(SIGSYS) | signal_bit(stub::kKickSignal));

constexpr u64 kStackTop = stub::kAreaSize - sizeof(stub::AreaTail);

/// A copy that the compiler cannot fold into later reads of the shared original.
template <typename T> T copy_once(T const* shared)
{
    T copy;
    std::memcpy(&copy, shared, sizeof copy);
    asm volatile("" : "+m"(copy));
    return copy;
}

/// Loading any other base would fault in the stub.
bool is_canonical(u64 address) { return static_cast<u64>(static_cast<i64>(address << 16) >> 16) == address; }
} // namespace

StubThread::StubThread(StubProcess& process, u32 area_slot, u32 area_index)
    : process_(process)
    , area_slot_(area_slot)
    , area_index_(area_index)
    , area_(process.environment().areas.data(area_slot))
{
    // Where the host itself would put the frame of a signal: below the floating-point image, and misaligned
    // by the return address as the ABI has it at a function's entry.
    u64 const below_fp = fp_offset() - sizeof(HostFrame);
    frame_offset_ = (below_fp & ~(kStackAlignment - 1)) - 8;
}

u64 StubThread::fp_offset() const
{
    return (kStackTop - process_.environment().fp_image_size) & ~(x86_64::kFpAlignment - 1);
}

void StubThread::reset()
{
    std::memset(area_ + frame_offset_, 0, kStackTop - frame_offset_);
    HostFrame& f = *frame();
    f.stack_pointer = area_address(); // rt_sigreturn makes this the thread's signal stack
    f.stack_size = kStackTop;
    f.mask = kGuestMask;
    if (process_.has_one_thread()) process_.call_slot() = {};
    registers_ = {};
    registers_.cs = platform::kUserCodeSegment;
    registers_.ss = platform::kUserDataSegment;
    registers_.eflags = kInitialFlags;
    registers_.orig_rax = platform::kNoSyscall;
    registers_loaded_ = true;
    fp_loaded_ = false;
    fp_reset_ = true;
}

// --- What the stub reports.

void StubThread::receive(seccomp_notif const& n)
{
    if (n.data.instruction_pointer == stub::kOpIp) return receive_operation(n);
    if (n.data.instruction_pointer == stub::kReportIp && n.data.nr == stub::kReportNumber)
        return receive_report(n);
    // Who owns the gates may be gone already: a thread that was taken away from its guest in a call parks, too.
    bool const may_park = state_ == State::in_patched_call || answer_when_parked_ || answer_uncertain_;
    if (n.data.nr == stub::kParkNumber && may_park) return receive_park(n);
    receive_call(n);
}

void StubThread::receive_operation(seccomp_notif const& n)
{
    stub::Op actual { static_cast<u64>(n.data.nr), {} };
    std::memcpy(actual.args, n.data.args, sizeof actual.args);
    if (operation_next_ == operation_count_ || !(operations_[operation_next_] == actual))
        return process_.kill("a host call that was not ordered");
    ++operation_next_;
    (void)hostabi::seccomp::answer_continue(process_.listener(), n.id);
}

void StubThread::receive_report(seccomp_notif const& n)
{
    auto const& args = n.data.args; // signal, siginfo, ucontext, fs base, gs base, stack pointer
    u64 const offset = args[5] - area_address();
    if (offset > kStackTop - sizeof(HostFrame) || offset % 8 != 0)
        return process_.kill("a report with a frame outside its area");
    if (order_given_) return receive_order_result(n);
    id_ = n.id;
    frame_offset_ = offset;
    signal_ = static_cast<int>(args[0]);
    if (signal_ == 0) {
        fs_base_ = gs_base_ = 0; // a newborn has the leader's, whatever its predecessor in this area had
    } else if (process_.environment().fsgsbase) {
        fs_base_ = args[3];
        gs_base_ = args[4];
    }
    bool const in_call = frame_requested_ || state_ == State::in_patched_call;
    if (signal_ == stub::kKickSignal) kick_outstanding_ = false;
    registers_loaded_ = registers_loaded_ && signal_ == 0; // a newborn keeps what it was reset to
    fp_loaded_ = false;
    report_is_syscall_ = signal_ == SIGSYS || in_call;
    if (answer_uncertain_) finish_interrupted_call();
    if (process_.call_sites()) leave_gate();
    state_ = State::in_report;
    parked_ = answer_when_parked_ = false;
    if (frame_requested_ && signal_ != stub::kKickSignal)
        return process_.kill("guest code ran while it should not");
    frame_requested_ = false;
    if (waiting_port && waiting_port != process_.receiving_port_) waiting_port->wake();
}

/// The thread is where it was: all that was known of its frame still holds.
void StubThread::receive_order_result(seccomp_notif const& n)
{
    id_ = n.id;
    order_given_ = false;
    order_result_ = static_cast<i64>(n.data.args[1]);
    if (order_result_ != 0) counter_is_readable_ = !counter_is_readable_;
    state_ = State::in_report;
    if (waiting_port && waiting_port != process_.receiving_port_) waiting_port->wake();
}

void StubThread::receive_call(seccomp_notif const& n)
{
    id_ = n.id;
    if (answer_uncertain_ && same_call(n.data)) {
        // A signal made the host restart the call that core has already carried out: give the result again.
        answer_uncertain_ = false;
        return answer(result_);
    }
    if (retired_ || frame_requested_ || state_ == State::in_patched_call)
        return process_.kill("guest code ran while it should not");
    answer_uncertain_ = false;
    call_ = n.data;
    sites_at_call_ = process_.call_sites_version();
    result_ = static_cast<u64>(static_cast<i64>(n.data.nr));
    state_ = State::in_syscall;
    if (waiting_port && waiting_port != process_.receiving_port_) waiting_port->wake();
}

/// The thread sleeps over a call that it handed over.
void StubThread::receive_park(seccomp_notif const& n)
{
    id_ = n.id;
    if (answer_when_parked_ || answer_uncertain_) {
        answer_when_parked_ = answer_uncertain_ = false;
        return answer(result_);
    }
    parked_ = true;
}

bool StubThread::take_patched_call()
{
    auto const* sites = process_.call_sites();
    if (!sites || state_ != State::running || frame_requested_ || retired_) return false;
    stub::CallSlot& slot = process_.call_slot();
    if (std::atomic_ref(slot.state).load(std::memory_order_acquire) != CallState::requested) return false;
    if (needs_trap(copy_once(&slot.number))) {
        // Not by way of taken, from which the thread may have parked before it is told.
        (void)change_state(slot, CallState::requested, CallState::refused);
        return false;
    }
    if (!change_state(slot, CallState::requested, CallState::taken)) return false;
    auto const request = copy_once(&slot);
    if (!sites->site_of_gate(request.gate_return) || needs_trap(request.number)) {
        process_.kill("a call that was handed over by no gate");
        return false;
    }
    call_ = { .nr = static_cast<int>(request.number),
        .arch = 0,
        .instruction_pointer = request.gate_return,
        .args = {} };
    std::memcpy(call_.args, request.args, sizeof call_.args);
    result_ = static_cast<u64>(static_cast<i64>(call_.nr));
    parked_ = answer_when_parked_ = answer_uncertain_ = false;
    state_ = State::in_patched_call;
    return true;
}

bool StubThread::goes_on_in_patch() const
{
    if (state_ != State::in_syscall || sites_at_call_ == process_.call_sites_version()) return false;
    auto const* sites = process_.call_sites();
    return sites && x86_64::enter_gate(*sites, call_.instruction_pointer) != call_.instruction_pointer;
}

bool StubThread::is_parked() const
{
    return parked_
        || std::atomic_ref(process_.call_slot().state).load(std::memory_order_relaxed) != CallState::taken;
}

void StubThread::park() { (void)change_state(process_.call_slot(), CallState::taken, CallState::parked); }

bool StubThread::same_call(seccomp_data const& other) const
{
    return std::memcmp(&call_, &other, sizeof call_) == 0;
}

/// A kick can interrupt a call after core has carried it out: the frame then shows the call about to be made
/// again. No guest instruction ran in between, so putting result and rip in place is all that is missing.
void StubThread::finish_interrupted_call()
{
    answer_uncertain_ = false;
    auto& context = frame()->context;
    if (context.rip != call_.instruction_pointer - platform::kSyscallInstructionLength) return;
    if (static_cast<i32>(context.rax) != call_.nr) return;
    context.rip = call_.instruction_pointer;
    context.rax = result_;
}

/// Makes the frame one of a guest without gates: at the call, with its registers, or behind it.
void StubThread::leave_gate()
{
    auto& context = frame()->context;
    u64 const rip = context.rip;
    if (rip >= stub::kPatchedCall && rip < stub::kPatchedCallEnd) return leave_hand_over(context);
    auto const& sites = *process_.call_sites();
    auto const* site = sites.site_of_gate(rip);
    if (!site) return;
    bool const at_call = (rip - sites.gates) % platform::kGateSize == platform::kGateCall;
    if (at_call && static_cast<i32>(context.rax) == stub::kParkNumber)
        finish_patched_call(context, *site); // a signal came before it slept
    else
        context.rip = *x86_64::leave_gate(sites, rip);
}

void StubThread::leave_hand_over(HostSigcontext& context)
{
    stub::CallSlot& slot = process_.call_slot();
    u64 const rip = context.rip;
    u64 const gate_return = rip == stub::kPatchedCall ? context.rcx : copy_once(&slot.gate_return);
    auto const* site = process_.call_sites()->site_of_gate(gate_return);
    if (!site) return; // no gate led there
    if (rip <= stub::kPatchedCallMade) {
        context.rip = site->call;
        return;
    }
    auto const state = copy_once(&slot.state);
    bool const is_taken_back = state == CallState::idle || state == CallState::refused;
    if (is_taken_back || change_state(slot, CallState::requested, CallState::idle)) {
        context.rip = site->call;
        context.rax = copy_once(&slot.number);
    } else {
        finish_patched_call(context, *site);
    }
}

/// The thread is behind a call that the kernel has taken; where it is not answered yet, rax will be set with the answer.
void StubThread::finish_patched_call(HostSigcontext& context, platform::CallSite const& site)
{
    context.rip = site.call + platform::kSyscallInstructionLength;
    context.rax = result_;
    std::atomic_ref(process_.call_slot().state).store(CallState::idle, std::memory_order_relaxed);
}

// --- What the kernel does with a waiting thread.

void StubThread::set_result(u64 value)
{
    result_ = value;
    if (state_ == State::in_report) registers().rax = value;
}

void StubThread::answer(u64 value)
{
    if (hostabi::seccomp::answer(process_.listener(), id_, static_cast<i64>(value)).ok()) return;
    // A signal took the thread out of the call, or it is dead: the next report, or the host, will tell.
    answer_uncertain_ = true;
}

void StubThread::answer_patched_call()
{
    stub::CallSlot& slot = process_.call_slot();
    std::atomic_ref(slot.result).store(result_, std::memory_order_relaxed);
    state_ = State::running;
    if (change_state(slot, CallState::taken, CallState::done)) return;
    if (!parked_) {
        answer_when_parked_ = true;
        return;
    }
    parked_ = false;
    answer_uncertain_ = kick_outstanding_;
    answer(result_);
}

void StubThread::resume(bool single_step)
{
    process_.note_resume(*this);
    if (state_ == State::in_patched_call) return answer_patched_call();
    bool const plain = state_ == State::in_syscall;
    // A kick that is under way may interrupt the call although the answer is accepted.
    answer_uncertain_ = plain && kick_outstanding_;
    u64 const value = plain ? result_ : static_cast<u64>(store_state(single_step));
    state_ = State::running;
    answer(value);
}

void StubThread::request_frame()
{
    // The kick is there before the call returns, so not one guest instruction runs between the two.
    frame_requested_ = true;
    kick();
    if (state_ != State::in_patched_call) return resume(false);
    // It goes round until the kick comes; if it sleeps, it has to be woken for that.
    state_ = State::running;
    if (!parked_) {
        answer_when_parked_ = true;
        return;
    }
    parked_ = false;
    answer_uncertain_ = true;
    answer(result_);
}

Resume StubThread::store_state(bool single_step)
{
    HostFrame& f = *frame();
    if (registers_loaded_) x86_64::store_registers(registers_, f);
    if (single_step)
        f.context.eflags |= kTrapFlag;
    else if (single_stepped_)
        f.context.eflags &= ~kTrapFlag;
    single_stepped_ = single_step;
    if (fp_loaded_) {
        std::memcpy(area_ + fp_offset(), fp_image_.get(), process_.environment().fp_image_size);
        f.context.fp_state = area_address() + fp_offset();
    } else if (fp_reset_) {
        f.context.fp_state = 0; // rt_sigreturn loads the initial state
    }
    if (auto const* sites = process_.call_sites()) f.context.rip = x86_64::enter_gate(*sites, f.context.rip);
    fp_loaded_ = fp_reset_ = false;
    bool const bases_may_differ = registers_loaded_;
    registers_loaded_ = false;
    return bases_may_differ ? store_bases() : Resume::plain;
}

Resume StubThread::store_bases()
{
    if (!is_canonical(registers_.fs_base)) registers_.fs_base = fs_base_;
    if (!is_canonical(registers_.gs_base)) registers_.gs_base = gs_base_;
    if (registers_.fs_base == fs_base_ && registers_.gs_base == gs_base_) return Resume::plain;
    fs_base_ = registers_.fs_base;
    gs_base_ = registers_.gs_base;
    auto& tail = *reinterpret_cast<stub::AreaTail*>(area_ + kStackTop);
    tail.fs_base = fs_base_;
    tail.gs_base = gs_base_;
    if (process_.environment().fsgsbase) return Resume::with_bases;
    operations_[0] = { SYS_arch_prctl, { ARCH_SET_FS, fs_base_ } };
    operations_[1] = { SYS_arch_prctl, { ARCH_SET_GS, gs_base_ } };
    operation_next_ = 0;
    operation_count_ = 2;
    return Resume::with_base_calls;
}

HostFrame StubThread::frame_snapshot() const { return copy_once(frame()); }

platform::Registers& StubThread::registers()
{
    if (registers_loaded_) return registers_;
    HostFrame const snapshot = frame_snapshot();
    x86_64::load_registers(snapshot, registers_);
    if (single_stepped_) registers_.eflags &= ~kTrapFlag; // ours, not the guest's
    registers_.fs_base = fs_base_;
    registers_.gs_base = gs_base_;
    registers_.orig_rax = platform::kNoSyscall;
    if (report_is_syscall_)
        registers_.orig_rax
            = static_cast<u64>(static_cast<i64>(signal_ == SIGSYS ? snapshot.info.syscall.number : call_.nr));
    registers_loaded_ = true;
    return registers_;
}

std::span<u8> StubThread::fp_image()
{
    auto const& environment = process_.environment();
    u32 const size = environment.fp_image_size;
    if (!fp_image_) fp_image_ = std::make_unique<u8[]>(size);
    std::span<u8> const image(fp_image_.get(), size);
    if (fp_loaded_) return image;
    u64 const offset = frame_snapshot().context.fp_state - area_address();
    if (!fp_reset_ && offset <= kStackTop - size && offset % x86_64::kFpAlignment == 0) {
        std::memcpy(image.data(), area_ + offset, size);
        x86_64::sanitize_fp_image(image, environment.xsave_features);
    } else {
        x86_64::initial_fp_image(image, environment.xsave_features);
    }
    fp_loaded_ = true;
    fp_reset_ = false;
    return image;
}

void StubThread::reset_fp_image()
{
    fp_reset_ = true;
    fp_loaded_ = false;
}

void StubThread::order_counter(bool readable)
{
    auto& tail = *reinterpret_cast<stub::AreaTail*>(area_ + kStackTop);
    u64 const mode = readable ? PR_TSC_ENABLE : PR_TSC_SIGSEGV;
    tail.fs_base = mode;
    operations_[0] = { SYS_prctl, { PR_SET_TSC, mode } };
    operation_next_ = 0;
    operation_count_ = 1;
    counter_is_readable_ = readable;
    order_given_ = true;
    state_ = State::running;
    answer(static_cast<u64>(Resume::set_counter));
}

void StubThread::follow(UmPort const& port)
{
    bool const is_pinned = process_.environment().pin_threads;
    if (!is_pinned && preempts_ != !port.crowded) {
        preempts_ = !port.crowded;
        (void)hostabi::process::set_preempting(tid_, *preempts_); // best effort, too
    }
    if (port.cpu == cpu_ || port.cpu < 0 || !is_pinned) return;
    // Best effort: elsewhere it is only slower.
    (void)hostabi::process::pin_to_cpu(tid_, static_cast<unsigned>(port.cpu));
    cpu_ = port.cpu;
}

void StubThread::follow_nobody()
{
    cpu_ = -1;
    (void)hostabi::process::set_affinity(tid_, process_.environment().cpu_use->cpus());
}

void StubThread::kick()
{
    if (kick_outstanding_) return;
    // Fails only if the thread is gone, which the process learns by other ways.
    kick_outstanding_ = hostabi::process::send_signal_to_thread(process_.pid(), tid_, stub::kKickSignal).ok();
}

void StubThread::retire()
{
    retired_ = true;
    waiting_port = nullptr;
    if (state_ == State::in_syscall || state_ == State::in_patched_call) request_frame();
}

} // namespace umbra::um
