// SPDX-License-Identifier: GPL-2.0-or-later
// The bonds between tracers and traced threads: how they come about, what wait(2) hears of them, how they end.
#include "core/task/ptrace.h"

#include <algorithm>

#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/task/permissions.h"
#include "core/task/pid-namespace.h"

namespace umbra::tracing {

using namespace abi;

namespace {

void bind(Task& tracer, Task& target, bool seized, u32 options)
{
    auto bond = make_ref<Tracee>(target, tracer);
    bond->seized = seized;
    bond->options = options;
    bond->uid = target.credentials().uid;
    bond->shown_tid = Pid(pid_out(tracer, target.tid()));
    target.set_tracee(bond);
    tracer.tracees.push_back(std::move(bond));
}

/// Takes the bond off its tracer's list. The caller holds a reference.
void unlink(Tracee& tracee)
{
    if (!tracee.tracer) return;
    auto& list = tracee.tracer->tracees;
    list.erase(std::remove_if(list.begin(), list.end(), [&](auto const& t) { return t.get() == &tracee; }),
        list.end());
    tracee.tracer = nullptr;
    if (tracee.task) tracee.task->set_tracee(nullptr);
}

void tell_of_end(Tracee& tracee, u32 status)
{
    tracee.ended = true;
    tracee.exit_status = status;
    Process& process = tracee.tracer->process();
    process.child_events.wake_all();
    SigInfo info;
    info.signo = sigchld;
    info.code = exit_code_of(status);
    info.child.pid = tracee.tid.value, info.child.uid = tracee.uid;
    info.child.status = exit_value_of(status);
    (void)send_signal(process, info).ok(); // a standard signal: it cannot be refused
}

/// The thread of the parent that forked, or the parent's first.
Task* real_parent(Process const& process)
{
    if (!process.parent || process.parent->threads.empty()) return nullptr;
    auto const& threads = process.parent->threads;
    auto it = std::find_if(
        threads.begin(), threads.end(), [&](Task* t) { return t->tid() == process.forked_by; });
    return it == threads.end() ? threads.front() : *it;
}

} // namespace

Result<void> trace_me(Task& task)
{
    Task* parent = real_parent(task.process());
    if (task.tracee || !parent) return err::perm;
    bind(*parent, task, false, 0);
    task.mm().unpatch_calls();
    return {};
}

Result<void> attach(Task& tracer, Task& target, Attach how, u32 options)
{
    if (&tracer.process() == &target.process()) return err::perm;
    // What it gains by a program that it is about to run counts.
    Ref<Task> const kept(target);
    Ref<Process> const process_kept(target.process());
    TRY(target.process().exec_over.wait_until(
        [&] { return !target.process().executing; }, kNever, Interruption::allowed));
    TRY(check_may_inspect(tracer, target));
    if (target.exiting || target.tracee || !target.has_mm()) return err::perm;
    bind(tracer, target, how == Attach::seize, options);
    Ref<Tracee> bond(*target.tracee);
    // Tracers expect the program's own code.
    Ref<mm::AddressSpace>(target.mm())->unpatch_calls();
    Process& process = target.process();
    if (how == Attach::stop) TRY(send_signal(target, kernel_signal(sigstop)));
    if (process.state != ProcessState::stopped) return {};
    // A thread that has stopped already does so anew, now for its tracer: ptrace(2) promises that the next wait sees it.
    bond->trap_pending = true;
    process.stop_queue.wake_all();
    notice_pending(target);
    return tracer.process().child_events.wait_until(
        [&] { return bond->is_stopped() || bond->ended || !bond->task; }, kNever, Interruption::killable);
}

void detach(Tracee& tracee, int signal)
{
    Ref<Tracee> keep(tracee);
    unlink(tracee);
    if (tracee.is_stopped()) resume(tracee, Tracee::Run::freely, false, signal);
    Process& process = *tracee.process;
    if (process.leader_tracee != &tracee) return;
    process.leader_tracee = nullptr;
    if (tracee.ended) tell_parent_of_end(process);
}

Result<Ref<Tracee>> find_stopped(Task& tracer, Pid tid)
{
    for (auto const& t : tracer.tracees)
        if (t->tid == tid && t->task && t->is_stopped() && !t->listening) return t;
    return err::srch;
}

void resume(Tracee& tracee, Tracee::Run run, bool single_step, int signal)
{
    tracee.run = run;
    tracee.single_step = single_step;
    tracee.resume_signal = signal;
    tracee.stop = Tracee::Stop::none;
    tracee.reported = true;
    tracee.listening = false;
    tracee.resumed.wake_all();
}

Result<void> interrupt(Tracee& tracee)
{
    if (!tracee.seized) return err::io;
    tracee.trap_pending = true;
    if (tracee.listening)
        resume(tracee, tracee.run, tracee.single_step, 0); // into the next stop
    else if (!tracee.is_stopped())
        notice_pending(*tracee.task);
    return {};
}

Result<void> listen(Tracee& tracee)
{
    bool event_stop = tracee.info && u32(tracee.info->code) >> 8 == ptrace_event_stop;
    if (!tracee.seized || !event_stop) return err::io;
    tracee.listening = true;
    if (tracee.trap_pending) resume(tracee, tracee.run, tracee.single_step, 0);
    return {};
}

void inherit(Task& parent, Task& child)
{
    Tracee const& bond = *parent.tracee;
    bind(*bond.tracer, child, bond.seized, bond.options);
    if (bond.seized)
        child.tracee->trap_pending = true;
    else
        child.pending.add(user_signal(sigstop, parent));
}

void release_all(Task& tracer)
{
    for (auto const& bond : std::vector<Ref<Tracee>>(tracer.tracees)) {
        bool kill = (bond->options & ptrace_o_exitkill) && !bond->ended;
        if (kill) (void)send_signal(*bond->process, kernel_signal(sigkill)).ok(); // it cannot be refused
        detach(*bond, 0);
    }
}

void thread_ended(Task& task, u32 status)
{
    if (!task.tracee) return;
    Ref<Tracee> bond(*task.tracee);
    task.set_tracee(nullptr);
    bond->task = nullptr;
    bond->stop = Tracee::Stop::none;
    if (task.tid() == task.pid())
        task.process().leader_tracee = bond;
    else
        tell_of_end(*bond, status);
}

bool process_ended(Process& process)
{
    if (!process.leader_tracee) return false;
    Ref<Tracee> bond(*process.leader_tracee);
    if (bond->tracer && &bond->tracer->process() != process.parent) {
        tell_of_end(*bond, process.exit_code);
        return true;
    }
    process.leader_tracee = nullptr;
    unlink(*bond);
    return false;
}

void take_leaders_number(Task& task)
{
    Process& process = task.process();
    if (RefPtr<Tracee> leader = process.leader_tracee) {
        process.leader_tracee = nullptr;
        unlink(*leader);
    }
    if (!task.tracee) return;
    task.tracee->tid = process.id;
    task.tracee->shown_tid = Pid(pid_out(*task.tracee->tracer, process.id));
}

bool is_traced_by(Process const& child, Process const& process)
{
    Task const* leader = child.leader();
    return leader && leader->tracee && &leader->tracee->tracer->process() == &process;
}

bool suspends_seccomp(Task const& task)
{
    return task.tracee && (task.tracee->options & ptrace_o_suspend_seccomp);
}

bool wants_event(Task const& task, u32 event)
{
    return task.tracee && (task.tracee->options & ptrace_option_of(event));
}

bool is_kept_from_parent(Process const& child) { return child.leader_tracee && child.leader_tracee->ended; }

bool collect(Tracee& tracee, WaitRequest const& request, WaitOutcome& out)
{
    bool keep = request.options & wnowait;
    if (tracee.ended && (request.options & wexited)) {
        out = { tracee.shown_tid, tracee.exit_status, exit_code_of(tracee.exit_status), tracee.uid };
        if (!keep) detach(tracee, 0);
        return true;
    }
    if (!tracee.is_stopped() || tracee.reported || tracee.listening) return false;
    out = { tracee.shown_tid, tracee.stop_code << 8 | 0x7f, cld_trapped, tracee.uid };
    if (!keep) tracee.reported = true;
    return true;
}

} // namespace umbra::tracing
