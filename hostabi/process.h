// SPDX-License-Identifier: GPL-2.0-or-later
// Host processes and threads: signals, waiting, limits, attributes. No call waits: a process's end is learnt
// from its pidfd in the ring.
#pragma once

#include <optional>

#include <sched.h>

#include "core/base/types.h"
#include "hostabi/fd.h"
#include "hostabi/host-result.h"

namespace umbra::hostabi::process {

i32 own_pid();
i32 own_tid();
i32 parent_pid();

/// ESRCH: there is no such thread (any more).
HostResult<void> send_signal_to_thread(i32 pid, i32 tid, int signal);
HostResult<void> send_signal(i32 pid, int signal);
HostResult<void> send_signal_by_pidfd(int pidfd, int signal);

struct WaitStatus {
    i32 id; ///< the thread that changed
    i32 status; ///< as wait(2) gives it: WIFSTOPPED and friends
};
/// Whether such a status says that the thread is gone, and not merely stopped.
bool is_end(i32 status);
/// wait4(2) with WNOHANG and __WALL. Nothing: no change to report. ECHILD: no such child or tracee.
HostResult<std::optional<WaitStatus>> poll_child(i32 tid);
/// A signalfd, non-blocking, that is readable when a child has changed. Blocks SIGCHLD in the calling thread
/// and in those it starts, and undoes an inherited SIG_IGN, under which the host would reap children by
/// itself.
HostResult<OwnedFd> take_child_signals();
/// Whether the child has ended; it stays in the host's process table until poll_child() or wait_for_child().
bool has_ended(i32 pid);
/// The same of any child. A walk of the host's over all of them, without a call for each.
bool has_any_ended();
/// poll_child(), but sleeps. Only for tests, throw-away children and a process that is known to have ended.
HostResult<WaitStatus> wait_for_child(i32 tid);

/// The CPUs that thread `tid` (0: the caller) may use.
HostResult<cpu_set_t> affinity(i32 tid);
HostResult<void> set_affinity(i32 tid, cpu_set_t const& cpus);
HostResult<void> pin_to_cpu(i32 tid, unsigned cpu);
/// Whether the thread preempts others when it wakes up: SCHED_OTHER or SCHED_BATCH, with the same share of the CPU. One of
/// another policy stays what it is. What it clones from now on is the same.
HostResult<void> set_preempting(i32 tid, bool preempts);
unsigned current_cpu();

/// The caller gets `signal` when the thread that created it dies. Checks that it is not too late: ESRCH when
/// `parent`, the creator's process, is not the parent any more.
HostResult<void> die_with_parent(int signal, i32 parent);
/// Orphaned descendants become children of the calling process.
HostResult<void> adopt_orphans();
HostResult<void> set_name(char const* name);
/// How late the host may end the caller's timed sleeps, in order to save wake-ups. Default 50 microseconds.
HostResult<void> set_timer_slack(Nanoseconds slack);
/// May /proc/PID/mem and ptrace of the same user reach the process, may it dump core.
HostResult<void> set_dumpable(bool on);
HostResult<void> set_oom_score(i32 pid, i32 score);

/// Soft and hard limit; UINT64_MAX is no limit. `resource`: RLIMIT_*.
struct Limit {
    u64 soft, hard;
};
HostResult<Limit> limit(int resource);
HostResult<void> set_limit(int resource, Limit limit);
/// Raises the soft limit of open files to the hard one; returns the limit now in force.
u64 raise_descriptor_limit();
/// Keeps the numbers 0, 1 and 2 from being given to descriptors of ours where the caller has closed them: what stands
/// there instead can be neither read nor written. Bit n: n was closed. Before anything else is opened.
u32 reserve_standard_descriptors();

} // namespace umbra::hostabi::process
