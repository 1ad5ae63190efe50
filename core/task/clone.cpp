// SPDX-License-Identifier: GPL-2.0-or-later
// clone(2): new tasks. Everything that can fail happens before the child is visible.
#include <utility>

#include "core/abi/process.h"
#include "core/cgroup/cgroup.h"
#include "core/ipc/ipc-namespace.h"
#include "core/ipc/pidfd.h"
#include "core/kernel.h"
#include "core/mm/vdso.h"
#include "core/seccomp/filter.h"
#include "core/task/lifecycle.h"
#include "core/task/namespaces.h"
#include "core/task/permissions.h"
#include "core/task/process-table.h"
#include "core/task/ptrace.h"
#include "core/task/scheduler.h"
#include "core/task/task-access.h"
#include "core/time/time-namespace.h"
#include "core/trace/trace.h"

namespace umbra {

using namespace abi;

namespace {

Result<void> check_flags(Task& parent, CloneRequest const& r)
{
    u64 f = r.flags;
    if ((f & clone_sighand) && !(f & clone_vm)) return err::inval;
    if ((f & clone_thread) && !(f & clone_sighand)) return err::inval;
    if ((f & clone_clear_sighand) && (f & clone_sighand)) return err::inval;
    if ((f & clone_fs) && (f & (clone_newns | clone_newuser))) return err::inval;
    if ((f & clone_thread) && (f & (clone_newuser | clone_newpid))) return err::inval;
    if ((f & clone_thread) && parent.namespaces().pid.get() != &pid_namespace(parent)) return err::inval;
    // Its siblings would be children of a process outside.
    if ((f & clone_parent) && is_namespace_init(parent.process())) return err::inval;
    if (r.exit_signal > u32(signal_count)) return err::inval;
    // A program that is about to run must not share it with one that does not (Linux: fs->in_exec).
    if ((f & clone_fs) && parent.process().executing) return err::again;
    TRY(check_new_namespaces(parent, f));
    if ((f & clone_sysvsem) && (f & clone_newipc)) return err::inval;
    if ((f & clone_pidfd) && (f & clone_detached)) return err::inval;
    // A reservation cannot be doubled.
    if (parent.policy == abi::sched_deadline && !parent.reset_on_fork) return err::again;
    auto const& limit = parent.process().limits[size_t(Resource::nproc)];
    auto const& cred = parent.credentials();
    if (limit.current != kRlimInfinity && cred.uid != 0 && !cred.has(Capability::sys_resource)
        && !cred.has(Capability::sys_admin)
        && parent.kernel().processes().processes_of(cred.uid) >= limit.current)
        return err::again;
    return {};
}

Ref<Process> make_process(Task& parent, CloneRequest const& request, Pid id, PidNamespace& space)
{
    Process& from = parent.process();
    Ref<SignalHandlers> handlers = from.handlers;
    if (!(request.flags & clone_sighand)) {
        handlers = make_ref<SignalHandlers>();
        handlers->actions = from.handlers->actions;
        if (request.flags & clone_clear_sighand)
            for (auto& a : handlers->actions)
                if (a.handler != sig_ign) a = {};
    }
    auto child = make_ref<Process>(parent.kernel(), id, space, std::move(handlers));
    child->limits = from.limits;
    child->exit_signal = request.exit_signal;
    child->dumpable = from.dumpable;
    child->huge_pages_disabled = from.huge_pages_disabled;
    child->membarrier_registrations = from.membarrier_registrations;
    child->oom_score_adj = from.oom_score_adj;
    return child;
}

/// sched(7): with SCHED_RESET_ON_FORK, children get neither a realtime policy nor a nice value below 0.
void inherit_scheduling(Task const& parent, Task& child)
{
    child.nice = parent.nice, child.policy = parent.policy, child.rt_priority = parent.rt_priority;
    // A reservation cannot be doubled. The parent may have got one while the child was made.
    if (child.policy == abi::sched_deadline) child.policy = abi::sched_other;
    child.io_priority = parent.io_priority;
    if (!parent.reset_on_fork) return;
    bool realtime = parent.rt_priority > 0 || parent.policy == abi::sched_deadline;
    if (realtime) child.policy = 0, child.rt_priority = 0;
    if (realtime || child.nice < 0) child.nice = 0;
}

void inherit(Task& parent, Task& child, CloneRequest const& request)
{
    child.blocked = parent.restore_mask ? parent.saved_mask : parent.blocked;
    inherit_scheduling(parent, child);
    child.affinity = parent.affinity;
    child.timer_slack = child.default_timer_slack = parent.timer_slack;
    child.personality = parent.personality;
    child.machine_check_policy = parent.machine_check_policy;
    child.counter_is_readable = parent.counter_is_readable;
    child.io_flusher = parent.io_flusher;
    if (!(request.flags & clone_vm)) child.rseq = parent.rseq;
    child.set_memory_policy(parent.memory_policy());
    child.virtual_runtime = parent.virtual_runtime;
    child.vcpu = parent.vcpu;
    child.set_name(parent.name());
    child.set_credentials(parent.credentials_ref());
    if (!(request.flags & clone_vm) || (request.flags & clone_vfork)) child.alt_stack = parent.alt_stack;
    if (request.flags & clone_child_cleartid) child.clear_child_tid = request.child_tid;
}

/// Registers of the child: the parent's, with 0 as the result, its own stack and TLS.
Result<void> set_registers(Task& parent, Task& child, CloneRequest const& request)
{
    auto& vcpu = *parent.vcpu;
    TRY(child.guest().copy_state(vcpu, parent.guest()));
    auto* regs = child.guest().registers(*parent.vcpu);
    if (!regs) return err::nomem;
    regs->rax = 0;
    regs->orig_rax = platform::kNoSyscall;
    if (request.stack) regs->rsp = request.stack;
    if (request.flags & clone_settls) regs->fs_base = request.tls;
    if (!child.counter_is_readable) TRY(child.guest().set_time_stamp_counter(vcpu, false));
    return {};
}

void link_process(Task& parent, Process& child, CloneRequest const& request)
{
    auto& table = parent.kernel().processes();
    Process* father = request.flags & clone_parent ? parent.process().parent : &parent.process();
    if (!father) father = &parent.process();
    if (request.flags & clone_parent) child.exit_signal = parent.process().exit_signal;
    child.parent = father;
    child.forked_by = parent.tid();
    father->children.push_back(&child);
    table.add(child);
    if (!child.pids->init) child.pids->init = &child;
    table.move_to_group(child, Ref<ProcessGroup>(*parent.process().group));
}

/// A new stub, or a new thread in one, that the host has killed (EIO): fork(2) knows no EIO, and another try may do.
template <typename T> Result<T> or_try_again(Result<T> made)
{
    if (made.is_error() && made.error() == err::io) return err::again;
    return made;
}

/// The PTRACE_EVENT_* that the parent's tracer asked for, or 0.
u32 event_of(Task const& parent, CloneRequest const& request)
{
    if (!parent.tracee || (request.flags & clone_untraced)) return 0;
    u32 event = ptrace_event_fork;
    if (request.flags & clone_vfork)
        event = ptrace_event_vfork;
    else if (request.exit_signal != u32(sigchld))
        event = ptrace_event_clone;
    return parent.tracee->options & ptrace_option_of(event) ? event : 0;
}

/// As the tracer sees it.
u64 tracers_number(Task const& tracee, Pid tid)
{
    return tracee.tracee ? u64(pid_out(*tracee.tracee->tracer, tid)) : 0;
}

/// clone3(2)'s set_tid: for who rules each namespace in which it asks for a number.
Result<void> check_wanted_numbers(Task& parent, PidNamespace& space, std::vector<i32> const& wanted)
{
    if (wanted.size() > space.level() + 1) return err::inval;
    PidNamespace* at = &space;
    for (i32 number : wanted) {
        if (number < 1 || number >= ProcessTable::kPidMax) return err::inval;
        auto const& who = parent.credentials();
        bool const may = is_capable(who, *at->owner(), Capability::checkpoint_restore)
            || is_capable(who, *at->owner(), Capability::sys_admin);
        if (!may) return err::perm;
        at = at->parent();
    }
    return {};
}

/// The descriptor of CLONE_PIDFD. Its number is told before there is a child, since EFAULT must leave none.
class PidfdSlot {
public:
    ~PidfdSlot()
    {
        if (files_) files_->release(number_);
    }
    /// EMFILE, EFAULT. May wait.
    Result<void> reserve(Task& parent, GuestAddr out)
    {
        number_ = TRY(parent.files().reserve(parent.limit(Resource::nofile)));
        files_ = RefPtr<FdTable>(Ref<FdTable>(parent.files()));
        return copy_to_user(parent, out, &number_.value, sizeof number_.value);
    }
    /// Of the child, which is a thread of its parent's process or leads its own.
    void install(Task& child, u64 flags)
    {
        auto pidfd
            = flags & clone_thread ? ipc::make_thread_pidfd(child, 0) : ipc::make_pidfd(child.process(), 0);
        std::exchange(files_, nullptr)->install(number_, std::move(pidfd), true);
    }

private:
    GuestFd number_ { -1 };
    RefPtr<FdTable> files_; ///< while the number is only reserved
};

/// CLONE_PARENT_SETTID and CLONE_CHILD_SETTID, each in the number's own namespace. Returns the parent's. May wait.
i32 tell_numbers(Task& parent, Task& child, CloneRequest const& request)
{
    i32 const parents_number = pid_out(parent, child.tid()), own_number = pid_out(child, child.tid());
    // As Linux, neither copy is checked.
    if (request.flags & clone_parent_settid)
        (void)copy_to_user(parent, request.parent_tid, &parents_number, sizeof parents_number).ok();
    if (request.flags & clone_child_settid)
        (void)copy_to_user(child, request.child_tid, &own_number, sizeof own_number).ok();
    return parents_number;
}

Result<void> wait_for_vfork(Task& parent, Task& child, WaitQueue& done)
{
    cgroup::StandingStill const still(parent);
    // The child clears its vfork_done when it execs or exits; only death of the parent ends the wait before.
    return done.wait_until([&] { return child.vfork_done != &done; }, kNever, Interruption::killable);
}

/// The last that can fail. Does not wait at its end: what others may have changed meanwhile is looked at there.
Result<void> make_ready(Task& parent, Task& child, PidNamespace const& space, CloneRequest const& request)
{
    TRY(set_registers(parent, child, request));
    TRY(parent.kernel().scheduler().prepare(child, task_main));
    if (space.ended) return err::nomem;
    // A signal that kills the parent, or all of its control group, must not miss the child.
    if (parent.is_dying()) return err::intr;
    return cgroup::enter_at_birth(parent, child, request.cgroup);
}

/// From here on it can be found, and is sent what is sent to its group.
void make_visible(Task& parent, Task& child, CloneRequest const& request, ForkUnderWay& fork)
{
    parent.kernel().processes().add(child);
    child.process().threads.push_back(&child);
    if (request.flags & clone_thread) return;
    link_process(parent, child.process(), request);
    fork.give_to(child.process().shared_pending);
    fork.unlink();
}

} // namespace

Result<Pid> clone_task(Task& parent, CloneRequest const& request)
{
    Kernel& kernel = parent.kernel();
    TRY(check_flags(parent, request));
    // What was sent before is dealt with before: it must not happen in the parent alone if others were meant too.
    if (parent.has_pending_signal()) return err::restart_nointr;
    bool thread = request.flags & clone_thread;
    ForkUnderWay fork;
    if (!thread) parent.process().forks.push_back(fork);
    auto belongings = TRY(new_namespaces(parent, request.flags));
    // Who shares the memory shares its clocks, until it runs another program.
    if (!(request.flags & clone_vm)) belongings.enter_time();
    PidNamespace& space = thread ? *parent.process().pids : *belongings.set->pid;
    TRY(check_wanted_numbers(parent, space, request.set_tid));
    Pid tid = TRY(kernel.processes().allocate(space, request.set_tid));
    Ref<Process> process
        = thread ? Ref<Process>(parent.process()) : make_process(parent, request, tid, space);
    auto child = make_ref<Task>(kernel, tid, process);
    auto access = TaskAccess(*child);
    inherit(parent, *child, request);
    if (request.flags & clone_sysvsem) child->semaphore_undos = ipc::shared_sem_undos(parent);
    access.files() = request.flags & clone_files ? Ref<FdTable>(parent.files()) : parent.files().clone();
    access.fs() = request.flags & clone_fs ? Ref<vfs::FsContext>(parent.fs()) : parent.fs().clone();
    belongings.give_to(*child);
    PidfdSlot pidfd;
    if (request.flags & clone_pidfd) TRY(pidfd.reserve(parent, request.pidfd));
    Ref<mm::AddressSpace> mm = request.flags & clone_vm ? Ref<mm::AddressSpace>(parent.mm())
                                                        : TRY(or_try_again(parent.mm().fork()));
    if (belongings.set->time != parent.namespaces().time)
        TRY(mm::change_vdso(kernel, *mm, *belongings.set->time));
    access.guest() = TRY(or_try_again(mm->stub().create_thread(*parent.vcpu)));
    ++mm->users;
    access.mm() = mm;
    if (auto r = make_ready(parent, *child, space, request); r.is_error()) {
        --mm->users;
        return r.error();
    }
    child->no_new_privileges = parent.no_new_privileges;
    seccomp::inherit(parent, *child);
    // From here on nothing fails but copies to guest memory, whose errors Linux ignores or reports after the fact.
    Ref<Task> const keep = child;
    make_visible(parent, *child, request, fork);
    i32 const parents_number = tell_numbers(parent, *child, request);
    if (request.flags & clone_pidfd) pidfd.install(*child, request.flags);
    u64 const message = tracers_number(parent, tid); // the child may be gone when it is told
    WaitQueue done;
    if (request.flags & clone_vfork) child->vfork_done = &done;
    kernel.trace().task_new(parent, *child);
    u32 const event = event_of(parent, request);
    if (parent.tracee && (event || (request.flags & clone_ptrace))) tracing::inherit(parent, *child);
    wake_task(*child.leak());
    if (event) tracing::event_stop(parent, event, message);
    if (request.flags & clone_vfork) {
        auto waited = wait_for_vfork(parent, *keep, done);
        if (waited.is_error()) keep->vfork_done = nullptr;
        if (waited.ok()) tracing::event_stop(parent, ptrace_event_vfork_done, message);
    }
    return Pid(parents_number);
}

Result<void> unshare_task(Task& task, u64 flags)
{
    constexpr u64 kAlone = clone_thread | clone_sighand | clone_vm;
    constexpr u64 kKnown = kAlone | clone_fs | clone_files | clone_sysvsem | kAllNamespaces;
    if (flags & ~kKnown) return err::inval;
    // What one of them means to the others, see unshare(2).
    if (flags & clone_newuser) flags |= clone_thread | clone_fs;
    if (flags & clone_newns) flags |= clone_fs;
    // A thread cannot leave its process; for one that is alone there is nothing to do.
    if ((flags & kAlone) && task.process().threads.size() > 1) return err::inval;
    if ((flags & clone_sighand) && task.process().handlers->ref_count() > 1) return err::inval;
    if ((flags & clone_vm) && task.mm().users > 1) return err::inval;
    auto const belongings = TRY(new_namespaces(task, flags));
    if (flags & clone_newipc) ipc::exit_ipc(task); // of the one that it leaves
    belongings.give_to(task);
    auto access = TaskAccess(task);
    if ((flags & clone_fs) && task.fs().ref_count() > 1) access.fs() = task.fs().clone();
    if ((flags & clone_files) && task.files().ref_count() > 1) access.files() = task.files().clone();
    if (flags & clone_sysvsem) ipc::leave_sem_undos(task);
    return {};
}

namespace {

/// The entry of a task that begins in the kernel.
void run_start(Task& self)
{
    {
        // What it holds must not stay for the task's life: task_main() does not return.
        auto start = std::move(TaskAccess(self).start());
        start(self);
    }
    task_main(self);
}

} // namespace

Result<Pid> spawn_kernel_child(Task& parent, std::function<void(Task&)> start)
{
    Kernel& kernel = parent.kernel();
    PidNamespace& space = *parent.process().pids;
    Pid id = TRY(kernel.processes().allocate(space));
    auto process = make_process(parent, { .exit_signal = sigchld }, id, space);
    auto task = make_ref<Task>(kernel, id, process);
    auto access = TaskAccess(*task);
    inherit(parent, *task, {});
    task->policy = abi::sched_other, task->rt_priority = 0, task->nice = 0, task->affinity = ~u64 { 0 };
    access.files() = parent.files().clone();
    access.fs() = parent.fs().clone();
    access.start() = std::move(start);
    TRY(kernel.scheduler().prepare(*task, run_start));
    TRY(cgroup::enter_at_birth(parent, *task, std::nullopt));
    kernel.processes().add(*task);
    process->threads.push_back(task.get());
    link_process(parent, *process, {});
    wake_task(*task.leak());
    return id;
}

Result<Ref<Task>> create_init(Kernel& kernel, InitRequest request)
{
    PidNamespace& space = kernel.processes().first_namespace();
    Pid id = TRY(kernel.processes().allocate(space));
    auto process = make_ref<Process>(kernel, id, space, make_ref<SignalHandlers>());
    auto task = make_ref<Task>(kernel, id, process);
    auto access = TaskAccess(*task);
    access.files() = make_ref<FdTable>(kernel);
    access.fs() = make_ref<vfs::FsContext>(request.root, request.cwd, request.mounts, 022);
    task->set_credentials(request.credentials);
    task->set_name("init");
    access.start() = std::move(request.start);
    TRY(kernel.scheduler().prepare(*task, run_start));
    cgroup::enter_root(*task);
    kernel.processes().add(*task);
    kernel.processes().add(*process);
    kernel.processes().enter_new_group(*process, id, nullptr);
    kernel.processes().set_init(process.get());
    process->threads.push_back(task.get());
    task->ref(); // the scheduler's
    return task;
}

} // namespace umbra
