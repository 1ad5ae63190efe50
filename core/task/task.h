// SPDX-License-Identifier: GPL-2.0-or-later
// A task: one guest thread with its kernel stack (law 3). What threads of a process share is in Process; what is private
// to the thread is here. Guarded by the kernel lock unless a field says otherwise.
// References: Task holds its mm, files, fs, credentials, process; the process and the pid table point back without
// holding.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/abi/signal.h"
#include "core/base/list.h"
#include "core/base/ref.h"
#include "core/cgroup/membership.h"
#include "core/mm/memory-policy.h"
#include "core/platform/fiber.h"
#include "core/platform/platform.h"
#include "core/sync/wait-queue.h"
#include "core/task/credentials.h"
#include "core/task/process.h"
#include "core/task/run-queue.h"
#include "core/task/signal-queue.h"
#include "core/vfs/fd-table.h"
#include "core/vfs/path.h"

namespace umbra {

class Vcpu;
struct NamespaceSet;
struct Tracee;
struct TraceState;
namespace mm {
class AddressSpace;
}
namespace seccomp {
struct Filter;
}

/// What asks to be looked at around a system call: bits of Task::syscall_work.
enum SyscallWork : u32 {
    work_traced = 1, ///< Task::tracee is set
    work_seccomp = 2, ///< Task::seccomp_mode is not 0
    work_dispatch = 4, ///< Task::dispatch is on
};

/// SCHED_DEADLINE's share of a CPU (sched(7)): `runtime` within `deadline` of each `period`.
struct DeadlineReservation {
    Nanoseconds runtime = 0, deadline = 0, period = 0;
    u64 flags = 0; ///< SCHED_FLAG_RECLAIM and SCHED_FLAG_DL_OVERRUN, as they were given
    bool operator==(DeadlineReservation const&) const = default;
};

enum class TaskState : u8 { runnable, running, sleeping, dead };

/// PR_SET_SYSCALL_USER_DISPATCH: calls from elsewhere than [start, start + length) raise SIGSYS, unless the byte at
/// `selector` says otherwise.
struct SyscallDispatch {
    u64 start = 0, length = 0;
    GuestAddr selector {}; ///< null: always
};

/// rseq(2).
struct RseqRegistration {
    GuestAddr area {}; ///< null: none
    u32 length = 0, signature = 0;
};

class Watchpoints; // watchpoints.h

class Task : public RefCounted {
public:
    Task(Kernel& kernel, Pid tid, Ref<Process> process);
    ~Task() override;

    Kernel& kernel() const { return kernel_; }
    Pid tid() const { return tid_; }
    Pid pid() const { return process_->id; }
    Process& process() const { return *process_; }

    mm::AddressSpace& mm() const { return *mm_; }
    bool has_mm() const { return bool(mm_); }
    bool has_files() const { return bool(files_); } ///< false for a task on its way out
    FdTable& files() const { return *files_; }
    bool has_fs() const { return bool(fs_); }
    vfs::FsContext& fs() const { return *fs_; }
    NamespaceSet& namespaces() const { return *namespaces_; }
    Credentials const& credentials() const { return *credentials_; }
    Ref<Credentials> const& credentials_ref() const { return credentials_; }
    void set_credentials(Ref<Credentials> c) { credentials_ = std::move(c); }

    std::string const& name() const { return name_; }
    void set_name(std::string_view name) { name_ = name.substr(0, 15); }

    u64 limit(Resource r) const { return process_->limit(r); }
    u32 umask() const { return fs_->umask; }
    /// Where a *at call's relative path starts: the cwd for AT_FDCWD or an absolute path, else the directory fd.
    /// EBADF, ENOTDIR.
    Result<vfs::Path> path_base(GuestFd directory, std::string_view path);

    /// True if a signal that is not blocked (or a fatal one, a stop, a freeze) asks this task to leave the kernel.
    bool has_pending_signal() const;
    /// A job-control stop, or a trap that its tracer asked for, is to be entered before it runs on.
    bool must_stop() const;
    bool is_dying() const { return process_->group_exiting || exiting; }

    // --- signals (task-signal.cpp) ---
    u64 blocked = 0; ///< signal mask
    u64 waited_signals = 0; ///< sigtimedwait(2) in progress: these are consumed there, not delivered
    u64 saved_mask = 0; ///< restored after the handler of ppoll, sigsuspend, ...
    bool restore_mask = false;
    SignalQueue pending;
    /// Takes the next signal of `wanted`, the thread's own before the process's; false if there is none.
    /// `forced`: whether it is force_signal()'s.
    bool take_signal(u64 wanted, abi::SigInfo& out, bool* forced = nullptr);
    abi::StackT alt_stack { 0, abi::ss_disable, 0, 0 };

    // --- scheduling (scheduler.cpp) ---
    TaskState state = TaskState::sleeping;
    bool wake_pending = false; ///< woken while not asleep
    /// Of the sleep it is in. Until it first runs, nothing but who makes it wakes it.
    Interruption sleep_mode = Interruption::refused;
    Vcpu* vcpu = nullptr; ///< where it runs or ran last
    i32 nice = 0;
    u64 virtual_runtime = 0;
    u64 affinity = ~u64 { 0 };
    Place place; ///< in the queue that it was in last
    u32 policy = 0; ///< changed by Scheduler::change(), as the priorities and the deadline are
    i32 rt_priority = 0;
    i32 lent_priority = 0; ///< of those who wait for its PI locks (futex-pi.cpp)
    DeadlineReservation deadline; ///< of SCHED_DEADLINE
    std::unique_ptr<DeadlineServer> deadline_server; ///< under SCHED_DEADLINE
    bool reset_on_fork = false; ///< SCHED_RESET_ON_FORK: children start with the default policy
    u32 io_priority = 0; ///< ioprio_set(2); kept, and without effect on the host's I/O
    ResourceUsage usage;
    u64 user_cycles = 0, system_cycles = 0; ///< Timekeeper::cycles()
    u64 last_switch_cycles = 0; ///< when it last crossed between user and kernel
    bool in_user = false; ///< its vCPU runs guest code of it (or is on the way there and back)

