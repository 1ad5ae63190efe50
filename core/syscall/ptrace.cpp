// SPDX-License-Identifier: GPL-2.0-or-later
// ptrace(2): its requests, in Linux's order of checks.
#include <algorithm>

#include "core/kernel.h"
#include "core/syscall/ptrace-state.h"
#include "core/syscall/syscall.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"
#include "core/task/ptrace.h"
#include "core/task/scheduler.h"

namespace umbra {

using namespace abi;
using Request = PtraceRequest;

namespace ptrace_state {

SyscallResult get_signal_info(Task& task, Tracee& tracee, GuestAddr out)
{
    if (!tracee.info) return err::inval;
    SigInfo info = *tracee.info;
    info.origin = 0; // guests' padding
    TRY(UserOut<SigInfo> { out }.copy_out(task, info));
    return 0;
}

SyscallResult set_signal_info(Task& task, Tracee& tracee, GuestAddr in)
{
    auto info = TRY(UserIn<SigInfo> { in }.copy_in(task));
    if (!tracee.info) return err::inval;
    info.origin = 0; // guests' padding
    tracee.info = info;
    return 0;
}

SyscallResult peek_signal_infos(Task& task, Tracee& tracee, GuestAddr request, GuestAddr out)
{
    auto wanted = TRY(UserIn<PtracePeekSiginfo> { request }.copy_in(task));
    if ((wanted.flags & ~ptrace_peeksiginfo_shared) || wanted.count < 0) return err::inval;
    if (!tracee.task) return err::srch; // killed while we waited
    bool const shared = wanted.flags & ptrace_peeksiginfo_shared;
    auto const infos = (shared ? tracee.process->shared_pending : tracee.task->pending).all();
    i64 copied = 0;
    for (u64 i = wanted.offset; i < infos.size() && copied < wanted.count; ++i, ++copied) {
        SigInfo info = infos[i];
        info.origin = 0; // guests' padding
        auto written = UserOut<SigInfo> { out }.copy_out(task, info, u64(copied));
        if (written.is_error()) return copied ? SyscallResult(copied) : SyscallResult(written.error());
    }
    return copied;
}

SyscallResult get_signal_mask(Task& task, Tracee& tracee, u64 size, GuestAddr out)
{
    if (size != sizeof(u64)) return err::inval;
    Task const& t = *tracee.task;
    TRY(UserOut<u64> { out }.copy_out(task, t.restore_mask ? t.saved_mask : t.blocked));
    return 0;
}

SyscallResult set_signal_mask(Task& task, Tracee& tracee, u64 size, GuestAddr in)
{
    if (size != sizeof(u64)) return err::inval;
    u64 mask = TRY(UserIn<u64> { in }.copy_in(task));
    if (!tracee.task) return err::srch; // killed while we waited
    tracee.task->blocked = mask & ~(sigbit(sigkill) | sigbit(sigstop));
    tracee.task->restore_mask = false;
    return 0;
}

SyscallResult get_syscall_info(Task& task, Tracee& tracee, u64 size, GuestAddr out)
{
    constexpr i64 kMaxErrno = 4095;
    auto const* regs = tracee.task->guest().registers(*task.vcpu); // loaded before the stop: does not wait
    if (!regs) return err::srch;
    PtraceSyscallInfo info {};
    info.arch = audit_arch_x86_64;
    info.instruction = regs->rip, info.stack = regs->rsp;
    u64 actual = offsetof(PtraceSyscallInfo, entry);
    // As in Linux, only PTRACE_O_TRACESYSGOOD makes these stops known as what they are.
    bool const syscall_stop = tracee.stop_code == (sigtrap | 0x80u);
    if (tracee.stop_code == (sigtrap | ptrace_event_seccomp << 8)) {
        info.op = ptrace_syscall_info_seccomp;
        info.seccomp = { regs->orig_rax, { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9 },
            u32(tracee.message) };
        actual = offsetof(PtraceSyscallInfo, seccomp.data) + sizeof info.seccomp.data;
    } else if (syscall_stop && tracee.stop == Tracee::Stop::syscall_entry) {
        info.op = ptrace_syscall_info_entry;
        info.entry = { regs->orig_rax, { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9 } };
        actual = offsetof(PtraceSyscallInfo, entry) + sizeof info.entry;
    } else if (syscall_stop) {
        info.op = ptrace_syscall_info_exit;
        auto const value = i64(regs->rax);
        info.exit = { value, value < 0 && value >= -kMaxErrno };
        actual = offsetof(PtraceSyscallInfo, exit.is_error) + sizeof info.exit.is_error;
    }
    TRY(copy_to_user(task, out, &info, std::min(actual, size)));
    return i64(actual);
}

} // namespace ptrace_state

namespace {

/// Also reserves that the tracer may suspend seccomp filters: CRIU's, with CAP_SYS_ADMIN. EINVAL, EPERM.
Result<void> check_options(Task const& task, u64 options)
{
    if (options & ~u64 { ptrace_o_mask }) return err::inval;
    if (!(options & ptrace_o_suspend_seccomp)) return {};
    // Who is filtered must not let another go without.
    bool const filtered = task.seccomp_mode || tracing::suspends_seccomp(task);
    if (!task.credentials().has(Capability::sys_admin) || filtered) return err::perm;
    return {};
}

SyscallResult attach(Task& task, Pid pid, Request request, u64 address, u64 data)
{
    Task* target = task.kernel().processes().find_task(pid_in(task, pid.value));
    if (!target) return err::srch;
    bool const seize = request == Request::seize;
    if (seize) {
        if (address || (data & ~u64 { ptrace_o_mask })) return err::io;
        TRY(check_options(task, data));
    }
    TRY(tracing::attach(
        task, *target, seize ? tracing::Attach::seize : tracing::Attach::stop, seize ? u32(data) : 0));
    return 0;
}

/// PTRACE_KILL and PTRACE_INTERRUPT work on threads that run.
SyscallResult work_on_running(Task& task, Pid pid, Request request)
{
    for (auto const& tracee : task.tracees) {
        if (tracee->tid != pid || !tracee->task) continue;
        Ref<Tracee> keep(*tracee);
        if (request == Request::kill)
            TRY(send_signal(*keep->task, user_signal(sigkill, task)));
        else
            TRY(tracing::interrupt(*keep));
        return 0;
    }
    return err::srch;
}

SyscallResult resume(Tracee& tracee, Request request, u64 signal)
{
    if (signal > u64(signal_count)) return err::io;
    auto run = Tracee::Run::freely;
    if (request == Request::syscall) run = Tracee::Run::to_syscall;
    if (request == Request::sysemu || request == Request::sysemu_singlestep) run = Tracee::Run::emulated;
    bool const step = request == Request::singlestep || request == Request::sysemu_singlestep;
    tracing::resume(tracee, run, step, int(signal));
    return 0;
}

/// The requests that look at or change what the thread has; EIO for others.
SyscallResult move_state(Task& task, Tracee& tracee, Request request, u64 address, u64 data)
{
    using namespace ptrace_state;
    GuestAddr const pointer(data);
    switch (request) {
    case Request::peektext:
    case Request::peekdata:
        return peek(task, tracee, address, pointer);
    case Request::poketext:
    case Request::pokedata:
        return ptrace_state::poke(tracee, address, data);
    case Request::peekuser:
        return peek_user(task, tracee, address, pointer);
    case Request::pokeuser:
        return poke_user(task, tracee, address, data);
    case Request::getregs:
        return get_registers(task, tracee, pointer);
    case Request::setregs:
        return set_registers(task, tracee, pointer);
    case Request::getfpregs:
        return get_fp_registers(task, tracee, pointer);
    case Request::setfpregs:
        return set_fp_registers(task, tracee, pointer);
    case Request::getregset:
        return get_register_set(task, tracee, u32(address), pointer);
    case Request::setregset:
        return set_register_set(task, tracee, u32(address), pointer);
    case Request::arch_prctl:
        return ptrace_state::arch_prctl(task, tracee, i32(data), address);
    case Request::getsiginfo:
        return get_signal_info(task, tracee, pointer);
    case Request::setsiginfo:
        return set_signal_info(task, tracee, pointer);
    case Request::peeksiginfo:
        return peek_signal_infos(task, tracee, GuestAddr(address), pointer);
    case Request::getsigmask:
        return get_signal_mask(task, tracee, address, pointer);
    case Request::setsigmask:
        return set_signal_mask(task, tracee, address, pointer);
    case Request::seccomp_get_filter:
        return get_seccomp_filter(task, tracee, address, pointer);
    case Request::seccomp_get_metadata:
        return get_seccomp_metadata(task, tracee, address, pointer);
    case Request::get_rseq_configuration:
        return get_rseq(task, tracee, address, pointer);
    case Request::get_syscall_user_dispatch_config:
        return get_dispatch(task, tracee, address, pointer);
    case Request::set_syscall_user_dispatch_config:
        return ptrace_state::set_dispatch(task, tracee, address, pointer);
    case Request::get_syscall_info:
        return get_syscall_info(task, tracee, address, pointer);
    default:
        return err::io;
    }
}

SyscallResult work_on_stopped(Task& task, Tracee& tracee, Request request, u64 address, u64 data)
{
    switch (request) {
    case Request::setoptions:
        TRY(check_options(task, data));
        tracee.options = u32(data);
        return 0;
    case Request::geteventmsg:
        TRY(UserOut<u64> { GuestAddr(data) }.copy_out(task, tracee.message));
        return 0;
    case Request::listen:
        TRY(tracing::listen(tracee));
        return 0;
    case Request::detach:
        if (data > u64(signal_count)) return err::io;
        tracing::detach(tracee, int(data));
        return 0;
    case Request::cont:
    case Request::syscall:
    case Request::singlestep:
    case Request::sysemu:
    case Request::sysemu_singlestep:
        return resume(tracee, request, data);
    default:
        return move_state(task, tracee, request, address, data);
    }
}

} // namespace

SyscallResult sys_ptrace(Task& task, i64 request_number, i64 pid, u64 address, u64 data)
{
    auto const request = Request(request_number);
    if (request == Request::traceme) {
        TRY(tracing::trace_me(task));
        return 0;
    }
    Pid const target { i32(pid) };
    if (request == Request::attach || request == Request::seize)
        return attach(task, target, request, address, data);
    if (request == Request::kill || request == Request::interrupt)
        return work_on_running(task, target, request);
    Ref<Tracee> tracee = TRY(tracing::find_stopped(task, target));
    return work_on_stopped(task, *tracee, request, address, data);
}

} // namespace umbra
