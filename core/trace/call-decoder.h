// SPDX-License-Identifier: GPL-2.0-or-later
// A system call as text: arguments by the table in call-table.cpp, or by the types of table.def where that
// has no row.
#pragma once

#include <array>
#include <string>

#include "core/base/error.h"
#include "core/base/types.h"

namespace umbra {
class Task;
}

namespace umbra::trace {

/// What an argument is. Kinds that end in _out are known only after the call.
enum class Arg : u8 {
    none,
    integer,
    long_integer,
    unsigned_,
    hex,
    address,
    fd,
    dirfd,
    path,
    path_out,
    string,
    data_in,
    data_out,
    iovec_in,
    iovec_out,
    open_flags,
    file_mode,
    node_mode,
    access_mode,
    at_flags,
    seek,
    prot,
    map_flags,
    remap_flags,
    advice,
    sync_flags,
    signal,
    signal_set_in,
    signal_set_out,
    mask_change,
    action_in,
    action_out,
    clone_flags,
    wait_flags,
    wait_status_out,
    rusage_out,
    timespec_in,
    timespec_out,
    timeval_in,
    timeval_out,
    itimerspec_in,
    itimerspec_out,
    itimerval_in,
    itimerval_out,
    clock,
    timer,
    resource,
    limit_in,
    limit_out,
    stat_out,
    ioctl,
    ioctl_argument,
    fcntl,
    fcntl_argument,
    strings,
    environment,
    futex_operation,
    futex_timeout,
    fd_pair_out,
    poll_fds,
    poll_fds_out,
    epoll_operation,
    epoll_event,
    epoll_events_out,
    random_flags,
    prctl,
    arch_prctl,
    ptrace_request,
    seccomp_operation,
    rusage_who,
    mount_flags,
    unmount_flags,
    rename_flags,
    flock_operation,
    ipc_flags,
    shm_command,
    sem_command,
    msg_command,
    utsname_out,
    integer_out,
    device,
    domain,
    socket_type,
    id_type,
    octal,
    clone_arguments,
};

/// What a call gives.
enum class Returns : u8 { number, address, octal };

struct CallRow {
    char const* name;
    std::array<Arg, 6> arguments;
    Returns returns = Returns::number;
};
/// The row of a call, made from the types of table.def if the table has none.
CallRow call_row(i64 number);

struct Call {
    Task& task;
    i64 number;
    u64 const* args;
};

/// Appends the arguments that are known before the call; returns the index of the first that is not (6 if all
/// are).
unsigned append_arguments(std::string& out, Call const& call);
/// Appends those from `from` on. After a failed call what would have been given out is shown as an address.
void append_arguments_after(std::string& out, Call const& call, SyscallResult const& result, unsigned from);
/// "3", "0x7f...", "-1 ENOENT (No such file or directory)", "? ERESTARTSYS (...)".
void append_result(std::string& out, i64 number, SyscallResult const& result);

/// One argument; `result` is null before the call. In argument-decoder.cpp.
void append_argument(
    std::string& out, Call const& call, CallRow const& row, unsigned index, SyscallResult const* result);
bool is_known_after(Arg kind);

} // namespace umbra::trace
