// SPDX-License-Identifier: GPL-2.0-or-later
// What the arguments of the common calls mean.
#include <algorithm>

#include "core/syscall/names.h"
#include "core/trace/call-decoder.h"

namespace umbra::trace {

namespace {
using enum Arg;

constexpr CallRow kCalls[] = {
    { "read", { fd, data_out, unsigned_ } },
    { "write", { fd, data_in, unsigned_ } },
    { "open", { path, open_flags, file_mode } },
    { "close", { fd } },
    { "stat", { path, stat_out } },
    { "fstat", { fd, stat_out } },
    { "lstat", { path, stat_out } },
    { "poll", { poll_fds, unsigned_, integer } },
    { "lseek", { fd, long_integer, seek } },
    { "mmap", { address, unsigned_, prot, map_flags, fd, hex }, Returns::address },
    { "mprotect", { address, unsigned_, prot } },
    { "mseal", { address, unsigned_, hex } },
    { "munmap", { address, unsigned_ } },
    { "brk", { address }, Returns::address },
    { "rt_sigaction", { signal, action_in, action_out, unsigned_ } },
    { "rt_sigprocmask", { mask_change, signal_set_in, signal_set_out, unsigned_ } },
    { "rt_sigreturn", {} },
    { "ioctl", { fd, ioctl, ioctl_argument } },
    { "pread64", { fd, data_out, unsigned_, long_integer } },
    { "pwrite64", { fd, data_in, unsigned_, long_integer } },
    { "readv", { fd, iovec_out, integer } },
    { "writev", { fd, iovec_in, integer } },
    { "access", { path, access_mode } },
    { "pipe", { fd_pair_out } },
    { "sched_yield", {} },
    { "mremap", { address, unsigned_, unsigned_, remap_flags, address }, Returns::address },
    { "msync", { address, unsigned_, sync_flags } },
    { "madvise", { address, unsigned_, advice } },
    { "semget", { hex, integer, ipc_flags } },
    { "semop", { integer, address, unsigned_ } },
    { "semtimedop", { integer, address, unsigned_, address } },
    { "semctl", { integer, integer, sem_command, hex } },
    { "msgget", { hex, ipc_flags } },
    { "msgsnd", { integer, address, unsigned_, ipc_flags } },
    { "msgrcv", { integer, address, unsigned_, integer, ipc_flags } },
    { "msgctl", { integer, msg_command, address } },
    { "mq_open", { string, open_flags, file_mode, address } },
    { "mq_unlink", { string } },
    { "mq_timedsend", { fd, data_in, unsigned_, unsigned_, timespec_in } },
    { "mq_timedreceive", { fd, data_out, unsigned_, address, timespec_in } },
    { "mq_notify", { fd, address } },
    { "mq_getsetattr", { fd, address, address } },
    { "shmget", { hex, unsigned_, ipc_flags } },
    { "shmat", { integer, address, hex }, Returns::address },
    { "shmctl", { integer, shm_command, address } },
    { "shmdt", { address } },
    { "dup", { fd } },
    { "dup2", { fd, fd } },
    { "dup3", { fd, fd, open_flags } },
    { "pause", {} },
    { "nanosleep", { timespec_in, address } },
    { "getitimer", { timer, itimerval_out } },
    { "alarm", { unsigned_ } },
    { "setitimer", { timer, itimerval_in, itimerval_out } },
    { "sendfile", { fd, fd, address, unsigned_ } },
    { "socket", { domain, socket_type, integer } },
    { "socketpair", { domain, socket_type, integer, fd_pair_out } },
    { "clone", { clone_flags, address, address, address, address } },
    { "clone3", { clone_arguments, unsigned_ } },
    { "execve", { path, strings, environment } },
    { "execveat", { dirfd, path, strings, environment, at_flags } },
    { "exit", { integer } },
    { "exit_group", { integer } },
    { "wait4", { integer, wait_status_out, wait_flags, rusage_out } },
    { "waitid", { id_type, integer, address, wait_flags, rusage_out } },
    { "kill", { integer, signal } },
    { "tkill", { integer, signal } },
    { "tgkill", { integer, integer, signal } },
    { "uname", { utsname_out } },
    { "fcntl", { fd, fcntl, fcntl_argument } },
    { "flock", { fd, flock_operation } },
    { "truncate", { path, long_integer } },
    { "ftruncate", { fd, long_integer } },
    { "getdents64", { fd, address, unsigned_ } },
    { "getcwd", { path_out, unsigned_ } },
    { "chdir", { path } },
    { "fchdir", { fd } },
    { "rename", { path, path } },
    { "mkdir", { path, file_mode } },
    { "rmdir", { path } },
    { "creat", { path, file_mode } },
    { "link", { path, path } },
    { "unlink", { path } },
    { "symlink", { path, path } },
    { "readlink", { path, data_out, unsigned_ } },
    { "chmod", { path, file_mode } },
    { "fchmod", { fd, file_mode } },
    { "chown", { path, integer, integer } },
    { "fchown", { fd, integer, integer } },
    { "lchown", { path, integer, integer } },
    { "umask", { octal }, Returns::octal },
    { "gettimeofday", { timeval_out, address } },
    { "getrlimit", { resource, limit_out } },
    { "setrlimit", { resource, limit_in } },
    { "prlimit64", { integer, resource, limit_in, limit_out } },
    { "getrusage", { rusage_who, rusage_out } },
    { "syslog", { integer, address, integer } },
    { "rt_sigpending", { signal_set_out, unsigned_ } },
    { "rt_sigtimedwait", { signal_set_in, address, timespec_in, unsigned_ } },
    { "rt_sigsuspend", { signal_set_in, unsigned_ } },
    { "sigaltstack", { address, address } },
    { "mknod", { path, node_mode, device } },
    { "mknodat", { dirfd, path, node_mode, device } },
    { "personality", { hex } },
    { "statfs", { path, address } },
    { "prctl", { prctl, hex, hex, hex, hex } },
    { "seccomp", { seccomp_operation, hex, address } },
    { "ptrace", { ptrace_request, integer, address, hex } },
    { "arch_prctl", { arch_prctl, address } },
    { "chroot", { path } },
    { "mount", { string, path, string, mount_flags, string } },
    { "umount2", { path, unmount_flags } },
    { "pivot_root", { path, path } },
    { "open_tree", { dirfd, path, hex } },
    { "move_mount", { dirfd, path, dirfd, path, hex } },
    { "fsopen", { string, hex } },
    { "fsconfig", { fd, integer, string, string, integer } },
    { "fsmount", { fd, hex, hex } },
    { "fspick", { dirfd, path, hex } },
    { "mount_setattr", { dirfd, path, hex, address, unsigned_ } },
    { "statmount", { address, address, unsigned_, hex } },
    { "listmount", { address, address, unsigned_, hex } },
    { "sethostname", { data_in, unsigned_ } },
    { "setdomainname", { data_in, unsigned_ } },
    { "time", { address } },
    { "futex", { address, futex_operation, unsigned_, futex_timeout, address, hex } },
    { "sched_setaffinity", { integer, unsigned_, address } },
    { "sched_getaffinity", { integer, unsigned_, address } },
    { "epoll_create", { integer } },
    { "epoll_create1", { open_flags } },
    { "epoll_wait", { fd, epoll_events_out, integer, integer } },
    { "epoll_pwait", { fd, epoll_events_out, integer, integer, signal_set_in, unsigned_ } },
    { "epoll_ctl", { fd, epoll_operation, fd, epoll_event } },
    { "set_tid_address", { address } },
    { "clock_settime", { clock, timespec_in } },
    { "clock_gettime", { clock, timespec_out } },
    { "clock_getres", { clock, timespec_out } },
    { "clock_nanosleep", { clock, hex, timespec_in, address } },
    { "timer_create", { clock, address, integer_out } },
    { "timer_settime", { integer, hex, itimerspec_in, itimerspec_out } },
    { "timer_gettime", { integer, itimerspec_out } },
    { "timerfd_create", { clock, open_flags } },
    { "timerfd_settime", { fd, hex, itimerspec_in, itimerspec_out } },
    { "timerfd_gettime", { fd, itimerspec_out } },
    { "openat", { dirfd, path, open_flags, file_mode } },
    { "name_to_handle_at", { dirfd, path, address, address, hex } },
    { "open_by_handle_at", { dirfd, address, open_flags } },
    { "cachestat", { fd, address, address, hex } },
    { "mkdirat", { dirfd, path, file_mode } },
    { "fchownat", { dirfd, path, integer, integer, at_flags } },
    { "newfstatat", { dirfd, path, stat_out, at_flags } },
    { "unlinkat", { dirfd, path, at_flags } },
    { "renameat", { dirfd, path, dirfd, path } },
    { "renameat2", { dirfd, path, dirfd, path, rename_flags } },
    { "linkat", { dirfd, path, dirfd, path, at_flags } },
    { "symlinkat", { path, dirfd, path } },
    { "readlinkat", { dirfd, path, data_out, unsigned_ } },
    { "fchmodat", { dirfd, path, file_mode } },
    { "faccessat", { dirfd, path, access_mode } },
    { "faccessat2", { dirfd, path, access_mode, at_flags } },
    { "ppoll", { poll_fds, unsigned_, timespec_in, signal_set_in, unsigned_ } },
    { "set_robust_list", { address, unsigned_ } },
    { "utimensat", { dirfd, path, address, at_flags } },
    { "signalfd4", { fd, signal_set_in, unsigned_, open_flags } },
    { "eventfd2", { unsigned_, open_flags } },
    { "pipe2", { fd_pair_out, open_flags } },
    { "io_setup", { unsigned_, address } },
    { "io_destroy", { address } },
    { "io_submit", { address, long_integer, address } },
    { "io_cancel", { address, address, address } },
    { "io_getevents", { address, long_integer, long_integer, address, timespec_in } },
    { "io_pgetevents", { address, long_integer, long_integer, address, timespec_in, address } },
    { "remap_file_pages", { address, unsigned_, prot, unsigned_, map_flags } },
    { "process_madvise", { fd, address, unsigned_, advice, hex } },
    { "process_mrelease", { fd, hex } },
    { "pidfd_send_signal", { fd, signal, address, hex } },
    { "pidfd_getfd", { fd, integer, hex } },
    { "inotify_init1", { open_flags } },
    { "inotify_add_watch", { fd, path, hex } },
    { "fanotify_init", { hex, open_flags } },
    { "fanotify_mark", { fd, hex, hex, dirfd, path } },
    { "preadv", { fd, iovec_out, integer, long_integer } },
    { "pwritev", { fd, iovec_in, integer, long_integer } },
    { "getrandom", { data_out, unsigned_, random_flags } },
    { "memfd_create", { string, hex } },
    { "statx", { dirfd, path, at_flags, hex, address } },
    { "rseq", { address, unsigned_, hex, hex } },
    { "close_range", { unsigned_, unsigned_, hex } },
    { "pidfd_open", { integer, open_flags } },
    { "fallocate", { fd, hex, long_integer, long_integer } },
    { "copy_file_range", { fd, address, fd, address, unsigned_, hex } },
    { "splice", { fd, address, fd, address, unsigned_, hex } },
    { "tee", { fd, fd, unsigned_, hex } },
    { "getxattr", { path, string, address, unsigned_ } },
    { "lgetxattr", { path, string, address, unsigned_ } },
    { "fgetxattr", { fd, string, address, unsigned_ } },
    { "setxattr", { path, string, data_in, unsigned_, hex } },
    { "listxattr", { path, address, unsigned_ } },
};

Arg kind_of_type(std::string_view type)
{
    if (type == "GuestFd") return fd;
    if (type == "UserCString") return path;
    if (type == "i32" || type == "Pid") return integer;
    if (type == "i64") return long_integer;
    if (type == "u32" || type == "u64") return unsigned_;
    return address;
}

/// By the types alone; six words for a call that is in no table at all.
CallRow derived_row(i64 number)
{
    SyscallText const* text = syscall_text(number);
    CallRow row { text ? text->name.data() : nullptr, {} };
    if (!text || text->level == "missing") {
        row.arguments.fill(hex);
        return row;
    }
    std::string_view rest = text->arguments;
    for (Arg& kind : row.arguments) {
        if (rest.empty()) break;
        auto comma = rest.find(", ");
        kind = kind_of_type(rest.substr(0, comma));
        rest.remove_prefix(comma == rest.npos ? rest.size() : comma + 2);
    }
    return row;
}

} // namespace

CallRow call_row(i64 number)
{
    // Searched anew each time: a traced call costs far more than a look through the table.
    CallRow row = derived_row(number >= 0 && number < kSyscallNumberLimit ? number : -1);
    auto known = std::find_if(std::begin(kCalls), std::end(kCalls),
        [&](CallRow const& call) { return row.name && std::string_view(call.name) == row.name; });
    return known == std::end(kCalls) ? row : *known;
}

} // namespace umbra::trace
