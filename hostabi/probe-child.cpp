// SPDX-License-Identifier: GPL-2.0-or-later
// The throw-away children. They share our memory (no page table is copied) but nothing else, so they make raw
// host calls only: libc's thread state is the parent's. They raise no SIGCHLD and are waited for.
#include "hostabi/probe-child.h"

#include <cerrno>
#include <csignal>

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "hostabi/host-call.h"
#include "hostabi/process.h"
#include "hostabi/ptrace.h"
#include "hostabi/seccomp.h"

namespace umbra::hostabi {

namespace {

constexpr std::size_t kChildStack = 16 * 1024;
constexpr u64 kPtraceMark = 0x756d627261; // "umbra": the argument of the call that is to be emulated

[[noreturn]] void end_child()
{
    for (;;)
        host_call(SYS_exit, 0);
}

struct SeccompProbe {
    std::span<sock_filter const> filter;
    SeccompSupport result;
};

int seccomp_child(void* argument)
{
    auto& probe = *static_cast<SeccompProbe*>(argument);
    auto listener
        = install_seccomp_filter_with_listener(probe.filter, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    probe.result.killable = listener.ok();
    if (listener.is_error() && listener.error().value == EINVAL)
        listener = install_seccomp_filter_with_listener(probe.filter);
    if (listener.is_error()) {
        probe.result.error = listener.error().value;
    } else {
        probe.result.synchronous = seccomp::set_synchronous_wake_up(listener.value().get()).ok();
    }
    end_child();
}

/// `argument`: our process's number. Without the tie to our life, a child that is late would have init for its tracer,
/// and stay stopped for ever.
int ptrace_child(void* argument)
{
    if (process::die_with_parent(SIGKILL, *static_cast<i32*>(argument)).ok() && ptrace::trace_me().ok()) {
        host_call(SYS_tgkill, process::own_pid(), process::own_tid(), SIGSTOP);
        host_call(SYS_getppid, kPtraceMark);
    }
    end_child();
}

/// The tracer's part. 0, or an errno.
i32 emulate_one_call(i32 child)
{
    auto stop = process::wait_for_child(child);
    // It ended: it was not allowed to be traced.
    if (stop.is_error() || !WIFSTOPPED(stop.value().status)) return EPERM;
    if (auto options = ptrace::set_options(child, PTRACE_O_EXITKILL); options.is_error())
        return options.error().value;
    if (auto resumed = ptrace::resume_emulating(child); resumed.is_error()) return resumed.error().value;
    stop = process::wait_for_child(child);
    user_regs_struct registers {};
    if (stop.is_error() || !WIFSTOPPED(stop.value().status)) return ECHILD;
    if (auto read = ptrace::get_registers(child, registers); read.is_error()) return read.error().value;
    bool const emulated = registers.orig_rax == SYS_getppid && registers.rdi == kPtraceMark;
    return emulated ? 0 : ENOSYS;
}

} // namespace

SeccompSupport probe_seccomp_listener()
{
    if (!seccomp_sizes_match()) return { .error = ENOSYS };
    SeccompAssembler filter;
    filter.return_action(SECCOMP_RET_ALLOW);
    SeccompProbe probe { filter.finish(), {} };
    alignas(16) u8 stack[kChildStack];
    // VFORK: we go on when the child has ended.
    int const child = clone(seccomp_child, stack + sizeof stack, CLONE_VM | CLONE_VFORK, &probe);
    if (child < 0) return { .error = errno };
    (void)process::wait_for_child(child);
    return probe.result;
}

i32 probe_ptrace_emulation()
{
    alignas(16) u8 stack[kChildStack];
    i32 parent = process::own_pid();
    int const child = clone(ptrace_child, stack + sizeof stack, CLONE_VM, &parent);
    if (child < 0) return errno;
    i32 const error = emulate_one_call(child);
    (void)process::send_signal(child, SIGKILL);
    (void)process::wait_for_child(child);
    return error;
}

} // namespace umbra::hostabi
