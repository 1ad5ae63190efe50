// SPDX-License-Identifier: GPL-2.0-or-later
// Sending and delivering signals, as signal(7) has it.
#include <algorithm>
#include <utility>

#include "core/abi/file.h"
#include "core/cgroup/cgroup.h"
#include "core/kernel.h"
#include "core/task/core-dump.h"
#include "core/task/lifecycle.h"
#include "core/task/pid-namespace.h"
#include "core/task/posix-timers.h"
#include "core/task/process-table.h"
#include "core/task/ptrace.h"
#include "core/task/rseq.h"
#include "core/task/scheduler.h"
#include "core/task/watchpoints.h"
#include "core/trace/trace.h"

namespace umbra {

using namespace abi;

namespace {

constexpr u64 kIgnoredByDefault = sigbit(sigchld) | sigbit(sigcont) | sigbit(sigurg) | sigbit(sigwinch);
constexpr u64 kCoreByDefault = sigbit(sigquit) | sigbit(sigill) | sigbit(sigtrap) | sigbit(sigabrt)
    | sigbit(sigbus) | sigbit(sigfpe) | sigbit(sigsegv) | sigbit(sigxcpu) | sigbit(sigxfsz) | sigbit(sigsys);
constexpr u64 kUnblockable = sigbit(sigkill) | sigbit(sigstop);

bool ignored(Process const& process, int signal)
{
    auto const& action = process.handlers->actions[size_t(signal - 1)];
    if (signal == sigkill || signal == sigstop) return false;
    return action.handler == sig_ign || (action.handler == sig_dfl && (kIgnoredByDefault & sigbit(signal)));
}

/// Makes the task notice that something is pending.
void poke(Task& task, bool fatal)
{
    if (task.state == TaskState::sleeping) {
        if (task.sleep_mode == Interruption::allowed || (fatal && task.sleep_mode == Interruption::killable))
            wake_task(task);
    } else if (task.state == TaskState::running && task.vcpu) {
        task.vcpu->request_attention();
    }
}

void poke_all(Process& process, bool fatal)
{
    for (Task* t : process.threads)
        poke(*t, fatal);
}

/// A thread that does not block the signal, preferring one that is asleep in an interruptible wait.
Task* choose_thread(Process& process, int signal)
{
    Task* any = nullptr;
    for (Task* t : process.threads) {
        if (t->tracee && t->tracee->is_stopped()) continue;
        if (t->exiting || (t->blocked & sigbit(signal) & ~kUnblockable)) continue;
        if (t->state == TaskState::sleeping) return t;
        if (!any) any = t;
    }
    return any;
}

/// What sending does before queueing: stops and continues cancel each other, SIGCONT wakes (signal(7)).
void prepare(Process& process, int signal)
{
    if (signal == sigcont || signal == sigkill) {
        if (signal == sigcont) {
            process.shared_pending.remove(kStopSignals);
            for (Task* t : process.threads)
                t->pending.remove(kStopSignals);
        }
        if (process.state == ProcessState::stopped) {
            process.state = ProcessState::running;
            process.stop_signal = 0;
            process.stop_queue.wake_all();
            if (signal == sigcont) {
                process.continue_reported = false;
                process.stop_reported = true;
                notify_parent(process, cld_continued, sigcont);
            }
        }
        if (signal == sigcont) tracing::note_continue(process);
    } else if (sigbit(signal) & kStopSignals) {
        process.shared_pending.remove(sigbit(sigcont));
        for (Task* t : process.threads)
            t->pending.remove(sigbit(sigcont));
    }
}

bool wants_immediate_death(Process& process, int signal)
{
    return signal == sigkill && !process.group_exiting;
}

/// Whether somebody may see the signal although its disposition is to ignore it: a thread that blocks it, or a tracer.
bool is_wanted(Task const& task, int signal)
{
    return ((task.blocked | task.waited_signals) & sigbit(signal)) || task.tracee;
}

} // namespace

void notice_pending(Task& task) { poke(task, false); }

SigInfo kernel_signal(int signal)
{
    SigInfo info;
    info.signo = signal;
    info.code = si_kernel;
    return info;
}

SigInfo user_signal(int signal, Task const& sender)
{
    SigInfo info;
    info.signo = signal;
    info.code = si_user;
    info.kill = { sender.pid().value, sender.credentials().uid, 0 };
    return info;
}

bool is_signal_ignored(Task const& task, int signal) { return ignored(task.process(), signal); }
bool is_signal_blocked(Task const& task, int signal) { return task.blocked & sigbit(signal); }

bool is_orphaned(ProcessGroup const& group)
{
    for (Process* member : group.members) {
        if (member->state == ProcessState::zombie || !member->parent || !member->parent->group) continue;
        if (member->parent == member->kernel.processes().init()) continue; // it takes no care of jobs
        if (member->parent->group.get() != &group && member->parent->group->session == group.session)
            return false;
    }
    return true;
}

namespace {

/// Whether a task sends it, now, and the information names it: kill(2)'s, sigqueue(3)'s, a child's. notify_parent() has
/// translated its ids where the signal is not SIGCHLD, since the information does not tell then.
bool names_sender(SigInfo const& info)
{
    if (info.signo == sigchld && info.code >= cld_exited && info.code <= cld_continued) return true;
    return info.code <= 0 && info.code != si_timer && info.code != si_sigio;
}

/// What `target` is to see: until here the ids are the kernel's.
SigInfo seen_by(Process const& target, SigInfo info)
{
    if (!names_sender(info) || !target.leader()) return info;
    if (!target.pids->is_first()) info.kill.pid = pid_out(target.kernel, *target.pids, Pid(info.kill.pid));
    auto const& users = *target.leader()->credentials().user_namespace;
    if (!users.is_first()) info.kill.uid = users.uid_out(info.kill.uid);
    return info;
}

/// A namespace's init takes no signal for which it has no handler, unless it is SIGKILL or SIGSTOP from outside
/// (pid_namespaces(7)). What the kernel sends to the very first process acts: there is a user at its terminal.
bool init_is_immune(Process const& process, SigInfo const& info)
{
    if (!is_namespace_init(process)) return false;
    if (process.handlers->actions[size_t(info.signo - 1)].handler != sig_dfl) return false;
    if (process.pids->is_first()) return info.code != si_kernel;
    if (info.signo != sigkill && info.signo != sigstop) return true;
    // A sender outside has no number in it. Timers and files that were told to send one belong to somebody inside.
    bool const from_outside = names_sender(info) && !pid_out(process.kernel, *process.pids, current().pid());
    return info.code != si_kernel && !from_outside;
}

/// Adds a signal within RLIMIT_SIGPENDING, which realtime ones fill. EAGAIN if it would be passed; but kill(2) and the
/// kernel are never refused: theirs is pending once.
Result<void> enqueue(Process const& process, SignalQueue& queue, SigInfo const& info)
{
    bool const counts
        = info.signo >= sigrtmin && info.origin != SigInfo::kTimer; // timer_create(2) has counted it
    if (counts && queue.count() >= process.limit(Resource::sigpending)) {
        if (info.code != si_user && info.code != si_kernel) return err::again;
        if (queue.set() & sigbit(info.signo)) return {};
    }
    queue.add(info);
    return {};
}

} // namespace

Result<void> send_signal(Process& process, SigInfo const& sent, Audience audience)
{
    if (process.state == ProcessState::zombie) return {};
    if (sent.signo == sigkill && process.core_dump) process.core_dump->abandon();
    SigInfo const info = seen_by(process, sent);
    if (info.signo == sigkill && init_is_immune(process, info)) return {};
    if (wants_immediate_death(process, info.signo)) {
        prepare(process, info.signo);
        exit_group(process, u32(info.signo));
        return {};
    }
    prepare(process, info.signo);
    // An ignored signal is dropped unless somebody blocks it (sigwait may want it) or is traced.
    bool wanted = std::any_of(
        process.threads.begin(), process.threads.end(), [&](Task* t) { return is_wanted(*t, info.signo); });
    if (ignored(process, info.signo) && !wanted) return {};
    if (!wanted && init_is_immune(process, info)) return {};
    TRY(enqueue(process, process.shared_pending, info));
    if (audience == Audience::several)
        for (ForkUnderWay& fork : process.forks)
            fork.note(info.signo);
    process.signal_waiters.wake_all();
    if (Task* t = choose_thread(process, info.signo)) poke(*t, false);
    return {};
}

Result<void> send_signal(Task& task, SigInfo const& sent)
{
    Process& process = task.process();
    if (task.exiting) return {};
    if (wants_immediate_death(process, sent.signo)) return send_signal(process, sent);
    SigInfo const info = seen_by(process, sent);
    prepare(process, info.signo);
    if (!is_wanted(task, info.signo) && (ignored(process, info.signo) || init_is_immune(process, info)))
        return {};
    TRY(enqueue(process, task.pending, info));
    process.signal_waiters.wake_all();
    if (!(task.blocked & sigbit(info.signo))) poke(task, false);
    return {};
}

void send_signal(ProcessGroup& group, SigInfo const& info)
{
    auto members = group.members; // a signal may end a member
    for (Process* member : members)
        (void)send_signal(*member, info, Audience::several)
            .ok(); // only realtime queues can refuse; terminal signals are standard ones
}

bool Task::take_signal(u64 wanted, SigInfo& out, bool* forced)
{
    while (pending.take(wanted, out) || process_->shared_pending.take(wanted, out)) {
        i32 const origin = std::exchange(out.origin, 0);
        if (forced) *forced = origin == SigInfo::kForced;
        if (origin != SigInfo::kTimer) return true;
        bool valid = process_->timers && process_->timers->deliver(out);
        out.timer.private_ = 0;
        if (valid) return true;
    }
    return false;
}

bool Task::has_pending_signal() const
{
    if (is_dying()) return true;
    if (must_stop()) return true;
    if (membership.work & cgroup::work_freeze) [[unlikely]]
        return !membership.is_frozen;
    return ((pending.set() | process_->shared_pending.set()) & ((~blocked & ~waited_signals) | kUnblockable))
        != 0;
}

void exit_group(Process& process, u32 wait_status)
{
    if (process.group_exiting) return;
    process.group_exiting = true;
    process.exit_code = wait_status;
    if (process.state == ProcessState::stopped) process.state = ProcessState::running;
    process.stop_queue.wake_all();
    tracing::end_exit_stops(process);
    poke_all(process, true);
}

void announce_stop(Process& process)
{
    if (process.state != ProcessState::stopped || process.stop_announced) return;
    if (std::any_of(process.threads.begin(), process.threads.end(), [](Task* t) { return t->in_user; }))
        return;
    process.stop_announced = true;
    process.stop_reported = false;
    // A parent that traces it hears of each thread's stop instead.
    if (process.parent && tracing::is_traced_by(process, *process.parent)) return;
    notify_parent(process, cld_stopped, i32(process.stop_signal));
}

namespace {

void stop_process(Task& task, int signal)
{
    Process& process = task.process();
    if (process.state != ProcessState::stopped) {
        process.state = ProcessState::stopped;
        process.stop_signal = u32(signal);
        process.stop_announced = false;
        process.continue_reported = true;
        tracing::note_group_stop(process);
        poke_all(process, false);
        announce_stop(process);
    }
}

/// Parks the task while its process is stopped.
void wait_while_stopped(Task& task)
{
    Process& process = task.process();
    cgroup::StandingStill const still(task);
    auto over = [&] { return task.tracee || process.state != ProcessState::stopped || task.is_dying(); };
    while (!over()) {
        auto r = process.stop_queue.wait_until(over, kNever, Interruption::killable);
        (void)r.ok(); // either the stop ended or the task dies: the loop looks
    }
}

/// The default action. True if the task goes on.
bool default_action(Task& task, SigInfo const& info)
{
    u64 bit = sigbit(info.signo);
    if (kIgnoredByDefault & bit) return true;
    if (kStopSignals & bit) {
        if (info.signo != sigstop && is_orphaned(*task.process().group)) return true;
        stop_process(task, info.signo);
        return true;
    }
    if (!(kCoreByDefault & bit) || !dump_core(task, info)) exit_group(task.process(), u32(info.signo));
    return false;
}

void run_handler(Task& task, SigInfo const& info, Errno restart_code)
{
    Process& process = task.process();
    auto& action = process.handlers->actions[size_t(info.signo - 1)];
    auto taken = action;
    auto* regs = task.guest().registers(*task.vcpu);
    if (!regs) return exit_group(process, sigkill);
    if (restart_code != Errno {}) {
        bool restart = restart_code == err::restart_nointr
            || (restart_code == err::restart_sys && (taken.flags & sa_restart));
        if (restart) {
            regs->rip -= platform::kSyscallInstructionLength;
            regs->rax = regs->orig_rax = u64(task.trap.number);
        } else {
            regs->rax = u64(-i64(Errno::intr));
        }
    }
    if (!task.rseq.area.is_null()) rseq::prepare_for_handler(task, *regs, info.signo);
    u64 mask = task.restore_mask ? task.saved_mask : task.blocked;
    task.restore_mask = false;
    if (taken.flags & sa_resethand) action.handler = sig_dfl;
    if (task.kernel().signal_frames().push(task, info, taken, mask).is_error()) {
        // Linux: the frame cannot be written, so the process gets an unblockable SIGSEGV.
        if (info.signo == sigsegv) process.handlers->actions[sigsegv - 1].handler = sig_dfl;
        auto fault = kernel_signal(sigsegv);
        if (info.signo == sigsegv)
            exit_group(process, sigsegv);
        else
            force_signal(task, fault);
        return;
    }
    u64 add = taken.mask;
    if (!(taken.flags & sa_nodefer)) add |= sigbit(info.signo);
    task.blocked = (task.blocked | add) & ~kUnblockable;
}

} // namespace

AfterSignals deliver_signals(Task& task, Errno restart_code)
{
    bool handled = false, traced = false;
    while (!task.is_dying()) {
        if (task.must_stop()) {
            traced = traced || task.tracee;
            task.tracee ? tracing::trap_stop(task, restart_code) : wait_while_stopped(task);
            continue;
        }
        if (task.membership.work & cgroup::work_freeze) [[unlikely]] {
            cgroup::freeze_here(task);
            continue;
        }
        SigInfo info;
        bool forced = false;
        if (!task.take_signal(~task.blocked | kUnblockable, info, &forced)) break;
        if (task.tracee && info.signo != sigkill) {
            traced = true;
            if (!tracing::signal_stop(task, info, restart_code)) continue;
        }
        auto const& action = task.process().handlers->actions[size_t(info.signo - 1)];
        if (action.handler == sig_ign) continue;
        task.kernel().trace().signal(task, info);
        if (action.handler == sig_dfl) {
            // Blocked until now, it was not dropped when it was sent.
            if (is_namespace_init(task.process()) && !task.process().pids->is_first() && !forced
                && info.signo != sigkill && info.signo != sigstop)
                continue;
            // SIGKILL to init from inside is dropped at sending; what arrives here acts.
            default_action(task, info);
            continue;
        }
        run_handler(task, info, restart_code);
        restart_code = Errno {};
        handled = true;
        if (task.watchpoints && task.watchpoints->is_stepping()) task.watchpoints->abandon_step(task);
        tracing::handler_step_stop(task);
    }
    if (task.is_dying()) return AfterSignals::enter_user;
    if (!handled && task.restore_mask) {
        task.blocked = task.saved_mask;
        task.restore_mask = false;
    }
    if (traced && restart_code != Errno {}) {
        // What the tracer has left in the registers counts, not the call as it was made.
        tracing::restart_from_registers(task);
        return AfterSignals::enter_user;
    }
    return !handled && restart_code != Errno {} ? AfterSignals::rerun_call : AfterSignals::enter_user;
}

} // namespace umbra
