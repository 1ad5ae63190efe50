// SPDX-License-Identifier: GPL-2.0-or-later
// See traced-thread.h. ptrace(2); what a stop means is in its section "Stopped states".
#include "arch-um/ptrace/traced-thread.h"

#include <cstring>

#include <linux/audit.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "arch-um/common/area-file.h"
#include "arch-um/ptrace/traced-process.h"
#include "arch-um/x86-64/trap.h"
#include "hostabi/process.h"
#include "hostabi/ptrace.h"

namespace umbra::um {

namespace ptrace = hostabi::ptrace;
using platform::Registers;
using platform::Trap;
using platform::TrapKind;
using x86_64::HostFrame;

static_assert(sizeof(Registers) == sizeof(user_regs_struct)); // and the same order: see registers.h

namespace {
constexpr int kSyscallStop = SIGTRAP | 0x80; // PTRACE_O_TRACESYSGOOD
constexpr u64 kOptions = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;
constexpr u64 kTrapFlag = 0x100;
constexpr u64 kInitialFlags = 0x202;
constexpr u64 kStackTop = stub::kAreaSize - sizeof(stub::AreaTail);
/// All of an area that the host's frames use.
constexpr u64 kLargestHostImage = 16 << 10;

constexpr int kFaultSignals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };

constexpr u64 signal_bit(int signal) { return u64 { 1 } << (signal - 1); }
constexpr u64 guest_mask()
{
    u64 open = signal_bit(stub::kKickSignal);
    for (int signal : kFaultSignals)
        open |= signal_bit(signal);
    return ~open;
}

bool is_fault_signal(int signal)
{
    for (int fault : kFaultSignals)
        if (signal == fault) return true;
    return false;
}

bool get(i32 tid, Registers& out)
{
    user_regs_struct host;
    if (!ptrace::get_registers(tid, host).ok()) return false;
    std::memcpy(&out, &host, sizeof out);
    return true;
}

void set(i32 tid, Registers const& in)
{
    user_regs_struct host;
    std::memcpy(&host, &in, sizeof host);
    // A base that the host refuses stays as it was; a thread that is dead is reported as such.
    (void)ptrace::set_registers(tid, host);
}
} // namespace

TracedThread::TracedThread(TracedProcess& process, u32 area_slot, u32 area_index)
    : process_(process)
    , area_slot_(area_slot)
    , area_index_(area_index)
    , area_(area_slot == AreaFile::kNoSlot ? nullptr : process.environment().areas.data(area_slot))
{
}

TracedThread::~TracedThread()
{
    if (tid_) process_.tracer().remove(tid_);
}

void TracedThread::attach(i32 tid)
{
    tid_ = tid;
    process_.tracer().add(tid, *this);
}

// --- Stops.

void TracedThread::take_status(i32 status)
{
    if (hostabi::process::is_end(status)) {
        ended_ = true;
        state_ = State::dead;
        process_.tracer().remove(tid_);
        return process_.note_end(*this);
    }
    if (state_ != State::dead && WIFSTOPPED(status)) take_stop(WSTOPSIG(status));
}

void TracedThread::take_stop(int signal)
{
    switch (mode_) {
    case Mode::starting:
        // Fails only for a thread that was killed, whose end is about to be reported.
        (void)ptrace::set_options(tid_, kOptions);
        (void)ptrace::set_signal_mask(tid_, guest_mask());
        state_ = State::stopped;
        return;
    case Mode::operating: {
        Registers now;
        // A SIGTRAP may also be somebody's kill(2): the operation is done behind the breakpoint and nowhere else.
        if (signal != SIGTRAP || !get(tid_, now) || now.rip != stub::kBreakpoint + 1) {
            if (signal == stub::kKickSignal) kick_outstanding_ = false;
            (void)ptrace::resume(tid_);
            return;
        }
        operation_result_ = now.rax;
        state_ = State::stopped;
        return;
    }
    case Mode::guest:
        return take_guest_stop(signal);
    }
}

