// SPDX-License-Identifier: GPL-2.0-or-later
// The loop that every task runs: enter the guest, take the trap, act on it, deliver signals, go back.
#include <algorithm>

#include "core/abi/prctl.h"
#include "core/abi/seccomp.h"
#include "core/abi/signal.h"
#include "core/cgroup/cpu.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/printk/printk.h"
#include "core/seccomp/filter.h"
#include "core/syscall/syscall.h"
#include "core/task/cpu-timer.h"
#include "core/task/lifecycle.h"
#include "core/task/oom.h"
#include "core/task/ptrace.h"
#include "core/task/rseq.h"
#include "core/task/scheduler.h"
#include "core/task/watchpoints.h"
#include "core/trace/trace.h"

namespace umbra {

using namespace abi;
using platform::Trap;
using platform::TrapKind;

namespace {

bool is_restart(Errno e) { return e >= err::restart_sys && e <= err::restart_block; }

} // namespace

void force_fault_signal(Task& task, int signal, i32 code, GuestAddr address)
{
    SigInfo info;
    info.signo = signal;
    info.code = code;
    info.fault.address = address.value;
    force_signal(task, info);
}

void force_signal(Task& task, SigInfo const& info)
{
    // It cannot be blocked or ignored: Linux resets the disposition and kills (force_sig_info).
    u64 const bit = sigbit(info.signo);
    auto& action = task.process().handlers->actions[size_t(info.signo - 1)];
    if ((task.blocked & bit) || action.handler == sig_ign) {
        action.handler = sig_dfl;
        task.blocked &= ~bit;
    }
    SigInfo forced = info;
    forced.origin = SigInfo::kForced;
    task.pending.add(forced);
}

namespace {

void handle_fault(Task& task, Trap const& trap)
{
    task.kernel().trace().fault(task, trap.address, trap.access);
    ++task.usage.minor_faults;
    auto result = task.mm().fault(trap.address, trap.access);
    if (result.watched) [[unlikely]] {
        // A page that another thread watches is stepped over, too.
        if (!task.watchpoints) task.watchpoints = make_ref<Watchpoints>(task.mm());
        task.last_fault = trap;
        task.watchpoints->faulted(task, trap);
        return;
    }
    if (result.out_of_memory) {
        if (!relieve_memory(task)) exit_group(task.process(), sigkill);
        return; // the access is tried again
    }
    task.last_fault = trap;
    if (result.signal) force_fault_signal(task, result.signal, result.code, trap.address);
}

void handle_exception(Task& task, Trap const& trap)
{
    if (task.watchpoints && task.watchpoints->is_stepping()) [[unlikely]] {
        bool const hit = task.watchpoints->stepped(task);
        bool const for_tracer = task.tracee && task.tracee->single_step;
        if (trap.vector == 1 && (hit || !for_tracer)) {
            task.last_fault = trap;
            return;
        }
    }
    task.last_fault = trap;
    int signal = sigsegv;
    switch (trap.vector) {
    case 0:
        signal = sigfpe;
        break;
    case 1:
    case 3:
        signal = sigtrap;
        break;
    case 6:
        signal = sigill;
        break;
    case 16:
    case 19:
        signal = sigfpe;
        break;
    case 17:
        signal = sigbus;
        break;
    default:
        break; // #GP, #SS, #NP: SIGSEGV
    }
    // Linux gives no address for those.
    force_fault_signal(task, signal, trap.host_code, signal == sigsegv ? GuestAddr(0) : trap.address);
}

/// Makes the call if the thread's filters let it. If not, rax says what they decided.
SyscallResult make_filtered_call(Task& task, i64 number, u64 const args[6])
{
    bool const allowed = TRY(seccomp::allow_call(task, task.trap.compat ? task.trap.number : number));
    if (allowed) return dispatch_syscall(task, number, args);
    task.result_in_registers = true;
    return 0;
}

/// Runs the call, again where a restart is due and no handler ran, and leaves its result in the guest's rax.
template <auto MakeCall> void run_call(Task& task, Trap const& trap)
{
    task.trap = trap;
    task.in_syscall = true;
    i64 number = trap.compat ? -1 : trap.number;
    for (;;) {
        task.result_in_registers = false;
        SyscallResult result = MakeCall(task, number, trap.args);
        if (task.result_in_registers) break;
        if (result.is_error() && is_restart(result.error())) {
            // The thread needs an answer before its registers can be had; a restart rewrites it.
            task.guest().set_syscall_result(u64(-i64(Errno::intr)));
            if (deliver_signals(task, result.error()) == AfterSignals::enter_user || task.is_dying()) break;
            if (result.error() == err::restart_block && task.restart_block) number = 219; // restart_syscall
            continue;
        }
        task.guest().set_syscall_result(result.ok() ? u64(result.value()) : u64(-i64(result.error())));
        break;
    }
    task.in_syscall = false;
    if (task.membership.exhausted) [[unlikely]]
        settle_with_own_group(task);
}

/// PR_SET_SYSCALL_USER_DISPATCH: true if the program itself is to deal with the call, or is to die.
bool is_dispatched_to_user(Task& task, Trap const& trap)
{
    SyscallDispatch const& dispatch = task.dispatch;
    if (!(task.syscall_work & work_dispatch) || trap.instruction - dispatch.start < dispatch.length)
        return false;
    SigInfo info;
    info.signo = sigsys;
    if (!dispatch.selector.is_null()) {
        auto selected = UserIn<u8> { dispatch.selector }.copy_in(task);
        if (selected.ok() && selected.value() == dispatch_allow) return false;
        if (selected.is_error() || selected.value() != dispatch_block) {
            exit_group(task.process(), u32(selected.is_error() ? sigsegv : sigsys));
            return true;
        }
    }
    info.code = si_user_dispatch;
    info.sys = { trap.instruction, i32(trap.number), trap.compat ? audit_arch_i386 : audit_arch_x86_64 };
    force_signal(task, info);
    task.guest().set_syscall_result(u64(trap.number));
    return true;
}

void handle_syscall(Task& task, Trap const& trap)
{
    // Only a breakpoint on the page of the instruction itself leads here.
    if (task.watchpoints && task.watchpoints->is_stepping()) [[unlikely]]
        task.watchpoints->stepped(task);
    if (!task.syscall_work) [[likely]] {
        run_call<dispatch_syscall>(task, trap);
        if (task.kernel().patched_calls() && !task.tracee && !task.is_dying())
            task.mm().note_call(trap.instruction);
    } else if (is_dispatched_to_user(task, trap))
        return;
    else if (task.tracee)
        tracing::run_syscall(task, trap);
    else if (task.syscall_work & work_seccomp)
        run_call<make_filtered_call>(task, trap);
    else
        run_call<dispatch_syscall>(task, trap);
}

void prepare_to_return(Task& task)
{
    for (;;) {
        if (task.is_dying()) exit_current_task();
        if (task.has_pending_signal() || task.restore_mask) {
            deliver_signals(task, Errno {});
            if (task.is_dying()) continue;
        }
        if (task.rseq_pending) [[unlikely]] {
            rseq::prepare_to_return(task);
            continue;
        }
        Nanoseconds next_check = kNever;
        if (task.membership.work & cgroup::work_bandwidth) [[unlikely]] {
            auto const next = cgroup::use_bandwidth(task);
            if (!next) continue;
            next_check = *next;
            task.vcpu->set_cpu_deadline(next_check);
        }
        if (has_cpu_timers(task.process())) {
            check_cpu_timers(task);
            task.vcpu->set_cpu_deadline(std::min(next_check, next_cpu_check(task.process())));
            if (task.has_pending_signal()) continue;
        }
        if (!task.vcpu->attention()) return;
        task.vcpu->reschedule_if_needed();
        if (task.kernel().is_shutting_down()) task.kernel().scheduler().exit_current();
    }
}

} // namespace

void task_main(Task& task)
{
    task.last_switch_cycles = Timekeeper::cycles();
    for (;;) {
        prepare_to_return(task);
        task.vcpu->enter_user(task);
        Trap trap = task.guest().enter(*task.vcpu);
        task.vcpu->leave_user(task);
        announce_stop(task.process());
        switch (trap.kind) {
        case TrapKind::syscall:
            handle_syscall(task, trap);
            break;
        case TrapKind::fault:
            handle_fault(task, trap);
            break;
        case TrapKind::exception:
            handle_exception(task, trap);
            break;
        case TrapKind::interrupted:
            break;
        case TrapKind::died:
            exit_group(task.process(), sigkill);
            break;
        }
    }
}

} // namespace umbra
