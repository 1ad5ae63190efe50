// SPDX-License-Identifier: GPL-2.0-or-later
// What seccomp(2) lets a thread do. A thread has a mode and, in filter mode, the newest of a chain of filters; each holds
// the one that was there before it. Threads and newer filters hold a filter, nothing points back: chains form a tree that
// grows with clone(2). When the last holder of a filter goes, its listener is told.
// Guarded by the kernel lock.
#pragma once

#include "core/seccomp/listener.h"
#include "core/seccomp/program.h"
#include "core/task/task.h"

namespace umbra::seccomp {

/// Instructions in a chain, each filter but the newest counted with a penalty (seccomp(2), ENOMEM).
constexpr u64 kMaxChainInstructions = 32768, kFilterPenalty = 4;
constexpr u32 kMaxErrno = 4095;
/// Of the actions that /proc/sys/kernel/seccomp/actions_logged names, by their place in actions_avail; all but `allow`.
constexpr u32 kLogAllActions = 0x7f;

struct Filter : RefCounted {
    /// What it costs is counted in `kernel` while it lives.
    Filter(Kernel& kernel, Program checked, RefPtr<Filter> before);
    ~Filter() override;
    u64 cost() const;

    Kernel& kernel;
    Program program;
    RefPtr<Filter> previous;
    bool log = false; ///< SECCOMP_FILTER_FLAG_LOG
    RefPtr<Notifications> notifications; ///< SECCOMP_FILTER_FLAG_NEW_LISTENER
};

/// SECCOMP_MODE_STRICT for the calling thread. EINVAL if it is in filter mode.
Result<void> enter_strict_mode(Task& task);
/// SECCOMP_SET_MODE_FILTER. Returns 0, a listener's descriptor, or the thread that TSYNC stumbled over. EACCES, EBUSY,
/// EINVAL, EMFILE, ENOMEM, ESRCH.
Result<i64> install(Task& task, u32 flags, std::vector<abi::SockFilter> code);
/// A child of clone(2) is filtered as its parent is.
void inherit(Task const& parent, Task& child);
/// An exiting thread lets go of its filters.
void release(Task& task);

/// How many filters the thread has.
u64 count(Task const& task);
/// The thread's filter number `index`, 0 the oldest. EINVAL for a thread without filters, ENOENT beyond them.
Result<Ref<Filter>> nth(Task const& task, u64 index);

/// What the thread's mode makes of call `number` in task.trap. True: it is to be made (a tracer may have changed
/// task.trap). False: it is not, and rax holds what the guest sees. Waits for a tracer or a supervisor; a restart code if a
/// signal ended that wait.
Result<bool> allow_call(Task& task, i64 number);

/// actions_avail and actions_logged of /proc/sys/kernel/seccomp.
std::string action_names(u32 set);
constexpr u32 kAllActions = 0xff;
/// EINVAL for a word that is no action, and for `allow`.
Result<u32> parse_logged_actions(std::string_view names);
/// Whether SECCOMP_GET_ACTION_AVAIL knows it.
bool is_action(u32 action);

} // namespace umbra::seccomp