    cgroup::Membership membership; ///< of its control group
    u32 syscall_work = 0; ///< SyscallWork: 0 for a thread whose calls are nobody else's business

    // --- tracing (ptrace.h) ---
    RefPtr<Tracee> tracee; ///< by whom it is traced, or null; changed by set_tracee()
    void set_tracee(RefPtr<Tracee> bond);
    std::vector<Ref<Tracee>> tracees; ///< what it traces
    RefPtr<Watchpoints> watchpoints; ///< its debug registers; null while all are 0

    // --- seccomp (core/seccomp/filter.h) ---
    u8 seccomp_mode = 0; ///< SECCOMP_MODE_*
    RefPtr<seccomp::Filter> seccomp_filter; ///< the newest

    // --- life (clone.cpp, exit.cpp) ---
    bool exiting = false;
    bool passed_core_dump = false; ///< it is on its way out, and has taken part in a dump if there was one
    u32 exit_status = 0; ///< its own wait status, if it leaves alone
    GuestAddr clear_child_tid {}; ///< set_tid_address(2)
    GuestAddr robust_list {};
    bool futexes_released
        = false; ///< its end has let go of all locks: nobody can wait for it to hand one over
    RseqRegistration rseq; ///< core/task/rseq.h
    bool rseq_pending
        = false; ///< it was off its vCPU: the area is brought up to date before it runs guest code
    i32 concurrency_id = -1; ///< a bit of mm::AddressSpace::concurrency_ids; -1: none
    SyscallDispatch dispatch;
    WaitQueue* vfork_done = nullptr; ///< the parent waits here until exec or exit
    u32 parent_death_signal = 0;
    bool no_new_privileges = false;
    Nanoseconds timer_slack = 50'000, default_timer_slack = 50'000; ///< the second: what it was created with
    u32 personality = 0; ///< personality(2)
    u8 machine_check_policy = 2; ///< PR_MCE_KILL_*: kept, since no memory error reaches a guest
    bool counter_is_readable = true; ///< PR_SET_TSC: the CPU's time stamp counter; kept by exec
    bool io_flusher = false; ///< PR_SET_IO_FLUSHER: kept, since memory is not written back to make room
    Nanoseconds start_time = 0; ///< CLOCK_BOOTTIME
    std::string wait_channel; ///< why it sleeps, for /proc/pid/wchan and gdb

    /// The system call in progress: number, arguments (for restart, /proc/pid/syscall, --strace).
    platform::Trap trap {};
    platform::Trap last_fault {}; ///< what the last fault or exception was, for the signal frame
    bool in_syscall = false;
    bool result_in_registers
        = false; ///< the call set the registers itself (rt_sigreturn, execve): rax is not touched
    /// restart_syscall(2): how to go on after ERESTART_RESTARTBLOCK.
    std::function<SyscallResult(Task&)> restart_block;
    RefPtr<RefCounted> semaphore_undos; ///< ipc::SemUndoList; shared with CLONE_SYSVSEM

    MemoryPolicy const& memory_policy() const { return memory_policy_; }
    void set_memory_policy(MemoryPolicy chosen) { memory_policy_ = chosen; }

    platform::GuestThread& guest() const { return *guest_; }

private:
    friend class Scheduler;
    friend class Vcpu;
    friend class TaskBuilder;
    friend struct TaskAccess; ///< clone, exec and exit change what a task refers to

    Kernel& kernel_;
    Pid tid_;
    Ref<Process> process_;
    RefPtr<mm::AddressSpace> mm_;
    RefPtr<FdTable> files_;
    RefPtr<vfs::FsContext> fs_;
    Ref<NamespaceSet> namespaces_;
    Ref<Credentials> credentials_;
    std::string name_;
    std::unique_ptr<platform::GuestThread> guest_;
    std::function<void(Task&)> start_; ///< what a task without a program runs first
    platform::Fiber fiber_;
    void* stack_ = nullptr;
    MemoryPolicy memory_policy_;
};

/// PR_SET_TSC of the calling task: whether its guest may read the time stamp counter. May wait. Errors are the host's.
Result<void> set_time_stamp_counter(Task& task, bool readable);

// --- sending signals (task/signal.cpp) ---

/// Whether a signal is for one process or for more, as for a group: then a child that one is just making is meant too.
enum class Audience : u8 { one, several };
/// Queues for the process or for one thread, wakes whoever should notice. A sender's ids in the information are the
/// kernel's. EAGAIN at RLIMIT_SIGPENDING for rt signals.
Result<void> send_signal(Process& process, abi::SigInfo const& info, Audience audience = Audience::one);
Result<void> send_signal(Task& task, abi::SigInfo const& info);
/// To every member of a foreground or other group (terminal signals, kill(0 or -pgid)).
void send_signal(ProcessGroup& group, abi::SigInfo const& info);
/// SI_KERNEL, or SI_USER from `sender`.
abi::SigInfo kernel_signal(int signal);
abi::SigInfo user_signal(int signal, Task const& sender);
/// Whether the disposition is to ignore (SIG_IGN, or SIG_DFL of an ignored-by-default one) - tty's SIGTTOU rules.
bool is_signal_ignored(Task const& task, int signal);
bool is_signal_blocked(Task const& task, int signal);
/// The group is orphaned (POSIX: no member has a parent in another group of the same session).
bool is_orphaned(ProcessGroup const& group);

} // namespace umbra
