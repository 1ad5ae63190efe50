// SPDX-License-Identifier: GPL-2.0-or-later
// The stops of a traced thread (ptrace(2), "Stopped states"), entered by the thread itself on its way through the
// kernel, and what it does once its tracer lets it go on.
#include "core/cgroup/cgroup.h"
#include "core/kernel.h"
#include "core/seccomp/filter.h"
#include "core/syscall/syscall.h"
#include "core/task/pid-namespace.h"
#include "core/task/ptrace.h"
#include "core/task/scheduler.h"
#include "core/task/watchpoints.h"

namespace umbra {

using namespace abi;
using platform::Registers;
using platform::Trap;

bool Task::must_stop() const
{
    return tracee ? tracee->trap_pending : process_->state == ProcessState::stopped;
}

namespace tracing {
namespace {

/// Set in the signal of a system-call stop by PTRACE_O_TRACESYSGOOD.
constexpr u32 kSysgoodBit = 0x80;
constexpr i64 kRestartSyscall = 219;

Registers* registers_of(Task& task) { return task.guest().registers(*task.vcpu); }

void tell_tracer(Tracee& tracee)
{
    Process& process = tracee.tracer->process();
    process.child_events.wake_all();
    auto const& action = process.handlers->actions[sigchld - 1];
    if (action.handler == sig_ign || (action.flags & sa_nocldstop)) return;
    SigInfo info;
    info.signo = sigchld;
    info.code = tracee.stop == Tracee::Stop::group ? cld_stopped : cld_trapped;
    info.child.pid = tracee.tid.value, info.child.uid = tracee.uid;
    info.child.status = i32(tracee.stop_code & 0x7f);
    (void)send_signal(process, info).ok(); // a standard signal: it cannot be refused
}

/// What PTRACE_GETSIGINFO shows where no signal is delivered.
SigInfo stop_info(Task const& task, int signal, u32 code)
{
    SigInfo info;
    info.signo = signal;
    info.code = i32(code);
    info.kill = { pid_out(task, task.tid()),
        task.credentials().user_namespace->uid_out(task.credentials().uid), 0 };
    return info;
}

struct StopRequest {
    Tracee::Stop kind;
    u32 code;
    std::optional<SigInfo> info;
    u64 message = 0;
    /// The stop of PTRACE_O_TRACEEXIT holds a thread that is dying already.
    Interruption mode = Interruption::killable;
};

/// Stops until the tracer lets the thread go on, or it dies. The bond may be gone afterwards; what the tracer wanted is in
/// the one returned, null if there was no stop.
RefPtr<Tracee> stop(Task& task, StopRequest request)
{
    Ref<Tracee> bond(*task.tracee);
    if (request.mode == Interruption::killable && task.is_dying()) return nullptr;
    // Its tracer reads and writes them while the thread sleeps.
    if (!registers_of(task)) {
        exit_group(task.process(), sigkill);
        return nullptr;
    }
    if (!bond->tracer) return nullptr; // detached while we waited
    bond->stop_code = request.code;
    bond->info = request.info;
    bond->message = request.message;
    bond->resume_signal = 0;
    bond->uid = task.credentials().uid;
    bond->stop = request.kind;
    bond->reported = false;
    tell_tracer(*bond);
    cgroup::StandingStill const still(task);
    auto waited = bond->resumed.wait_until([&] { return !bond->is_stopped(); }, kNever, request.mode);
    if (waited.is_error()) {
        bond->stop = Tracee::Stop::none;
        bond->listening = false;
        bond->reported = true;
        return nullptr;
    }
    choose_stepping(task);
    return bond;
}

/// The restart code that an interrupted call has left in the registers: as in Linux, the tracer may put one there, or
/// call the restart off by orig_rax = -1.
Errno restart_code_in(Registers const& regs)
{
    if (i64(regs.orig_rax) == -1) return {};
    for (Errno code : { err::restart_sys, err::restart_nointr, err::restart_nohand, err::restart_block })
        if (i64(regs.rax) == -i64(code)) return code;
    return {};
}

/// Shows the interrupted call's restart code in rax, where Linux has it while a thread is stopped.
void expose_restart(Task& task, Errno restart_code)
{
    if (restart_code != Errno {}) task.guest().set_syscall_result(u64(-i64(restart_code)));
}

void take_restart(Task& task, Errno& restart_code)
{
    auto* regs = registers_of(task);
    restart_code = regs ? restart_code_in(*regs) : Errno {};
    if (restart_code != Errno {}) task.trap.number = i64(regs->orig_rax);
}

void syscall_stop(Task& task, Tracee::Stop kind)
{
    u32 code = sigtrap | (task.tracee->options & ptrace_o_tracesysgood ? kSysgoodBit : 0);
    u64 message = kind == Tracee::Stop::syscall_entry ? ptrace_message_entry : ptrace_message_exit;
    auto bond = stop(task, { kind, code, stop_info(task, sigtrap, code), message });
    if (bond && bond->resume_signal)
        (void)send_signal(task, kernel_signal(bond->resume_signal)).ok(); // only rt queues can refuse
}

bool stops_at_syscalls(Task const& task)
{
    return task.tracee && task.tracee->run == Tracee::Run::to_syscall;
}

/// The call as the tracer has left it in the registers. False if the thread is dying.
bool reload_call(Task& task)
{
    if (task.is_dying()) return false;
    auto* regs = registers_of(task);
    if (!regs) return false;
    task.trap.number = i32(regs->orig_rax);
    u64 const args[] = { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9 };
    std::copy(std::begin(args), std::end(args), task.trap.args);
    return true;
}

/// The entry's stop. True if the call is to be made, as the tracer has left it in task.trap.
bool enter_syscall(Task& task)
{
    auto run = task.tracee->run;
    if (run == Tracee::Run::freely) return true;
    syscall_stop(task, Tracee::Stop::syscall_entry);
    return reload_call(task) && run != Tracee::Run::emulated;
}

/// Makes the call and leaves its result, or its restart code, in rax.
void make_call(Task& task)
{
    task.result_in_registers = false;
    if (task.syscall_work & work_seccomp) {
        auto allowed = seccomp::allow_call(task, task.trap.number);
        if (allowed.is_error()) task.guest().set_syscall_result(u64(-i64(allowed.error())));
        if (allowed.is_error() || !allowed.value() || task.is_dying()) return;
    }
    SyscallResult result = dispatch_syscall(task, task.trap.compat ? -1 : task.trap.number, task.trap.args);
    if (task.result_in_registers) return;
    task.guest().set_syscall_result(result.ok() ? u64(result.value()) : u64(-i64(result.error())));
}

} // namespace

void run_syscall(Task& task, Trap const& trap)
{
    task.trap = trap;
    task.in_syscall = true;
    // What Linux shows until there is a result.
    task.guest().set_syscall_result(u64(-i64(Errno::nosys)));
    bool const skip_step = task.tracee->run == Tracee::Run::emulated;
    // Number -1 skips the call: rax is what the tracer left.
    if (enter_syscall(task) && (task.trap.number != -1 || task.trap.compat)) make_call(task);
    if (stops_at_syscalls(task)) syscall_stop(task, Tracee::Stop::syscall_exit);
    // Linux: a step over a call ends behind it, with the code of a breakpoint.
    if (task.tracee && task.tracee->single_step && !skip_step)
        if (auto* regs = registers_of(task))
            force_fault_signal(task, sigtrap, trap_brkpt, GuestAddr(regs->rip));
    auto* regs = task.is_dying() ? nullptr : registers_of(task);
    Errno restart_code = regs ? restart_code_in(*regs) : Errno {};
    if (restart_code != Errno {} && deliver_signals(task, restart_code) == AfterSignals::rerun_call)
        restart_from_registers(task);
    task.in_syscall = false;
}

void restart_from_registers(Task& task)
{
    auto* regs = registers_of(task);
    if (!regs) return;
    Errno code = restart_code_in(*regs);
    if (code == Errno {}) return;
    regs->rax = code == err::restart_block ? u64(kRestartSyscall) : regs->orig_rax;
    regs->rip -= platform::kSyscallInstructionLength;
}

bool signal_stop(Task& task, SigInfo& info, Errno& restart_code)
{
    Process& tracer = task.tracee->tracer->process();
    i32 const tracer_pid = pid_out(task, tracer.id);
    Task const* leader = tracer.leader();
    u32 const tracer_uid = leader ? leader->credentials().uid : tracer.last_uid;
    expose_restart(task, restart_code);
    auto bond = stop(task, { Tracee::Stop::signal, u32(info.signo), info });
    take_restart(task, restart_code);
    if (!bond || bond->resume_signal == 0) return false;
    if (bond->info) info = *bond->info;
    if (bond->resume_signal != info.signo) {
        info = SigInfo();
        info.signo = bond->resume_signal;
        info.kill = { tracer_pid, tracer_uid, 0 };
    }
    if (!is_signal_blocked(task, info.signo)) return true;
    (void)send_signal(task, info)
        .ok(); // it waits until it is not blocked any more; only rt queues can refuse
    return false;
}

void trap_stop(Task& task, Errno& restart_code)
{
    Tracee& bond = *task.tracee;
    Process const& process = task.process();
    bool const stopped = process.state == ProcessState::stopped;
    bond.trap_pending = false;
    if (!bond.seized && !stopped) return; // continued before it came here
    expose_restart(task, restart_code);
    u32 const signal = stopped ? process.stop_signal : u32(sigtrap);
    u32 const event = signal | ptrace_event_stop << 8;
    if (bond.seized)
        stop(task, { Tracee::Stop::group, event, stop_info(task, int(signal), event) });
    else
        stop(task, { Tracee::Stop::group, signal, {} });
    take_restart(task, restart_code);
}

void handler_step_stop(Task& task)
{
    if (!task.tracee || !task.tracee->single_step) return;
    stop(task, { Tracee::Stop::event, u32(sigtrap), stop_info(task, sigtrap, sigtrap) });
}

void event_stop(Task& task, u32 event, u64 message)
{
    if (!task.tracee || !(task.tracee->options & ptrace_option_of(event))) return;
    u32 code = sigtrap | event << 8;
    auto mode = event == ptrace_event_exit ? Interruption::refused : Interruption::killable;
    stop(task, { Tracee::Stop::event, code, stop_info(task, sigtrap, code), message, mode });
}

bool seccomp_stop(Task& task, u32 message)
{
    event_stop(task, ptrace_event_seccomp, message);
    return reload_call(task) && task.trap.number >= 0;
}

void report_exec(Task& task, Pid former_tid)
{
    if (!task.tracee) return;
    if (auto* regs = registers_of(task)) regs->orig_rax = u64(task.trap.number);
    choose_stepping(task);
    if (task.tracee->options & ptrace_option_of(ptrace_event_exec))
        event_stop(task, ptrace_event_exec, u64(pid_out(*task.tracee->tracer, former_tid)));
    else if (!task.tracee->seized)
        (void)send_signal(task, user_signal(sigtrap, task)).ok(); // a standard signal: it cannot be refused
}

void note_group_stop(Process& process)
{
    for (Task* t : process.threads)
        if (t->tracee) t->tracee->trap_pending = true;
}

void note_continue(Process& process)
{
    for (Task* t : process.threads) {
        if (!t->tracee) continue;
        // A seized thread's tracer is told that the group stop is over.
        t->tracee->trap_pending = t->tracee->seized;
        if (t->tracee->listening)
            resume(*t->tracee, t->tracee->run, t->tracee->single_step, 0);
        else if (t->tracee->seized && !t->tracee->is_stopped())
            notice_pending(*t);
    }
}

void end_exit_stops(Process& process)
{
    for (Task* t : process.threads)
        if (t->tracee && t->tracee->is_stopped() && t->tracee->stop_code >> 8 == ptrace_event_exit)
            resume(*t->tracee, Tracee::Run::freely, false, 0);
}

} // namespace tracing
} // namespace umbra
