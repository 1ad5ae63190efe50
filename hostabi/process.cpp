// SPDX-License-Identifier: GPL-2.0-or-later
// Host processes and threads.
#include "hostabi/process.h"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "hostabi/fd.h"
#include "hostabi/host-call.h"

namespace umbra::hostabi::process {

i32 own_pid() { return static_cast<i32>(host_call(SYS_getpid)); }
i32 own_tid() { return static_cast<i32>(host_call(SYS_gettid)); }
i32 parent_pid() { return static_cast<i32>(host_call(SYS_getppid)); }

HostResult<void> send_signal_to_thread(i32 pid, i32 tid, int signal)
{
    return host_status(host_call(SYS_tgkill, pid, tid, signal));
}

HostResult<void> send_signal(i32 pid, int signal) { return host_status(host_call(SYS_kill, pid, signal)); }

HostResult<void> send_signal_by_pidfd(int pidfd, int signal)
{
    return host_status(host_call(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

bool is_end(i32 status) { return WIFEXITED(status) || WIFSIGNALED(status); }

HostResult<std::optional<WaitStatus>> poll_child(i32 tid)
{
    i32 status = 0;
    i64 const id = TRY(host_value(host_call(SYS_wait4, tid, &status, WNOHANG | __WALL, nullptr)));
    if (id == 0) return std::optional<WaitStatus> {};
    return std::optional<WaitStatus> { WaitStatus { static_cast<i32>(id), status } };
}

HostResult<OwnedFd> take_child_signals()
{
    if (signal(SIGCHLD, SIG_DFL) == SIG_ERR) return HostErrno { EINVAL };
    u64 const mask = u64 { 1 } << (SIGCHLD - 1);
    TRY(host_status(host_call(SYS_rt_sigprocmask, SIG_BLOCK, &mask, nullptr, sizeof mask)));
    return OwnedFd::signalfd(mask, SFD_NONBLOCK);
}

bool has_ended(i32 pid)
{
    siginfo_t info {};
    i64 const result
        = host_call(SYS_waitid, P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, nullptr);
    return result == 0 && info.si_pid == pid;
}

bool has_any_ended()
{
    siginfo_t info {};
    i64 const result = host_call(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, nullptr);
    return result == 0 && info.si_pid != 0;
}

HostResult<WaitStatus> wait_for_child(i32 tid)
{
    i32 status = 0;
    i64 id;
    do
        id = host_call(SYS_wait4, tid, &status, __WALL, nullptr);
    while (id == -EINTR);
    return WaitStatus { static_cast<i32>(TRY(host_value(id))), status };
}

HostResult<cpu_set_t> affinity(i32 tid)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus); // the host fills in only as much as it has CPUs
    TRY(host_status(host_call(SYS_sched_getaffinity, tid, sizeof cpus, &cpus)));
    return cpus;
}

HostResult<void> set_affinity(i32 tid, cpu_set_t const& cpus)
{
    return host_status(host_call(SYS_sched_setaffinity, tid, sizeof cpus, &cpus));
}

HostResult<void> pin_to_cpu(i32 tid, unsigned cpu)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    return set_affinity(tid, cpus);
}

HostResult<void> set_preempting(i32 tid, bool preempts)
{
    int const wanted = preempts ? SCHED_OTHER : SCHED_BATCH;
    i64 const policy = TRY(host_value(host_call(SYS_sched_getscheduler, tid)));
    if (policy == wanted || (policy != SCHED_OTHER && policy != SCHED_BATCH)) return {};
    sched_param const no_priority {};
    return host_status(host_call(SYS_sched_setscheduler, tid, wanted, &no_priority));
}

unsigned current_cpu()
{
    int const cpu = sched_getcpu(); // through the vDSO
    return cpu < 0 ? 0 : static_cast<unsigned>(cpu);
}

HostResult<void> die_with_parent(int signal, i32 parent)
{
    TRY(host_status(host_call(SYS_prctl, PR_SET_PDEATHSIG, signal, 0, 0, 0)));
    if (parent_pid() != parent) return HostErrno { ESRCH };
    return {};
}

HostResult<void> adopt_orphans()
{
    return host_status(host_call(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
}

HostResult<void> set_name(char const* name)
{
    return host_status(host_call(SYS_prctl, PR_SET_NAME, name, 0, 0, 0));
}

HostResult<void> set_timer_slack(Nanoseconds slack)
{
    return host_status(host_call(SYS_prctl, PR_SET_TIMERSLACK, slack, 0, 0, 0));
}

HostResult<void> set_dumpable(bool on)
{
    return host_status(host_call(SYS_prctl, PR_SET_DUMPABLE, on ? 1 : 0, 0, 0, 0));
}

HostResult<void> set_oom_score(i32 pid, i32 score)
{
    char path[48], text[16];
    std::snprintf(path, sizeof path, "/proc/%d/oom_score_adj", pid);
    int const length = std::snprintf(text, sizeof text, "%d", score);
    OwnedFd file = TRY(OwnedFd::open(path, O_WRONLY));
    return write_all(file.get(), { reinterpret_cast<u8 const*>(text), static_cast<std::size_t>(length) });
}

HostResult<Limit> limit(int resource)
{
    rlimit64 value {};
    TRY(host_status(host_call(SYS_prlimit64, 0, resource, nullptr, &value)));
    return Limit { value.rlim_cur, value.rlim_max };
}

HostResult<void> set_limit(int resource, Limit limit)
{
    rlimit64 const value { limit.soft, limit.hard };
    return host_status(host_call(SYS_prlimit64, 0, resource, &value, nullptr));
}

u64 raise_descriptor_limit()
{
    auto const now = limit(RLIMIT_NOFILE);
    if (now.is_error()) return 1024; // Linux's default; the question itself was refused
    Limit const wanted { now.value().hard, now.value().hard };
    return set_limit(RLIMIT_NOFILE, wanted).ok() ? wanted.soft : now.value().soft;
}

u32 reserve_standard_descriptors()
{
    u32 closed = 0;
    for (int fd = 0; fd < 3; ++fd) {
        if (host_call(SYS_fcntl, fd, F_GETFD) >= 0) continue;
        auto place = OwnedFd::open("/", O_PATH); // the lowest free number, which is this one
        if (place.ok() && place.value().release() == fd) closed |= 1u << fd;
    }
    return closed;
}

} // namespace umbra::hostabi::process
