// SPDX-License-Identifier: GPL-2.0-or-later
// The end of tasks and processes, and waiting for it: exit(2), wait4(2), waitid(2).
#include <algorithm>

#include "core/cgroup/cgroup.h"
#include "core/ipc/ipc-namespace.h"
#include "core/kernel.h"
#include "core/seccomp/filter.h"
#include "core/task/core-dump.h"
#include "core/task/futex.h"
#include "core/task/lifecycle.h"
#include "core/task/namespaces.h"
#include "core/task/pid-namespace.h"
#include "core/task/posix-timers.h"
#include "core/task/process-table.h"
#include "core/task/ptrace.h"
#include "core/task/rseq.h"
#include "core/task/scheduler.h"
#include "core/task/task-access.h"
#include "core/task/watchpoints.h"
#include "core/trace/trace.h"
#include "core/tty/session.h"
#include "core/vfs/locks.h"

namespace umbra {

using namespace abi;

i32 exit_code_of(u32 status)
{
    if ((status & 0x7f) == 0) return cld_exited;
    return status & 0x80 ? cld_dumped : cld_killed;
}

i32 exit_value_of(u32 status) { return (status & 0x7f) == 0 ? i32(status >> 8 & 0xff) : i32(status & 0x7f); }

namespace {

/// Frees the number. Only `Waited::yes` adds to what the parent's children have used (getrusage(2)).
enum class Waited : u8 { no, yes };
void reap(Process& child, Waited waited)
{
    Kernel& kernel = child.kernel;
    if (child.parent) {
        auto& siblings = child.parent->children;
        siblings.erase(std::remove(siblings.begin(), siblings.end(), &child), siblings.end());
        if (waited == Waited::yes) {
            child.parent->children_usage.add(child.own_usage);
            child.parent->children_usage.add(child.children_usage);
        }
    }
    child.parent = nullptr;
    cgroup::forget(child);
    kernel.processes().remove(child);
    child.unref(); // the zombie's own reference
}

bool parent_reaps_itself(Process const& parent)
{
    auto const& action = parent.handlers->actions[sigchld - 1];
    return action.handler == sig_ign || (action.flags & sa_nocldwait);
}

/// A subreaper above it in its pid namespace, or that one's init.
Process* choose_reaper(Process& dying)
{
    for (Process* p = dying.parent; p && p->pids == dying.pids; p = p->parent)
        if (p->is_subreaper && p->state != ProcessState::zombie && !p->group_exiting) return p;
    return dying.pids->init;
}

void give_children_away(Process& dying)
{
    Process* reaper = choose_reaper(dying);
    auto children = std::move(dying.children);
    dying.children.clear();
    std::vector<Process*> zombies;
    for (Process* child : children) {
        child->parent = reaper == child ? nullptr : reaper;
        if (!reaper || reaper == &dying) continue;
        reaper->children.push_back(child);
        child->exit_signal = sigchld;
        for (Task* t : child->threads)
            if (t->parent_death_signal)
                (void)send_signal(*child, user_signal(i32(t->parent_death_signal), current())).ok();
        if (child->state == ProcessState::zombie && !tracing::is_kept_from_parent(*child))
            zombies.push_back(child);
    }
    for (Process* zombie : zombies)
        tell_parent_of_end(*zombie);
}

/// Whether the child is the link that keeps its group from being orphaned: its parent is of the session, and not of the
/// group.
bool is_link_to_parent(Process const& child)
{
    Process const* parent = child.parent;
    return child.group && parent && parent->group && child.group != parent->group
        && child.group->session == parent->group->session;
}

/// POSIX: a group that becomes orphaned, since a link has gone, with a stopped member gets SIGHUP and SIGCONT.
void check_orphaned(ProcessGroup& group)
{
    if (!is_orphaned(group)) return;
    bool stopped = std::any_of(group.members.begin(), group.members.end(),
        [](Process* p) { return p->state == ProcessState::stopped; });
    if (!stopped) return;
    send_signal(group, kernel_signal(sighup));
    send_signal(group, kernel_signal(sigcont));
}

void end_process(Process& process)
{
    Kernel& kernel = process.kernel;
    process.ref(); // the zombie holds itself until it is reaped
    process.state = ProcessState::zombie;
    kernel.processes().note_end();
    process.timers.reset();
    auto groups = std::vector<Ref<ProcessGroup>>();
    for (Process* child : process.children)
        if (is_link_to_parent(*child)) groups.push_back(Ref<ProcessGroup>(*child->group));
    if (is_link_to_parent(process)) groups.push_back(Ref<ProcessGroup>(*process.group));
    if (process.session().id == process.id) tty::session_leader_exits(process);
    give_children_away(process);
    for (auto& group : groups)
        check_orphaned(*group);
    process.exit_waiters.wake_all();
    if (process.pids->reboot_signal && is_namespace_init(process))
        process.exit_code = process.pids->reboot_signal;
    if (&process == kernel.processes().init()) {
        kernel.shut_down(process.exit_code & 0x7f ? 128 + i32(process.exit_code & 0x7f)
                                                  : i32(process.exit_code >> 8 & 0xff));
        return;
    }
    if (!tracing::process_ended(process)) tell_parent_of_end(process);
}
void leave_memory(Task& task)
{
    if (task.vfork_done) {
        WaitQueue* done = task.vfork_done;
        task.vfork_done = nullptr;
        done->wake_all();
    }
    if (!task.has_mm()) return;
    futex_exit(task);
    if (!task.clear_child_tid.is_null() && task.mm().users > 1) {
        i32 zero = 0;
        (void)copy_to_user(task, task.clear_child_tid, &zero, sizeof zero)
            .ok(); // as Linux: a bad pointer is ignored
        futex_wake_address(task, task.clear_child_tid, 1);
    }
    rseq::release_id(task);
    task.rseq = {};
    auto access = TaskAccess(task);
    RefPtr<mm::AddressSpace> mm = std::move(access.mm());
    access.mm() = nullptr;
    access.guest().reset();
    task.process().own_usage.max_rss_pages
        = std::max(task.process().own_usage.max_rss_pages, mm->peak_resident_pages());
    if (--mm->users == 0) mm->clear();
}

void settle_accounts(Task& task)
{
    auto& time = task.kernel().time();
    task.usage.user = time.cycles_to_ns(task.user_cycles);
    task.usage.system = time.cycles_to_ns(task.system_cycles);
    task.process().own_usage.add(task.usage);
}

void forget_thread(Task& task)
{
    settle_accounts(task);
    cgroup::forget(task);
    auto& threads = task.process().threads;
    threads.erase(std::remove(threads.begin(), threads.end(), &task), threads.end());
    task.kernel().processes().remove(task);
}

} // namespace

void tell_parent_of_end(Process& process)
{
    Process* parent = process.parent;
    bool vanish = !parent || (process.exit_signal == sigchld && parent_reaps_itself(*parent));
    if (parent && (process.exit_signal || vanish))
        notify_parent(process, exit_code_of(process.exit_code), exit_value_of(process.exit_code));
    else if (parent)
        parent->child_events.wake_all();
    if (vanish) reap(process, Waited::no);
}

void reap_zombie_children(Process& process)
{
    auto const children = process.children; // reaping changes the list
    for (Process* child : children)
        if (child->state == ProcessState::zombie && !tracing::is_kept_from_parent(*child))
            reap(*child, Waited::no);
}

void release_zombie_leader(Process& process)
{
    if (!process.zombie_leader) return;
    forget_thread(*process.zombie_leader);
    process.zombie_leader = nullptr;
}

namespace {

/// The thread is none of its process's any more; the last one ends that, and with it maybe a namespace. May wait.
void leave_process(Task& task, u32 status)
{
    Process& process = task.process();
    Ref<Process> const keep(process);
    // Again, since others may have left while this one waited.
    bool const last = process.live_threads() == 1;
    process.group_exiting = process.group_exiting || last;
    bool const ends_namespace = last && is_namespace_init(process) && !process.pids->is_first();
    if (ends_namespace) end_pid_namespace(task);
    cgroup::leave(task);
    tracing::thread_ended(task, status);
    if (task.tid() == process.id && !process.group_exiting) {
        process.zombie_leader = &task;
    } else {
        forget_thread(task);
        if (process.group_exiting) release_zombie_leader(process);
    }
    // exec waits for the other threads of its process.
    process.exit_waiters.wake_all();
    if (process.threads.empty()) end_process(process);
}

} // namespace

void exit_current_task()
{
    Task& task = current();
    Process& process = task.process();
    join_core_dump(task);
    auto status = [&] { return process.group_exiting ? process.exit_code : task.exit_status; };
    tracing::event_stop(task, ptrace_event_exit, status());
    tracing::release_all(task);
    task.exiting = true;
    bool last = process.live_threads() == 1;
    if (last && !process.group_exiting) process.group_exiting = true;
    task.kernel().trace().task_exit(task, process.exit_code);
    process.last_uid = task.credentials().uid;
    process.last_name = task.name();
    tracing::drop_watchpoints(task);
    leave_memory(task);
    seccomp::release(task);
    ipc::exit_ipc(task);
    auto access = TaskAccess(task);
    if (RefPtr<FdTable> files = std::move(access.files())) {
        // close_all runs the hooks with the task's table in place.
        if (files->ref_count() == 1) files->close_all(task);
    }
    access.fs() = nullptr;
    // Those that it had may go before it is reaped.
    access.namespaces() = Ref<NamespaceSet>(task.kernel().first_namespaces());
    leave_process(task, status());
    // Never comes back: what a local variable holds here would be held for ever.
    task.kernel().scheduler().exit_current();
}

void notify_parent(Process& process, i32 code, i32 status)
{
    Process* parent = process.parent;
    if (!parent) return;
    parent->child_events.wake_all();
    int signal = code == cld_stopped || code == cld_continued ? sigchld : int(process.exit_signal);
    if (!signal) return;
    auto const& action = parent->handlers->actions[sigchld - 1];
    if ((code == cld_stopped || code == cld_continued) && (action.flags & sa_nocldstop)) return;
    SigInfo info;
    info.signo = signal;
    info.code = code;
    Task* any = process.leader();
    info.child = { process.id.value, any ? any->credentials().uid : process.last_uid };
    if (signal != sigchld) {
        // The information does not tell that it names a process: its ids are the parent's already.
        info.child.pid = pid_out(process.kernel, *parent->pids, process.id);
        if (Task* leader = parent->leader())
            info.child.uid = leader->credentials().user_namespace->uid_out(info.child.uid);
    }
    info.child.status = status;
    info.child.utime = process.own_usage.user / 10'000'000;
    info.child.stime = process.own_usage.system / 10'000'000;
    (void)send_signal(*parent, info).ok(); // SIGCHLD is a standard signal: it cannot be refused
}

namespace {

/// Whether the request is about the process, or its thread, of number `id`.
bool names(WaitRequest const& request, Pid id, Process const& process, Process const& parent)
{
    switch (request.which) {
    case WaitRequest::Which::any:
        return true;
    case WaitRequest::Which::pid:
        return id == request.id;
    case WaitRequest::Which::group: {
        Pid wanted = request.id.value ? request.id : parent.group->id;
        return process.group && process.group->id == wanted;
    }
    }
    return false;
}

bool matches(Process const& child, WaitRequest const& request, Process const& parent)
{
    constexpr u32 wclone = 0x80000000, wall = 0x40000000;
    if (!(request.options & wall)) {
        bool clone_child = child.exit_signal != sigchld;
        if (clone_child != bool(request.options & wclone)) return false;
    }
    return names(request, child.id, child, parent);
}

/// What one child has to report, if anything.
bool collect(Process& child, WaitRequest const& request, WaitOutcome& out)
{
    bool keep = request.options & wnowait;
    // Before it is reaped, which gives the number back.
    Pid const number(pid_out(child.kernel, *current().process().pids, child.id));
    if ((request.options & wexited) && child.state == ProcessState::zombie
        && !tracing::is_kept_from_parent(child)) {
        out = { number, child.exit_code, exit_code_of(child.exit_code), child.last_uid, child.own_usage };
        out.usage.add(child.children_usage);
        if (!keep) reap(child, Waited::yes);
        return true;
    }
    bool ours = child.parent && tracing::is_traced_by(child, *child.parent);
    if ((request.options & wstopped) && !ours && child.state == ProcessState::stopped
        && !child.stop_reported) {
        out = { number, child.stop_signal << 8 | 0x7f, cld_stopped, child.last_uid, child.own_usage };
        if (!keep) child.stop_reported = true;
        return true;
    }
    if ((request.options & wcontinued) && !child.continue_reported) {
        out = { number, 0xffff, cld_continued, child.last_uid, child.own_usage };
        if (!keep) child.continue_reported = true;
        return true;
    }
    return false;
}

/// Traced threads count as children, whoever's they are. True if one has something to report.
bool look_at_tracees(Process& process, WaitRequest const& request, WaitOutcome& out, bool& none)
{
    for (Task* thread : process.threads)
        for (auto const& tracee : thread->tracees) {
            if (!names(request, tracee->tid, *tracee->process, process)) continue;
            none = false;
            Ref<Tracee> keep(*tracee);
            if (tracing::collect(*keep, request, out)) return true; // the list may have changed
        }
    return false;
}

} // namespace

Result<WaitOutcome> wait_for_child(Task& task, WaitRequest const& request)
{
    Process& process = task.process();
    WaitOutcome out;
    bool none = false;
    auto look = [&] {
        none = true;
        if (look_at_tracees(process, request, out, none)) return true;
        for (Process* child : process.children) {
            if (!matches(*child, request, process)) continue;
            none = false;
            if (collect(*child, request, out)) return true;
        }
        return none || (request.options & wnohang);
    };
    TRY(process.child_events.wait_until(look));
    if (out.pid.value == 0 && none) return err::child;
    return out;
}

} // namespace umbra
