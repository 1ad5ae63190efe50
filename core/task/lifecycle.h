// SPDX-License-Identifier: GPL-2.0-or-later
// Birth, change and death of tasks: clone, exec, exit, wait; and the loop that every task runs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/mm/address-space.h"
#include "core/task/task.h"

namespace umbra {

namespace abi {
constexpr u64 csignal = 0xff, clone_vm = 0x100, clone_fs = 0x200, clone_files = 0x400, clone_sighand = 0x800;
constexpr u64 clone_pidfd = 0x1000, clone_ptrace = 0x2000, clone_vfork = 0x4000, clone_parent = 0x8000;
constexpr u64 clone_thread = 0x10000, clone_newns = 0x20000, clone_sysvsem = 0x40000, clone_settls = 0x80000;
constexpr u64 clone_parent_settid = 0x100000, clone_child_cleartid = 0x200000, clone_detached = 0x400000;
constexpr u64 clone_untraced = 0x800000, clone_child_settid = 0x1000000, clone_newcgroup = 0x2000000;
constexpr u64 clone_newuts = 0x4000000, clone_newipc = 0x8000000, clone_newuser = 0x10000000;
constexpr u64 clone_newpid = 0x20000000, clone_newnet = 0x40000000, clone_io = 0x80000000;
constexpr u64 clone_newtime = 0x80;
constexpr u64 kAllNamespaces = clone_newns | clone_newcgroup | clone_newuts | clone_newipc | clone_newuser
    | clone_newpid | clone_newnet | clone_newtime;
constexpr u64 clone_clear_sighand = 0x100000000, clone_into_cgroup = 0x200000000;
} // namespace abi

struct CloneRequest {
    u64 flags = 0; ///< CLONE_* without the signal
    u32 exit_signal = 0;
    u64 stack = 0; ///< initial rsp; 0: the parent's
    u64 tls = 0;
    GuestAddr parent_tid {}, child_tid {}, pidfd {};
    std::vector<i32> set_tid = {}; ///< numbers asked for, from the child's own namespace upwards
    std::optional<GuestFd> cgroup = {}; ///< CLONE_INTO_CGROUP: its directory
};

/// clone(2): returns the child's tid as the parent's namespace has it; waits for it with CLONE_VFORK. EAGAIN, EINVAL, ENOMEM, EPERM.
Result<Pid> clone_task(Task& parent, CloneRequest const& request);

/// unshare(2): the task gets files or a file-system context of its own. EINVAL, EPERM, ENOMEM.
Result<void> unshare_task(Task& task, u64 flags);

struct ExecRequest {
    vfs::Path base; ///< for relative names
    std::string name;
    bool follow_last = true, allow_empty = false;
    RefPtr<vfs::File> file = nullptr; ///< fexecve-like: already open
    std::string script_name = {}; ///< what a #! interpreter is told instead of name (execveat)
    std::vector<std::string> arguments = {}, environment = {};
};
/// execve(2). On success the task's registers are the new program's; errors after the point of no return kill it.
Result<void> exec_task(Task& task, ExecRequest request);

/// CPU times and counters as of now.
ResourceUsage task_usage(Task& task);
ResourceUsage process_usage(Process& process);

/// exit(2) of one thread, exit_group(2) of all; `code` is a wait status. Does not return to the caller: the task
/// leaves at the next return to user mode.
void exit_group(Process& process, u32 wait_status);
[[noreturn]] void exit_current_task();
/// Drops a leader that has exited before the others, so that the process ends or a new leader takes its number.
void release_zombie_leader(Process& process);

/// What a task's fiber runs.
void task_main(Task& task);

/// Makes process 1 with a task that has no program yet. The composition execs into it, wakes it, runs the scheduler.
struct InitRequest {
    vfs::Path root, cwd;
    Ref<vfs::MountNamespace> mounts;
    Ref<Credentials> credentials;
    std::function<void(Task&)> start; ///< runs on the task's fiber: opens stdio, execs
};
Result<Ref<Task>> create_init(Kernel& kernel, InitRequest request);
/// A child of a task without a program: its own process, with copies of the parent's files and fs context, that runs
/// `start` on its fiber (which execs or exits). EAGAIN, ENOMEM.
Result<Pid> spawn_kernel_child(Task& parent, std::function<void(Task&)> start);

/// CLD_EXITED, CLD_KILLED or CLD_DUMPED of a wait status, and the exit code or the signal.
i32 exit_code_of(u32 status);
i32 exit_value_of(u32 status);
/// Drops the children of a process that have ended.
void reap_zombie_children(Process& process);
/// The last step of a process's end: the parent hears of it, or it vanishes.
void tell_parent_of_end(Process& process);
/// Makes a task look at what is pending for it soon.
void notice_pending(Task& task);
/// A signal that the thread's own instruction caused: it cannot be blocked or ignored.
void force_fault_signal(Task& task, int signal, i32 code, GuestAddr address);

/// The same of any kind: a handler that cannot run is taken away.
void force_signal(Task& task, abi::SigInfo const& info);

/// Tells the parent of a stop, a continue or the end (SIGCHLD, wait queues).
void notify_parent(Process& process, i32 code, i32 status);

/// Tells the parent of a stop once each thread of the process has left its guest; called when one has.
void announce_stop(Process& process);

/// wait4(2) and waitid(2) in one.
struct WaitRequest {
    enum class Which : u8 { any, pid, group } which = Which::any;
    Pid id {};
    u32 options = 0;
};
struct WaitOutcome {
    Pid pid { 0 }; ///< as the waiter's namespace has it; 0: nothing (WNOHANG)
    u32 status = 0; ///< as wait4 gives it
    i32 code = 0; ///< CLD_*
    u32 uid = 0;
    ResourceUsage usage {};
};
Result<WaitOutcome> wait_for_child(Task& task, WaitRequest const& request);
constexpr u32 wnohang = 1, wuntraced = 2, wstopped = 2, wexited = 4, wcontinued = 8, wnowait = 0x1000000;

/// Delivers pending signals before a return to user mode. `interrupted_call`: the error that a system call ended with if
/// that is a restart code. Returns true if the call is to be run again right away (no handler ran).
enum class AfterSignals : u8 { enter_user, rerun_call };
AfterSignals deliver_signals(Task& task, Errno restart_code);

/// The part that knows the layout of a signal frame; implemented in arch-um/x86-64.
class SignalFrames {
public:
    virtual ~SignalFrames() = default;
    /// Pushes a frame on the guest's stack and aims the registers at the handler. EFAULT kills the process.
    virtual Result<void> push(
        Task& task, abi::SigInfo const& info, abi::KernelSigaction const& action, u64 mask)
        = 0;
    /// rt_sigreturn(2): restores registers, floating point, mask, altstack. EFAULT: bad frame (SIGSEGV).
    virtual Result<void> restore(Task& task) = 0;
};

} // namespace umbra
