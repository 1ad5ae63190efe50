// SPDX-License-Identifier: GPL-2.0-or-later
// A process (Linux: thread group with its signal_struct and sighand_struct): what its threads share besides memory,
// files and fs context. Guarded by the kernel lock.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/abi/signal.h"
#include "core/base/list.h"
#include "core/base/ref.h"
#include "core/base/types.h"
#include "core/sync/wait-queue.h"
#include "core/task/signal-queue.h"

namespace umbra {

class Kernel;
class Task;
class Process;
class PidNamespace;
class PosixTimers;
class CoreDump;
struct Tracee;
namespace tty {
class Tty;
}
namespace cgroup {
class Cgroup;
}

/// A session: processes that share a controlling terminal (credentials(7), setsid(2)).
struct Session : RefCounted {
    explicit Session(Pid id)
        : id(id)
    {
    }
    Pid id; ///< pid of the leader
    RefPtr<RefCounted> terminal_ref; ///< keeps the tty alive
    tty::Tty* terminal = nullptr; ///< the controlling terminal or null
    Pid former_foreground {
        0
    }; ///< the foreground group when the terminal was hung up: told at the leader's exit
};

/// A process group within a session.
struct ProcessGroup : RefCounted {
    ProcessGroup(Pid id, Ref<Session> session)
        : id(id)
        , session(std::move(session))
    {
    }
    Pid id;
    Ref<Session> session;
    std::vector<Process*> members;
};

/// Signal dispositions (sighand_struct), shared by CLONE_SIGHAND.
struct SignalHandlers : RefCounted {
    std::array<abi::KernelSigaction, 64> actions {};
};

struct Rlimit {
    u64 current, maximum;
};
enum class Resource : u8 {
    cpu,
    fsize,
    data,
    stack,
    core,
    rss,
    nproc,
    nofile,
    memlock,
    as,
    locks,
    sigpending,
    msgqueue,
    nice,
    rtprio,
    rttime,
    count
};
constexpr u64 kRlimInfinity = ~u64 { 0 };

/// CPU time and counters as getrusage(2) and wait4(2) give them.
struct ResourceUsage {
    Nanoseconds user = 0, system = 0;
    u64 minor_faults = 0, major_faults = 0, voluntary_switches = 0, involuntary_switches = 0;
    u64 max_rss_pages = 0, blocks_in = 0, blocks_out = 0;
    void add(ResourceUsage const& o)
    {
        user += o.user, system += o.system, minor_faults += o.minor_faults, major_faults += o.major_faults;
        voluntary_switches += o.voluntary_switches, involuntary_switches += o.involuntary_switches;
        max_rss_pages = max_rss_pages > o.max_rss_pages ? max_rss_pages : o.max_rss_pages;
        blocks_in += o.blocks_in, blocks_out += o.blocks_out;
    }
};

enum class ProcessState : u8 { running, stopped, zombie };

class Process : public RefCounted {
public:
    Process(Kernel& kernel, Pid id, PidNamespace& pids, Ref<SignalHandlers> handlers);
    ~Process() override;

    Kernel& kernel;
    Pid id; ///< the kernel's number of it, which is the pid of getpid(2) in the first namespace
    Ref<PidNamespace> pids; ///< the namespace that it is in
    std::vector<Task*> threads; ///< the leader first
    /// A leader that has exited stays among the threads, a zombie, until the others are gone too (or one of them execs).
    RefPtr<Task> zombie_leader;
    u64 live_threads() const { return threads.size() - (zombie_leader ? 1 : 0); }
    RefPtr<Tracee> leader_tracee; ///< of a leader that has exited: told to the tracer at the process's end
    Process* parent = nullptr;
    Pid forked_by {}; ///< the thread of the parent's that made it, for /proc/PID/task/TID/children
    std::vector<Process*> children;
    RefPtr<ProcessGroup> group;
    Session& session() const { return *group->session; }

    // Signals
    Ref<SignalHandlers> handlers;
    SignalQueue shared_pending;
    List<ForkUnderWay> forks; ///< by its threads
    WaitQueue signal_waiters; ///< signalfd and sigtimedwait: woken when a signal is queued

    // Life and death
    ProcessState state = ProcessState::running;
    bool group_exiting = false; ///< exit_group or a fatal signal: every thread leaves
    u32 exit_code = 0; ///< wait status, as wait4(2) gives it
    RefPtr<cgroup::Cgroup>
        last_cgroup; ///< of the leader, once it has left: charged until the process is reaped
    u32 last_uid = 0; ///< real uid of a thread, for the parent's siginfo once none is left
    std::string last_name; ///< likewise its comm, for /proc
    u32 exit_signal = abi::sigchld; ///< sent to the parent; 0: none
    bool stop_reported = true, continue_reported = true; ///< seen by wait
    u32 stop_signal = 0;
    bool stop_announced = true; ///< the parent is told once no thread runs guest code any more
    WaitQueue stop_queue; ///< threads parked by a job-control stop
    WaitQueue child_events; ///< wait4, waitid and pidfds of children
    WaitQueue exit_waiters; ///< pidfd: readable at exit
    bool is_subreaper = false;
    bool gave_up_terminal = false; ///< TIOCNOTTY of a process that does not lead the session
    bool dumpable = true;
    u32 programs_run
        = 0; ///< how often it has called execve(2); after the first, its parent's setpgid(2) is EACCES
    Task* executing
        = nullptr; ///< the thread between its new credentials and its new program (Linux: cred_guard_mutex)
    WaitQueue exec_over;
    RefPtr<CoreDump> core_dump; ///< being made: each thread that ends leaves its registers there
    bool huge_pages_disabled = false; ///< PR_SET_THP_DISABLE; there are none either way
    u32 membarrier_registrations = 0; ///< MEMBARRIER_CMD_REGISTER_*

    std::array<Rlimit, size_t(Resource::count)> limits;
    u64 limit(Resource r) const { return limits[size_t(r)].current; }
    ResourceUsage own_usage; ///< of threads that have exited
    ResourceUsage children_usage; ///< of children waited for
    std::unique_ptr<PosixTimers> timers; ///< itimers and POSIX timers; made on first use
    PosixTimers& timers_or_new();
    Nanoseconds start_time = 0; ///< CLOCK_BOOTTIME
    i32 oom_score_adj = 0;

    Task* leader() const { return threads.empty() ? nullptr : threads.front(); }
    /// Any thread that is not exiting, or null (a zombie).
    Task* any_thread() const;
};

/// All processes and tasks by number, pid allocation, init.
class ProcessTable;

} // namespace umbra