void TracedThread::take_guest_stop(int signal)
{
    if (signal == kSyscallStop) return reporting_ ? take_report() : take_syscall();
    if (signal == stub::kKickSignal) {
        kick_outstanding_ = false;
        trap_ = Trap { .kind = TrapKind::interrupted };
        state_ = State::stopped;
        return;
    }
    bool const deliver = is_fault_signal(signal);
    if (deliver && reporting_) return process_.kill("a fault in the signal entry");
    reporting_ = reporting_ || deliver;
    (void)ptrace::resume_emulating(tid_, deliver ? signal : 0);
}

void TracedThread::take_syscall()
{
    auto const entry = ptrace::get_syscall_entry(tid_);
    if (entry.is_error()) return; // killed meanwhile
    auto const& e = entry.value();
    auto const number = static_cast<i32>(e.number);
    trap_ = Trap { .kind = TrapKind::syscall,
        .compat = e.architecture != AUDIT_ARCH_X86_64,
        .number = number,
        .instruction = e.instruction };
    std::memcpy(trap_->args, e.args, sizeof trap_->args);
    result_ = static_cast<u64>(static_cast<i64>(number));
    in_syscall_ = true;
    state_ = State::stopped;
}

/// The signal entry's report: signal, siginfo, ucontext, fs base, gs base, frame in the argument registers.
void TracedThread::take_report()
{
    Registers entry;
    if (!get(tid_, entry)) return;
    u64 const offset = entry.r9 - area_address();
    bool const is_report
        = entry.rip == stub::kReportIp && static_cast<i32>(entry.orig_rax) == stub::kReportNumber;
    if (!is_report || offset > kStackTop - sizeof(HostFrame) || offset % 8 != 0)
        return process_.kill("a report that is none");
    HostFrame frame;
    std::memcpy(&frame, area_ + offset, sizeof frame); // nobody else runs: it cannot change meanwhile
    reporting_ = false;
    x86_64::load_registers(frame, registers_);
    registers_.orig_rax = platform::kNoSyscall;
    registers_.fs_base = entry.fs_base;
    registers_.gs_base = entry.gs_base;
    if (single_stepped_) registers_.eflags &= ~kTrapFlag;
    registers_loaded_ = true;
    fp_in_frame_ = true;
    frame_fp_offset_ = frame.context.fp_state - area_address();
    mask_changed_ = true;
    trap_ = x86_64::trap_of_frame(static_cast<int>(entry.rdi), frame);
    state_ = State::stopped;
}

// --- Operations.

void TracedThread::start_operation(stub::Op const& op)
{
    Registers r;
    mode_ = Mode::operating;
    state_ = State::running;
    if (!get(tid_, r)) return; // killed: its end is about to be reported
    // In the signal entry all signals are blocked: the breakpoint's would be the end of the stub.
    if (mask_changed_) (void)ptrace::set_signal_mask(tid_, guest_mask());
    r.rip = stub::kImage + STUB_OP_CALL;
    r.rbx = stub::kBreakpoint; // where the image goes on after the call
    r.rax = op.number;
    r.rdi = op.args[0], r.rsi = op.args[1], r.rdx = op.args[2];
    r.r10 = op.args[3], r.r8 = op.args[4], r.r9 = op.args[5];
    r.orig_rax = platform::kNoSyscall; // or the host would restart what it takes for an interrupted call
    r.eflags &= ~kTrapFlag;
    set(tid_, r);
    (void)ptrace::resume(tid_);
}

stub::Op TracedThread::signal_stack_operation()
{
    stack_t stack {};
    stack.ss_sp = reinterpret_cast<void*>(area_address());
    stack.ss_size = kStackTop;
    std::memcpy(area_, &stack, sizeof stack);
    return { SYS_sigaltstack, { area_address() } };
}

// --- The guest's state.

void TracedThread::reset()
{
    std::memset(area_ + stub::kAreaSize / 2, 0, stub::kAreaSize / 2); // frames of an earlier guest
    Registers now {};
    get(tid_, now);
    registers_ = {};
    registers_.cs = platform::kUserCodeSegment;
    registers_.ss = platform::kUserDataSegment;
    registers_.eflags = kInitialFlags;
    registers_.orig_rax = platform::kNoSyscall;
    registers_loaded_ = true;
    reporting_ = false;
    in_syscall_ = false;
    single_stepped_ = false;
    mask_changed_ = true;
    trap_.reset();
    reset_fp_image();
}

