# SPDX-License-Identifier: GPL-2.0-or-later
"""Law 2, "one place to wait": which host calls do the kernel's vCPU threads make under load?

strace shows every call of the kernel process's threads, with the file behind each descriptor. What cannot block by its
nature, or is told not to, is listed here; the ring's own wait is the one call that may. Anything else is an offender.
"""
import re

# Calls that look up or change something of the process's own, or of the host's, and return.
NEVER_BLOCK = {
    "brk", "clock_gettime", "close", "dup", "dup3", "epoll_create1", "epoll_ctl", "eventfd2", "exit", "fstat",
    "fstatfs", "getcpu", "getpid", "getppid", "getrandom", "gettid", "getuid", "kill", "lseek", "madvise", "memfd_create",
    "mmap", "mprotect", "mremap", "munmap", "newfstatat", "pidfd_send_signal", "pipe2", "prctl", "prlimit64", "ptrace",
    "restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_getaffinity", "sched_getscheduler",
    "sched_setaffinity", "sched_setscheduler", "sched_yield", "set_robust_list", "sigaltstack", "signalfd4", "tgkill", "timerfd_create", "uname", "sysinfo", "clone3", "clone",
}
# Memory of the kernel's own (memfd): allocated and freed, never waited for.
MEMORY_CALLS = {"fallocate", "ftruncate", "pread64", "pwrite64", "preadv", "pwritev"}
# The ring's wait, in each of its engines.
THE_WAIT = {"io_uring_enter", "epoll_wait", "epoll_pwait", "epoll_pwait2"}
NONBLOCKING_FILES = ("anon_inode:[eventfd]", "anon_inode:[signalfd]")

LINE = re.compile(r"^(?P<tid>\d+)(?:<(?P<name>[^>]*)>)?\s+(?P<call>\w+)\((?P<rest>.*)$")
RESUMED = re.compile(r"^(?P<tid>\d+)(?:<[^>]*>)?\s+<\.\.\. \w+ resumed>(?P<rest>.*)$")
UNFINISHED = " <unfinished ...>"


def whole_calls(trace):
    """The lines of the log, with calls that were printed in two parts put together again."""
    begun = {}
    for line in trace.splitlines():
        if resumed := RESUMED.match(line):
            yield begun.pop(resumed["tid"], "") + resumed["rest"]
        elif line.endswith(UNFINISHED):
            begun[line.split("<")[0].split()[0]] = line.removesuffix(UNFINISHED)
        else:
            yield line
    yield from begun.values()


def is_allowed(call, rest):
    """Whether this call, with these arguments, cannot block or is the ring's wait."""
    if call in NEVER_BLOCK or call in THE_WAIT:
        return True
    # Path lookups that must find all of it in the host's memory; attributes of what is open, as they are known.
    if call == "openat2":
        return "RESOLVE_CACHED" in rest
    if call == "statx":
        return "AT_STATX_DONT_SYNC|AT_EMPTY_PATH" in rest
    if call == "fcntl":
        return "F_SETLKW" not in rest
    if call == "futex":
        return "FUTEX_WAKE" in rest
    if call in ("wait4", "waitid"):
        return "WNOHANG" in rest
    if call in ("preadv2", "pwritev2"):
        return "RWF_NOWAIT" in rest or "/memfd:" in rest
    if call in MEMORY_CALLS:
        return "/memfd:" in rest
    if call == "ioctl":
        # A notification is received after the listener was polled, and no vCPU takes another one's. Terminals' settings
        # do not wait (TCSETS, not TCSETSW). A userfaultfd's calls change page tables and wake nobody who must answer.
        return any(word in rest for word in ("UFFDIO_", "seccomp notify>", "TIOCGWINSZ", "TCGETS", "TCSETS,", "FIONREAD"))
    if call in ("read", "write", "readv", "writev"):
        return any(f"<{name}" in rest or f"[{name}" in rest for name in NONBLOCKING_FILES)
    if call in ("recvmsg", "sendmsg", "recvfrom", "sendto"):
        return "MSG_DONTWAIT" in rest
    if call in ("poll", "ppoll"):
        return "tv_sec=0, tv_nsec=0" in rest
    return False


def is_vcpu(name):
    """The helper threads and the host's own io_uring workers are there in order to block."""
    return not name.startswith(("umbra-helper", "iou-"))


def offenders(trace):
    """{call: [example line, count]} of an strace log made with -f -y -Y."""
    found = {}
    for line in whole_calls(trace):
        match = LINE.match(line)
        if not match or not is_vcpu(match["name"] or "") or is_allowed(match["call"], match["rest"]):
            continue
        entry = found.setdefault(match["call"], [line, 0])
        entry[1] += 1
    return found


def waits_seen(trace):
    """How often the ring's wait was called: a trace without any shows nothing."""
    calls = (LINE.match(line) for line in whole_calls(trace))
    return sum(1 for match in calls if match and match["call"] in THE_WAIT)
