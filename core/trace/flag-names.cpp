// SPDX-License-Identifier: GPL-2.0-or-later
// The tables of names, by value as in Linux's headers for x86-64.
#include "core/trace/flag-names.h"

#include <cstring>

#include "core/abi/file.h"
#include "core/abi/mman.h"
#include "core/abi/signal.h"
#include "core/base/error.h"

namespace umbra::trace {

namespace {
constexpr ValueName access_modes[] = { { 4, "R_OK" }, { 2, "W_OK" }, { 1, "X_OK" } };
constexpr ValueName at_flags[] = { { 0x100, "AT_SYMLINK_NOFOLLOW" }, { 0x200, "AT_REMOVEDIR" },
    { 0x400, "AT_SYMLINK_FOLLOW" }, { 0x800, "AT_NO_AUTOMOUNT" }, { 0x1000, "AT_EMPTY_PATH" },
    { 0x2000, "AT_STATX_FORCE_SYNC" }, { 0x4000, "AT_STATX_DONT_SYNC" }, { 0x8000, "AT_RECURSIVE" } };
constexpr ValueName seek_origins[]
    = { { 0, "SEEK_SET" }, { 1, "SEEK_CUR" }, { 2, "SEEK_END" }, { 3, "SEEK_DATA" }, { 4, "SEEK_HOLE" } };
constexpr ValueName protections[] = { { 1, "PROT_READ" }, { 2, "PROT_WRITE" }, { 4, "PROT_EXEC" },
    { 0x01000000, "PROT_GROWSDOWN" }, { 0x02000000, "PROT_GROWSUP" } };
constexpr ValueName map_flags[] = { { 3, "MAP_SHARED_VALIDATE" }, { 1, "MAP_SHARED" }, { 2, "MAP_PRIVATE" },
    { 0x10, "MAP_FIXED" }, { 0x20, "MAP_ANONYMOUS" }, { 0x40, "MAP_32BIT" }, { 0x100, "MAP_GROWSDOWN" },
    { 0x800, "MAP_DENYWRITE" }, { 0x1000, "MAP_EXECUTABLE" }, { 0x2000, "MAP_LOCKED" },
    { 0x4000, "MAP_NORESERVE" }, { 0x8000, "MAP_POPULATE" }, { 0x10000, "MAP_NONBLOCK" },
    { 0x20000, "MAP_STACK" }, { 0x40000, "MAP_HUGETLB" }, { 0x80000, "MAP_SYNC" },
    { 0x100000, "MAP_FIXED_NOREPLACE" } };
constexpr ValueName remap_flags[]
    = { { 1, "MREMAP_MAYMOVE" }, { 2, "MREMAP_FIXED" }, { 4, "MREMAP_DONTUNMAP" } };
constexpr ValueName advices[] = { { 0, "MADV_NORMAL" }, { 1, "MADV_RANDOM" }, { 2, "MADV_SEQUENTIAL" },
    { 3, "MADV_WILLNEED" }, { 4, "MADV_DONTNEED" }, { 8, "MADV_FREE" }, { 9, "MADV_REMOVE" },
    { 10, "MADV_DONTFORK" }, { 11, "MADV_DOFORK" }, { 12, "MADV_MERGEABLE" }, { 13, "MADV_UNMERGEABLE" },
    { 14, "MADV_HUGEPAGE" }, { 15, "MADV_NOHUGEPAGE" }, { 16, "MADV_DONTDUMP" }, { 17, "MADV_DODUMP" },
    { 18, "MADV_WIPEONFORK" }, { 19, "MADV_KEEPONFORK" }, { 20, "MADV_COLD" }, { 21, "MADV_PAGEOUT" },
    { 22, "MADV_POPULATE_READ" }, { 23, "MADV_POPULATE_WRITE" } };
constexpr ValueName sync_flags[] = { { 1, "MS_ASYNC" }, { 2, "MS_INVALIDATE" }, { 4, "MS_SYNC" } };
constexpr ValueName clone_flags[] = { { 0x80, "CLONE_NEWTIME" }, { 0x100, "CLONE_VM" }, { 0x200, "CLONE_FS" },
    { 0x400, "CLONE_FILES" }, { 0x800, "CLONE_SIGHAND" }, { 0x1000, "CLONE_PIDFD" },
    { 0x2000, "CLONE_PTRACE" }, { 0x4000, "CLONE_VFORK" }, { 0x8000, "CLONE_PARENT" },
    { 0x10000, "CLONE_THREAD" }, { 0x20000, "CLONE_NEWNS" }, { 0x40000, "CLONE_SYSVSEM" },
    { 0x80000, "CLONE_SETTLS" }, { 0x100000, "CLONE_PARENT_SETTID" }, { 0x200000, "CLONE_CHILD_CLEARTID" },
    { 0x400000, "CLONE_DETACHED" }, { 0x800000, "CLONE_UNTRACED" }, { 0x1000000, "CLONE_CHILD_SETTID" },
    { 0x2000000, "CLONE_NEWCGROUP" }, { 0x4000000, "CLONE_NEWUTS" }, { 0x8000000, "CLONE_NEWIPC" },
    { 0x10000000, "CLONE_NEWUSER" }, { 0x20000000, "CLONE_NEWPID" }, { 0x40000000, "CLONE_NEWNET" },
    { 0x80000000, "CLONE_IO" }, { 0x100000000, "CLONE_CLEAR_SIGHAND" },
    { 0x200000000, "CLONE_INTO_CGROUP" } };
constexpr ValueName wait_flags[]
    = { { 1, "WNOHANG" }, { 2, "WSTOPPED" }, { 4, "WEXITED" }, { 8, "WCONTINUED" }, { 0x1000000, "WNOWAIT" },
          { 0x20000000, "__WNOTHREAD" }, { 0x40000000, "__WALL" }, { 0x80000000, "__WCLONE" } };
constexpr ValueName mask_changes[] = { { 0, "SIG_BLOCK" }, { 1, "SIG_UNBLOCK" }, { 2, "SIG_SETMASK" } };
constexpr ValueName action_flags[] = { { 0x04000000, "SA_RESTORER" }, { 0x08000000, "SA_ONSTACK" },
    { 0x10000000, "SA_RESTART" }, { 0x40000000, "SA_NODEFER" }, { 0x80000000, "SA_RESETHAND" },
    { 1, "SA_NOCLDSTOP" }, { 2, "SA_NOCLDWAIT" }, { 4, "SA_SIGINFO" }, { 0x800, "SA_EXPOSE_TAGBITS" } };
constexpr ValueName clocks[] = { { 0, "CLOCK_REALTIME" }, { 1, "CLOCK_MONOTONIC" },
    { 2, "CLOCK_PROCESS_CPUTIME_ID" }, { 3, "CLOCK_THREAD_CPUTIME_ID" }, { 4, "CLOCK_MONOTONIC_RAW" },
    { 5, "CLOCK_REALTIME_COARSE" }, { 6, "CLOCK_MONOTONIC_COARSE" }, { 7, "CLOCK_BOOTTIME" },
    { 8, "CLOCK_REALTIME_ALARM" }, { 9, "CLOCK_BOOTTIME_ALARM" }, { 11, "CLOCK_TAI" } };
constexpr ValueName timers[] = { { 0, "ITIMER_REAL" }, { 1, "ITIMER_VIRTUAL" }, { 2, "ITIMER_PROF" } };
constexpr ValueName resources[] = { { 0, "RLIMIT_CPU" }, { 1, "RLIMIT_FSIZE" }, { 2, "RLIMIT_DATA" },
    { 3, "RLIMIT_STACK" }, { 4, "RLIMIT_CORE" }, { 5, "RLIMIT_RSS" }, { 6, "RLIMIT_NPROC" },
    { 7, "RLIMIT_NOFILE" }, { 8, "RLIMIT_MEMLOCK" }, { 9, "RLIMIT_AS" }, { 10, "RLIMIT_LOCKS" },
    { 11, "RLIMIT_SIGPENDING" }, { 12, "RLIMIT_MSGQUEUE" }, { 13, "RLIMIT_NICE" }, { 14, "RLIMIT_RTPRIO" },
    { 15, "RLIMIT_RTTIME" } };
constexpr ValueName ioctls[] = { { 0x5401, "TCGETS" }, { 0x5402, "TCSETS" }, { 0x5403, "TCSETSW" },
    { 0x5404, "TCSETSF" }, { 0x5405, "TCGETA" }, { 0x5409, "TCSBRK" }, { 0x540a, "TCXONC" },
    { 0x540b, "TCFLSH" }, { 0x540c, "TIOCEXCL" }, { 0x540d, "TIOCNXCL" }, { 0x540e, "TIOCSCTTY" },
    { 0x540f, "TIOCGPGRP" }, { 0x5410, "TIOCSPGRP" }, { 0x5411, "TIOCOUTQ" }, { 0x5412, "TIOCSTI" },
    { 0x5413, "TIOCGWINSZ" }, { 0x5414, "TIOCSWINSZ" }, { 0x541b, "FIONREAD" }, { 0x5420, "TIOCPKT" },
    { 0x5421, "FIONBIO" }, { 0x5422, "TIOCNOTTY" }, { 0x5429, "TIOCGSID" }, { 0x80045430, "TIOCGPTN" },
    { 0x40045431, "TIOCSPTLCK" }, { 0x5441, "TIOCGPTPEER" }, { 0x5450, "FIONCLEX" }, { 0x5451, "FIOCLEX" },
    { 0x5452, "FIOASYNC" }, { 0x5460, "FIOQSIZE" }, { 2, "FIGETBSZ" }, { 1, "FIBMAP" },
    { 0x40049409, "FICLONE" }, { 0x4020940d, "FICLONERANGE" }, { 0x80086601, "FS_IOC_GETFLAGS" },
    { 0x40086602, "FS_IOC_SETFLAGS" }, { 0x8912, "SIOCGIFCONF" }, { 0x8913, "SIOCGIFFLAGS" },
    { 0x80045200, "RNDGETENTCNT" }, { 0x4b33, "KDGKBTYPE" }, { 0x5603, "VT_GETSTATE" } };
constexpr ValueName fcntls[] = { { 0, "F_DUPFD" }, { 1, "F_GETFD" }, { 2, "F_SETFD" }, { 3, "F_GETFL" },
    { 4, "F_SETFL" }, { 5, "F_GETLK" }, { 6, "F_SETLK" }, { 7, "F_SETLKW" }, { 8, "F_SETOWN" },
    { 9, "F_GETOWN" }, { 10, "F_SETSIG" }, { 11, "F_GETSIG" }, { 15, "F_SETOWN_EX" }, { 16, "F_GETOWN_EX" },
    { 36, "F_OFD_GETLK" }, { 37, "F_OFD_SETLK" }, { 38, "F_OFD_SETLKW" }, { 1024, "F_SETLEASE" },
    { 1025, "F_GETLEASE" }, { 1026, "F_NOTIFY" }, { 1027, "F_DUPFD_QUERY" }, { 1028, "F_CREATED_QUERY" },
    { 1030, "F_DUPFD_CLOEXEC" }, { 1031, "F_SETPIPE_SZ" }, { 1032, "F_GETPIPE_SZ" }, { 1033, "F_ADD_SEALS" },
    { 1034, "F_GET_SEALS" } };
constexpr ValueName fd_flags[] = { { 1, "FD_CLOEXEC" } };
constexpr ValueName futex_commands[] = { { 0, "FUTEX_WAIT" }, { 1, "FUTEX_WAKE" }, { 2, "FUTEX_FD" },
    { 3, "FUTEX_REQUEUE" }, { 4, "FUTEX_CMP_REQUEUE" }, { 5, "FUTEX_WAKE_OP" }, { 6, "FUTEX_LOCK_PI" },
    { 7, "FUTEX_UNLOCK_PI" }, { 8, "FUTEX_TRYLOCK_PI" }, { 9, "FUTEX_WAIT_BITSET" },
    { 10, "FUTEX_WAKE_BITSET" }, { 11, "FUTEX_WAIT_REQUEUE_PI" }, { 12, "FUTEX_CMP_REQUEUE_PI" },
    { 13, "FUTEX_LOCK_PI2" } };
constexpr ValueName epoll_operations[]
    = { { 1, "EPOLL_CTL_ADD" }, { 2, "EPOLL_CTL_DEL" }, { 3, "EPOLL_CTL_MOD" } };
constexpr ValueName poll_events[] = { { 1, "POLLIN" }, { 2, "POLLPRI" }, { 4, "POLLOUT" }, { 8, "POLLERR" },
    { 0x10, "POLLHUP" }, { 0x20, "POLLNVAL" }, { 0x40, "POLLRDNORM" }, { 0x80, "POLLRDBAND" },
    { 0x100, "POLLWRNORM" }, { 0x200, "POLLWRBAND" }, { 0x2000, "POLLRDHUP" } };
constexpr ValueName epoll_events[]
    = { { 1, "EPOLLIN" }, { 2, "EPOLLPRI" }, { 4, "EPOLLOUT" }, { 8, "EPOLLERR" }, { 0x10, "EPOLLHUP" },
          { 0x40, "EPOLLRDNORM" }, { 0x80, "EPOLLRDBAND" }, { 0x100, "EPOLLWRNORM" },
          { 0x200, "EPOLLWRBAND" }, { 0x2000, "EPOLLRDHUP" }, { 1u << 28, "EPOLLEXCLUSIVE" },
          { 1u << 29, "EPOLLWAKEUP" }, { 1u << 30, "EPOLLONESHOT" }, { 1u << 31, "EPOLLET" } };
constexpr ValueName random_flags[] = { { 1, "GRND_NONBLOCK" }, { 2, "GRND_RANDOM" }, { 4, "GRND_INSECURE" } };
constexpr ValueName prctls[] = { { 1, "PR_SET_PDEATHSIG" }, { 2, "PR_GET_PDEATHSIG" },
    { 3, "PR_GET_DUMPABLE" }, { 4, "PR_SET_DUMPABLE" }, { 7, "PR_GET_KEEPCAPS" }, { 8, "PR_SET_KEEPCAPS" },
    { 15, "PR_SET_NAME" }, { 16, "PR_GET_NAME" }, { 21, "PR_GET_SECCOMP" }, { 22, "PR_SET_SECCOMP" },
    { 23, "PR_CAPBSET_READ" }, { 24, "PR_CAPBSET_DROP" }, { 27, "PR_GET_SECUREBITS" },
    { 28, "PR_SET_SECUREBITS" }, { 29, "PR_SET_TIMERSLACK" }, { 30, "PR_GET_TIMERSLACK" },
    { 36, "PR_SET_CHILD_SUBREAPER" }, { 37, "PR_GET_CHILD_SUBREAPER" }, { 38, "PR_SET_NO_NEW_PRIVS" },
    { 39, "PR_GET_NO_NEW_PRIVS" }, { 40, "PR_GET_TID_ADDRESS" }, { 41, "PR_SET_THP_DISABLE" },
    { 42, "PR_GET_THP_DISABLE" }, { 47, "PR_CAP_AMBIENT" }, { 25, "PR_GET_TSC" }, { 26, "PR_SET_TSC" },
    { 33, "PR_MCE_KILL" }, { 34, "PR_MCE_KILL_GET" }, { 35, "PR_SET_MM" }, { 52, "PR_GET_SPECULATION_CTRL" },
    { 53, "PR_SET_SPECULATION_CTRL" }, { 57, "PR_SET_IO_FLUSHER" }, { 58, "PR_GET_IO_FLUSHER" },
    { 59, "PR_SET_SYSCALL_USER_DISPATCH" }, { 65, "PR_SET_MDWE" }, { 66, "PR_GET_MDWE" },
    { 0x41555856, "PR_GET_AUXV" }, { 0x53564d41, "PR_SET_VMA" }, { 0x59616d61, "PR_SET_PTRACER" } };
constexpr ValueName arch_prctls[] = { { 0x1001, "ARCH_SET_GS" }, { 0x1002, "ARCH_SET_FS" },
    { 0x1003, "ARCH_GET_FS" }, { 0x1004, "ARCH_GET_GS" }, { 0x1011, "ARCH_GET_CPUID" },
    { 0x1012, "ARCH_SET_CPUID" }, { 0x1021, "ARCH_GET_XCOMP_SUPP" }, { 0x1022, "ARCH_GET_XCOMP_PERM" },
    { 0x1023, "ARCH_REQ_XCOMP_PERM" }, { 0x3001, "ARCH_CET_STATUS" }, { 0x5001, "ARCH_SHSTK_ENABLE" } };
constexpr ValueName seccomp_operations[] = { { 0, "SECCOMP_SET_MODE_STRICT" },
    { 1, "SECCOMP_SET_MODE_FILTER" }, { 2, "SECCOMP_GET_ACTION_AVAIL" }, { 3, "SECCOMP_GET_NOTIF_SIZES" } };
constexpr ValueName ptrace_requests[] = { { 0, "PTRACE_TRACEME" }, { 1, "PTRACE_PEEKTEXT" },
    { 2, "PTRACE_PEEKDATA" }, { 3, "PTRACE_PEEKUSER" }, { 4, "PTRACE_POKETEXT" }, { 5, "PTRACE_POKEDATA" },
    { 6, "PTRACE_POKEUSER" }, { 7, "PTRACE_CONT" }, { 8, "PTRACE_KILL" }, { 9, "PTRACE_SINGLESTEP" },
    { 12, "PTRACE_GETREGS" }, { 13, "PTRACE_SETREGS" }, { 14, "PTRACE_GETFPREGS" },
    { 15, "PTRACE_SETFPREGS" }, { 16, "PTRACE_ATTACH" }, { 17, "PTRACE_DETACH" }, { 24, "PTRACE_SYSCALL" },
    { 30, "PTRACE_ARCH_PRCTL" }, { 31, "PTRACE_SYSEMU" }, { 32, "PTRACE_SYSEMU_SINGLESTEP" },
    { 33, "PTRACE_SINGLEBLOCK" }, { 0x4200, "PTRACE_SETOPTIONS" }, { 0x4201, "PTRACE_GETEVENTMSG" },
    { 0x4202, "PTRACE_GETSIGINFO" }, { 0x4203, "PTRACE_SETSIGINFO" }, { 0x4204, "PTRACE_GETREGSET" },
    { 0x4205, "PTRACE_SETREGSET" }, { 0x4206, "PTRACE_SEIZE" }, { 0x4207, "PTRACE_INTERRUPT" },
    { 0x4208, "PTRACE_LISTEN" }, { 0x4209, "PTRACE_PEEKSIGINFO" }, { 0x420a, "PTRACE_GETSIGMASK" },
    { 0x420b, "PTRACE_SETSIGMASK" }, { 0x420c, "PTRACE_SECCOMP_GET_FILTER" },
    { 0x420d, "PTRACE_SECCOMP_GET_METADATA" }, { 0x420e, "PTRACE_GET_SYSCALL_INFO" },
    { 0x420f, "PTRACE_GET_RSEQ_CONFIGURATION" } };
constexpr ValueName rusage_who[]
    = { { 0, "RUSAGE_SELF" }, { ~u64 { 0 }, "RUSAGE_CHILDREN" }, { 1, "RUSAGE_THREAD" } };
constexpr ValueName unmount_flags[]
    = { { 1, "MNT_FORCE" }, { 2, "MNT_DETACH" }, { 4, "MNT_EXPIRE" }, { 8, "UMOUNT_NOFOLLOW" } };
constexpr ValueName mount_flags[] = { { 1, "MS_RDONLY" }, { 2, "MS_NOSUID" }, { 4, "MS_NODEV" },
    { 8, "MS_NOEXEC" }, { 16, "MS_SYNCHRONOUS" }, { 32, "MS_REMOUNT" }, { 64, "MS_MANDLOCK" },
    { 1024, "MS_NOATIME" }, { 2048, "MS_NODIRATIME" }, { 4096, "MS_BIND" }, { 8192, "MS_MOVE" },
    { 16384, "MS_REC" }, { 32768, "MS_SILENT" }, { 1 << 17, "MS_UNBINDABLE" }, { 1 << 18, "MS_PRIVATE" },
    { 1 << 19, "MS_SLAVE" }, { 1 << 20, "MS_SHARED" }, { 1 << 21, "MS_RELATIME" },
    { 1 << 24, "MS_STRICTATIME" } };
constexpr ValueName rename_flags[]
    = { { 1, "RENAME_NOREPLACE" }, { 2, "RENAME_EXCHANGE" }, { 4, "RENAME_WHITEOUT" } };
constexpr ValueName flock_operations[]
    = { { 1, "LOCK_SH" }, { 2, "LOCK_EX" }, { 4, "LOCK_NB" }, { 8, "LOCK_UN" } };
constexpr ValueName ipc_flags[] = { { 01000, "IPC_CREAT" }, { 02000, "IPC_EXCL" } };
constexpr ValueName shm_commands[]
    = { { 0, "IPC_RMID" }, { 1, "IPC_SET" }, { 2, "IPC_STAT" }, { 3, "IPC_INFO" }, { 11, "SHM_LOCK" },
          { 12, "SHM_UNLOCK" }, { 13, "SHM_STAT" }, { 14, "SHM_INFO" }, { 15, "SHM_STAT_ANY" } };
constexpr ValueName sem_commands[]
    = { { 0, "IPC_RMID" }, { 1, "IPC_SET" }, { 2, "IPC_STAT" }, { 3, "IPC_INFO" }, { 11, "GETPID" },
          { 12, "GETVAL" }, { 13, "GETALL" }, { 14, "GETNCNT" }, { 15, "GETZCNT" }, { 16, "SETVAL" },
          { 17, "SETALL" }, { 18, "SEM_STAT" }, { 19, "SEM_INFO" }, { 20, "SEM_STAT_ANY" } };
constexpr ValueName msg_commands[] = { { 0, "IPC_RMID" }, { 1, "IPC_SET" }, { 2, "IPC_STAT" },
    { 3, "IPC_INFO" }, { 11, "MSG_STAT" }, { 12, "MSG_INFO" }, { 13, "MSG_STAT_ANY" } };
constexpr ValueName signal_codes[] = { { 0, "SI_USER" }, { 0x80, "SI_KERNEL" }, { u64(-1), "SI_QUEUE" },
    { u64(-2), "SI_TIMER" }, { u64(-3), "SI_MESGQ" }, { u64(-4), "SI_ASYNCIO" }, { u64(-5), "SI_SIGIO" },
    { u64(-6), "SI_TKILL" } };
constexpr ValueName child_codes[] = { { 1, "CLD_EXITED" }, { 2, "CLD_KILLED" }, { 3, "CLD_DUMPED" },
    { 4, "CLD_TRAPPED" }, { 5, "CLD_STOPPED" }, { 6, "CLD_CONTINUED" } };
constexpr ValueName fault_codes[] = { { 1, "SEGV_MAPERR" }, { 2, "SEGV_ACCERR" }, { 0x80, "SI_KERNEL" } };
constexpr ValueName domains[] = { { 0, "AF_UNSPEC" }, { 1, "AF_UNIX" }, { 2, "AF_INET" }, { 10, "AF_INET6" },
    { 16, "AF_NETLINK" }, { 17, "AF_PACKET" } };
constexpr ValueName socket_types[]
    = { { 1, "SOCK_STREAM" }, { 2, "SOCK_DGRAM" }, { 3, "SOCK_RAW" }, { 5, "SOCK_SEQPACKET" } };
constexpr ValueName socket_flags[] = { { 02000000, "SOCK_CLOEXEC" }, { 04000, "SOCK_NONBLOCK" } };
constexpr ValueName id_types[] = { { 0, "P_ALL" }, { 1, "P_PID" }, { 2, "P_PGID" }, { 3, "P_PIDFD" } };

// O_SYNC contains O_DSYNC, O_TMPFILE contains O_DIRECTORY: the larger ones come first.
constexpr ValueName open_flags[] = { { 0100, "O_CREAT" }, { 0200, "O_EXCL" }, { 0400, "O_NOCTTY" },
    { 01000, "O_TRUNC" }, { 02000, "O_APPEND" }, { 04000, "O_NONBLOCK" }, { 04010000, "O_SYNC" },
    { 010000, "O_DSYNC" }, { 020000, "O_ASYNC" }, { 040000, "O_DIRECT" }, { 0100000, "O_LARGEFILE" },
    { 020200000, "O_TMPFILE" }, { 0200000, "O_DIRECTORY" }, { 0400000, "O_NOFOLLOW" },
    { 01000000, "O_NOATIME" }, { 02000000, "O_CLOEXEC" }, { 010000000, "O_PATH" } };
constexpr ValueName file_types[] = { { 0140000, "S_IFSOCK" }, { 0120000, "S_IFLNK" }, { 0100000, "S_IFREG" },
    { 0060000, "S_IFBLK" }, { 0040000, "S_IFDIR" }, { 0020000, "S_IFCHR" }, { 0010000, "S_IFIFO" } };

constexpr char const* kSignalNames[] = { "0", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE",
    "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN",
    "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS" };
} // namespace

#define NAMES(public_name, table) ValueNames const public_name = table
NAMES(kAccessModes, access_modes);
NAMES(kAtFlags, at_flags);
NAMES(kSeekOrigins, seek_origins);
NAMES(kProtections, protections);
NAMES(kMapFlags, map_flags);
NAMES(kRemapFlags, remap_flags);
NAMES(kAdvices, advices);
NAMES(kSyncFlags, sync_flags);
NAMES(kCloneFlags, clone_flags);
NAMES(kWaitFlags, wait_flags);
NAMES(kMaskChanges, mask_changes);
NAMES(kActionFlags, action_flags);
NAMES(kClocks, clocks);
NAMES(kTimers, timers);
NAMES(kResources, resources);
NAMES(kIoctls, ioctls);
NAMES(kFcntls, fcntls);
NAMES(kFdFlags, fd_flags);
NAMES(kFutexCommands, futex_commands);
NAMES(kEpollOperations, epoll_operations);
NAMES(kPollEvents, poll_events);
NAMES(kEpollEvents, epoll_events);
NAMES(kRandomFlags, random_flags);
NAMES(kPrctls, prctls);
NAMES(kArchPrctls, arch_prctls);
NAMES(kPtraceRequests, ptrace_requests);
NAMES(kSeccompOperations, seccomp_operations);
NAMES(kRusageWho, rusage_who);
NAMES(kUnmountFlags, unmount_flags);
NAMES(kMountFlags, mount_flags);
NAMES(kRenameFlags, rename_flags);
NAMES(kFlockOperations, flock_operations);
NAMES(kIpcFlags, ipc_flags);
NAMES(kShmCommands, shm_commands);
NAMES(kSemCommands, sem_commands);
NAMES(kMsgCommands, msg_commands);
NAMES(kSignalCodes, signal_codes);
NAMES(kChildCodes, child_codes);
NAMES(kFaultCodes, fault_codes);
NAMES(kDomains, domains);
NAMES(kSocketTypes, socket_types);
NAMES(kSocketFlags, socket_flags);
NAMES(kIdTypes, id_types);
#undef NAMES

namespace {
void append_hex(std::string& out, u64 value)
{
    char digits[20];
    int at = sizeof digits;
    do
        digits[--at] = "0123456789abcdef"[value & 15];
    while (value >>= 4);
    out += "0x";
    out.append(digits + at, sizeof digits - size_t(at));
}

void append_octal(std::string& out, u64 value, int width)
{
    for (int shift = 3 * (width - 1); shift >= 0; shift -= 3)
        out += char('0' + (value >> shift & 7));
}
} // namespace

void append_flags(std::string& out, u64 value, ValueNames names, char const* zero)
{
    if (!value) {
        out += zero;
        return;
    }
    char const* separator = "";
    for (ValueName const& flag : names) {
        if (!flag.value || (value & flag.value) != flag.value) continue;
        out += separator;
        out += flag.name;
        separator = "|";
        value &= ~flag.value;
    }
    if (!value) return;
    out += separator;
    append_hex(out, value);
}

void append_name(std::string& out, i64 value, ValueNames names)
{
    for (ValueName const& entry : names)
        if (entry.value == u64(value)) {
            out += entry.name;
            return;
        }
    if (value > 0xffff)
        append_hex(out, u64(value));
    else
        out += std::to_string(value);
}

void append_signal(std::string& out, i64 signal)
{
    if (signal >= 32 && signal <= 64)
        out += "SIGRT_" + std::to_string(signal - 32);
    else if (signal > 0 && signal < 32)
        out += std::string("SIG") + kSignalNames[signal];
    else
        out += std::to_string(signal);
}

void append_signal_set(std::string& out, u64 set)
{
    bool inverted = __builtin_popcountll(set) > 32;
    if (inverted) set = ~set;
    out += inverted ? "~[" : "[";
    char const* separator = "";
    for (int signal = 1; signal <= abi::signal_count; ++signal) {
        if (!(set & abi::sigbit(signal))) continue;
        out += separator;
        std::string name;
        append_signal(name, signal);
        out += name.substr(3);
        separator = " ";
    }
    out += ']';
}

void append_open_flags(std::string& out, u64 flags)
{
    static constexpr char const* modes[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };
    out += modes[flags & abi::o_accmode];
    flags &= ~u64 { abi::o_accmode };
    if (!flags) return;
    out += '|';
    append_flags(out, flags, open_flags);
}

void append_file_mode(std::string& out, u64 mode)
{
    out += '0';
    append_octal(out, mode & 07777, mode & 07000 ? 4 : 3);
}

void append_stat_mode(std::string& out, u64 mode)
{
    append_name(out, i64(mode & abi::s_ifmt), file_types);
    out += '|';
    append_file_mode(out, mode);
}

void append_device(std::string& out, u64 device)
{
    out += "makedev(";
    append_hex(out, abi::dev_major(device));
    out += ", ";
    append_hex(out, abi::dev_minor(device));
    out += ')';
}

void append_errno(std::string& out, i32 error)
{
    out += errno_name(Errno(error));
    out += " (";
    // The numbers are Linux's on both sides, so the library's texts are those of the guest's errors.
    out += std::strerror(error);
    out += ')';
}

} // namespace umbra::trace