void TracedThread::set_result(u64 value)
{
    result_ = value;
    if (registers_loaded_)
        registers_.rax = value;
    else if (!in_syscall_ && registers())
        registers_.rax = value;
}

Registers* TracedThread::registers()
{
    if (registers_loaded_) return &registers_;
    if (!get(tid_, registers_)) return nullptr;
    if (single_stepped_) registers_.eflags &= ~kTrapFlag;
    if (in_syscall_)
        registers_.rax = result_; // the host has -ENOSYS there
    else
        registers_.orig_rax = platform::kNoSyscall;
    registers_loaded_ = true;
    return &registers_;
}

std::span<u8> TracedThread::fp_image()
{
    auto const& environment = process_.environment();
    u32 const size = environment.fp_image_size;
    if (!fp_image_) fp_image_ = std::make_unique<u8[]>(size);
    std::span<u8> const image(fp_image_.get(), size);
    if (fp_loaded_) return image;
    if (fp_in_frame_) {
        bool const valid
            = frame_fp_offset_ <= kStackTop - size && frame_fp_offset_ % x86_64::kFpAlignment == 0;
        if (valid) std::memcpy(image.data(), area_ + frame_fp_offset_, size);
        if (!valid) x86_64::initial_fp_image(image, environment.xsave_features);
    } else {
        u8 host[kLargestHostImage];
        auto const filled = ptrace::get_xstate(tid_, host);
        if (filled.is_error()) return {};
        std::memcpy(image.data(), host, std::min<u64>(size, filled.value()));
    }
    x86_64::sanitize_fp_image(image, environment.xsave_features);
    fp_loaded_ = true;
    return image;
}

void TracedThread::reset_fp_image()
{
    auto const& environment = process_.environment();
    if (!fp_image_) fp_image_ = std::make_unique<u8[]>(environment.fp_image_size);
    x86_64::initial_fp_image({ fp_image_.get(), environment.fp_image_size }, environment.xsave_features);
    fp_loaded_ = true;
}

void TracedThread::store_registers(bool single_step)
{
    Registers r = registers_;
    r.cs = platform::kUserCodeSegment;
    r.ss = platform::kUserDataSegment;
    r.orig_rax = platform::kNoSyscall;
    if (single_step) r.eflags |= kTrapFlag;
    set(tid_, r);
}

void TracedThread::store_fp()
{
    if (!fp_loaded_ && !fp_in_frame_) return;
    auto const image = fp_image();
    // The host wants all of its own image, with what it gives on request only (AMX) behind ours.
    u8 host[kLargestHostImage];
    auto const filled = ptrace::get_xstate(tid_, host);
    if (image.empty() || filled.is_error()) return;
    u64 const ours = image.size() - sizeof x86_64::kFpMagic2;
    std::memset(host, 0, filled.value());
    std::memcpy(host, image.data(), std::min(ours, filled.value()));
    (void)ptrace::set_xstate(tid_, { host, filled.value() });
    fp_loaded_ = fp_in_frame_ = false;
}

void TracedThread::resume(bool single_step)
{
    if (single_step != single_stepped_ || single_step) registers();
    if (registers_loaded_)
        store_registers(single_step);
    else if (in_syscall_)
        (void)ptrace::set_register(tid_, offsetof(user_regs_struct, rax), result_);
    store_fp();
    if (mask_changed_) (void)ptrace::set_signal_mask(tid_, guest_mask());
    single_stepped_ = single_step;
    mask_changed_ = registers_loaded_ = in_syscall_ = false;
    trap_.reset();
    mode_ = Mode::guest;
    state_ = State::running;
    (void)ptrace::resume_emulating(tid_);
}

void TracedThread::follow(UmPort const& port)
{
    if (port.cpu == cpu_ || port.cpu < 0) return;
    // Best effort: elsewhere it is only slower.
    (void)hostabi::process::pin_to_cpu(tid_, static_cast<unsigned>(port.cpu));
    cpu_ = port.cpu;
}

void TracedThread::kick()
{
    if (kick_outstanding_) return;
    kick_outstanding_ = hostabi::process::send_signal_to_thread(process_.pid(), tid_, stub::kKickSignal).ok();
}

} // namespace umbra::um
