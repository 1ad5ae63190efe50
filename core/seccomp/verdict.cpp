// SPDX-License-Identifier: GPL-2.0-or-later
// What becomes of a call of a thread in a seccomp mode, and what is logged of it.
#include <algorithm>
#include <array>

#include "core/abi/ptrace.h"
#include "core/kernel.h"
#include "core/printk/printk.h"
#include "core/seccomp/filter.h"
#include "core/task/core-dump.h"
#include "core/task/lifecycle.h"
#include "core/task/ptrace.h"
#include "core/time/timekeeper.h"
#include "core/trace/trace.h"

namespace umbra::seccomp {

using namespace abi;

namespace {

struct ActionName {
    u32 action;
    std::string_view name;
};
/// In the order of actions_avail; bit n of a set of actions is the n-th.
constexpr std::array<ActionName, 8> kActions { {
    { seccomp_ret_kill_process, "kill_process" },
    { seccomp_ret_kill_thread, "kill_thread" },
    { seccomp_ret_trap, "trap" },
    { seccomp_ret_errno, "errno" },
    { seccomp_ret_user_notif, "user_notif" },
    { seccomp_ret_trace, "trace" },
    { seccomp_ret_log, "log" },
    { seccomp_ret_allow, "allow" },
} };

u32 bit_of(u32 action)
{
    auto it
        = std::find_if(kActions.begin(), kActions.end(), [&](auto const& a) { return a.action == action; });
    // What is no action kills the process.
    return it == kActions.end() ? 1 : u32 { 1 } << (it - kActions.begin());
}

/// The most restrictive of what the chain's filters say; of equal ones the newest filter's.
struct Decision {
    u32 value = seccomp_ret_allow;
    RefPtr<Filter> filter;

    u32 action() const { return value & seccomp_ret_action; }
    u32 data() const { return value & seccomp_ret_data; }
};

SeccompData data_of(Task const& task, i64 number)
{
    auto const& trap = task.trap;
    SeccompData data { i32(number), trap.compat ? audit_arch_i386 : audit_arch_x86_64, trap.instruction, {} };
    std::copy(std::begin(trap.args), std::end(trap.args), data.args);
    return data;
}

Decision decide(Task const& task, SeccompData const& data)
{
    Decision decision;
    for (Filter* f = task.seccomp_filter.get(); f; f = f->previous.get()) {
        u32 const value = f->program.run(data);
        // As signed numbers, as Linux compares them: KILL_PROCESS is the least.
        if (i32(value & seccomp_ret_action) >= i32(decision.action())) continue;
        decision.value = value;
        decision.filter = f;
    }
    return decision;
}

/// As printk_ratelimit() of Linux: so many lines in so much time, and no more until that is over.
bool may_log(Kernel& kernel)
{
    constexpr Nanoseconds interval = 5 * kNanosecondsPerSecond;
    constexpr u32 burst = 10;
    auto& limit = kernel.seccomp_log_limit;
    Nanoseconds const now = kernel.time().monotonic();
    if (limit.lines == 0 || now - limit.since >= interval) limit = { now, 0 };
    return ++limit.lines <= burst;
}

/// In the form of the audit system's records, which Linux prints where no auditd runs.
void log(Task const& task, SeccompData const& data, u32 action, int signal, bool wanted)
{
    bool const always = action == seccomp_ret_log || bit_of(action) <= 2; // the kills
    if (action == seccomp_ret_allow || !(always || wanted)) return;
    if (!(task.kernel().seccomp_logged_actions & bit_of(action))) return;
    if (!may_log(task.kernel())) return;
    auto const& cred = task.credentials();
    task.kernel().printk().notice(
        "audit: type=1326 uid=%u gid=%u pid=%d comm=\"%s\" sig=%d arch=%x syscall=%d compat=%d "
        "ip=0x%llx code=0x%x",
        cred.uid, cred.gid, task.tid().value, printable(task.name()).c_str(), signal, data.arch, data.number,
        data.arch == audit_arch_i386, static_cast<unsigned long long>(data.instruction), action);
}

/// The call is not made; the guest sees `result` in rax.
bool skip(Task& task, i64 number, u64 result)
{
    auto& trace = task.kernel().trace();
    trace.syscall_enter(task, number, task.trap.args);
    bool const failed = i64(result) < 0 && i64(result) >= -i64(kMaxErrno);
    trace.syscall_exit(task, number, task.trap.args,
        failed ? SyscallResult(Errno(-i64(result))) : SyscallResult(i64(result)));
    task.guest().set_syscall_result(result);
    return false;
}

SigInfo bad_call(SeccompData const& data, u32 reason)
{
    SigInfo info;
    info.signo = sigsys;
    info.code = sys_seccomp;
    info.error = i32(reason);
    info.sys = { data.instruction, data.number, data.arch };
    return info;
}

bool trap(Task& task, SeccompData const& data, u32 reason)
{
    force_signal(task, bad_call(data, reason));
    task.guest().set_syscall_result(u64(i64(data.number)));
    return false;
}

bool kill_process(Task& task, SeccompData const& data, u32 reason)
{
    // The call was not made: the core shows the registers as they were before.
    task.guest().set_syscall_result(u64(task.trap.number));
    if (!dump_core(task, bad_call(data, reason))) exit_group(task.process(), u32(sigsys));
    return false;
}

/// Ends this thread as a signal would, and no other.
bool kill_thread(Task& task, int signal)
{
    task.exiting = true;
    task.exit_status = u32(signal);
    if (!task.process().group_exiting) task.process().exit_code = u32(signal);
    return false;
}

bool kill(Task& task, SeccompData const& data, Decision const& decision)
{
    log(task, data, decision.action(), sigsys, true);
    task.kernel().trace().syscall_enter(task, data.number, task.trap.args);
    bool const others = task.process().live_threads() > 1;
    return decision.action() == seccomp_ret_kill_thread && others ? kill_thread(task, sigsys)
                                                                  : kill_process(task, data, decision.data());
}

Result<bool> ask_supervisor(Task& task, SeccompData const& data, Decision const& decision)
{
    constexpr u64 no_listener = u64(-i64(Errno::nosys));
    if (!decision.filter->notifications) return skip(task, data.number, no_listener);
    Ref<Notifications> notifications(decision.filter->notifications);
    auto const response = TRY(notifications->ask(task, data));
    if (response.flags & seccomp_response_continue) return true;
    return skip(task, data.number, u64(response.error ? i64(response.error) : response.value));
}

enum class Tracer : u8 { may_be_asked, has_answered };
Result<bool> filter_call(Task& task, i64 number, Tracer tracer);

/// The tracer looks at the call, and may change it or turn it off; then the filters look again.
Result<bool> ask_tracer(Task& task, SeccompData const& data, u32 message)
{
    if (!tracing::wants_event(task, ptrace_event_seccomp))
        return skip(task, data.number, u64(-i64(Errno::nosys)));
    if (!tracing::seccomp_stop(task, message)) return false;
    return filter_call(task, task.trap.number, Tracer::has_answered);
}

Result<bool> filter_call(Task& task, i64 number, Tracer tracer)
{
    auto const data = data_of(task, number);
    auto const decision = decide(task, data);
    switch (decision.action()) {
    case seccomp_ret_allow:
        return true;
    case seccomp_ret_log:
        log(task, data, seccomp_ret_log, 0, true);
        return true;
    case seccomp_ret_trace:
        if (tracer == Tracer::has_answered) return true;
        log(task, data, seccomp_ret_trace, 0, decision.filter->log);
        return ask_tracer(task, data, decision.data());
    case seccomp_ret_user_notif:
        log(task, data, seccomp_ret_user_notif, 0, decision.filter->log);
        return ask_supervisor(task, data, decision);
    case seccomp_ret_errno:
        log(task, data, seccomp_ret_errno, 0, decision.filter->log);
        return skip(task, number, u64(-i64(std::min(decision.data(), kMaxErrno))));
    case seccomp_ret_trap:
        log(task, data, seccomp_ret_trap, 0, decision.filter->log);
        return trap(task, data, decision.data());
    default:
        return kill(task, data, decision);
    }
}

/// read, write, exit, rt_sigreturn: what strict mode allows.
bool is_strict(Task const& task, i64 number)
{
    constexpr i64 allowed[] = { 0, 1, 60, 15 };
    return !task.trap.compat
        && std::find(std::begin(allowed), std::end(allowed), number) != std::end(allowed);
}

} // namespace

Result<bool> allow_call(Task& task, i64 number)
{
    if (tracing::suspends_seccomp(task)) return true;
    if (task.seccomp_mode == seccomp_mode_filter) return filter_call(task, number, Tracer::may_be_asked);
    if (is_strict(task, number)) return true;
    log(task, data_of(task, number), seccomp_ret_kill_thread, sigkill, true);
    return kill_thread(task, sigkill);
}

std::string action_names(u32 set)
{
    std::string out;
    for (u64 i = 0; i < kActions.size(); ++i) {
        if (!(set >> i & 1)) continue;
        if (!out.empty()) out += ' ';
        out += kActions[i].name;
    }
    return out;
}

Result<u32> parse_logged_actions(std::string_view names)
{
    u32 set = 0;
    while (!names.empty()) {
        auto const end = names.find(' ');
        auto const word = names.substr(0, end);
        names.remove_prefix(end == names.npos ? names.size() : end + 1);
        if (word.empty()) continue;
        auto it
            = std::find_if(kActions.begin(), kActions.end(), [&](auto const& a) { return a.name == word; });
        if (it == kActions.end() || it->action == seccomp_ret_allow) return err::inval;
        set |= bit_of(it->action);
    }
    return set;
}

bool is_action(u32 action)
{
    return std::any_of(kActions.begin(), kActions.end(), [&](auto const& a) { return a.action == action; });
}

} // namespace umbra::seccomp
