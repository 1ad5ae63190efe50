// SPDX-License-Identifier: GPL-2.0-or-later
// Tracing of guest threads by guest processes: ptrace(2). Who traces whom, the stops of a traced thread, and what wait(2)
// reports of them. Not to be confused with the backend that drives stubs by the host's call of that name.
//
// A Tracee is the bond between a tracing and a traced thread. The tracer lists its bonds (Task::tracees), the traced
// thread refers to its one (Task::tracee); a bond whose thread has ended stays on the list until wait(2) has told.
// A stopped thread sleeps in the kernel with its registers loaded: until it goes on, its tracer may use them from any
// vCPU. Guarded by the kernel lock.
#pragma once

#include <optional>

#include "core/abi/ptrace.h"
#include "core/task/lifecycle.h"
#include "core/task/task.h"

namespace umbra {

struct Tracee : RefCounted {
    /// How far it goes until it stops by itself.
    enum class Run : u8 {
        freely,
        to_syscall, ///< PTRACE_SYSCALL: to the next entry or exit
        emulated, ///< PTRACE_SYSEMU: to the next entry, and the call is not made
    };
    enum class Stop : u8 {
        none,
        signal, ///< a signal is about to be delivered
        group, ///< the process is stopped (or PTRACE_EVENT_STOP)
        event, ///< PTRACE_EVENT_*
        syscall_entry,
        syscall_exit,
    };

    Tracee(Task& traced, Task& tracing)
        : tid(traced.tid())
        , task(&traced)
        , tracer(&tracing)
        , process(traced.process())
    {
    }

    Pid tid;
    Pid shown_tid { 0 }; ///< what the tracer calls it, also once the thread has given its number back
    Task* task; ///< null once the thread is gone
    Task* tracer; ///< null once the bond is cut
    Ref<Process> process;
    bool seized = false; ///< PTRACE_SEIZE rather than ATTACH or TRACEME
    u32 options = 0; ///< PTRACE_O_*
    Run run = Run::freely;
    bool single_step = false;

    Stop stop = Stop::none;
    bool reported = true; ///< wait(2) has told the tracer of this stop
    bool listening = false; ///< PTRACE_LISTEN: stopped, and not to be told of or worked on
    bool trap_pending = false; ///< to enter a group stop, or PTRACE_EVENT_STOP, before it runs on
    u32 stop_code = 0; ///< signal and event << 8, as in a wait status
    std::optional<abi::SigInfo> info; ///< PTRACE_GETSIGINFO; nothing in the group stop of a thread not seized
    u64 message = 0; ///< PTRACE_GETEVENTMSG
    int resume_signal = 0; ///< with which the tracer lets it go on
    WaitQueue resumed;

    bool ended = false; ///< the thread is gone, and the tracer has not been told yet
    u32 exit_status = 0;
    u32 uid = 0; ///< real uid, for the tracer's siginfo

    bool is_stopped() const { return stop != Stop::none; }
};

namespace tracing {

// --- bonds (ptrace.cpp) ---

/// PTRACE_TRACEME. EPERM if it is traced already.
Result<void> trace_me(Task& task);
/// PTRACE_ATTACH and PTRACE_SEIZE. Waits for a thread that is stopped already to stop anew. EPERM.
enum class Attach : u8 { stop, seize };
Result<void> attach(Task& tracer, Task& target, Attach how, u32 options);
/// Cuts the bond; a stopped thread goes on with `signal`. A dead one is left to its parent.
void detach(Tracee& tracee, int signal);
/// The bond of `tracer` to the thread `tid`, which is stopped. ESRCH.
Result<Ref<Tracee>> find_stopped(Task& tracer, Pid tid);
/// Lets a stopped thread go on.
void resume(Tracee& tracee, Tracee::Run run, bool single_step, int signal);
/// PTRACE_INTERRUPT and PTRACE_LISTEN. EIO for a thread that is not seized, or not in PTRACE_EVENT_STOP.
Result<void> interrupt(Tracee& tracee);
Result<void> listen(Tracee& tracee);
/// A child that clone(2) makes is traced as its parent is.
void inherit(Task& parent, Task& child);

/// A tracer's end: its tracees go free, or are killed (PTRACE_O_EXITKILL).
void release_all(Task& tracer);
/// A traced thread's end. A leader's is told when its process ends.
void thread_ended(Task& task, u32 status);
/// A process's end. True if a tracer is to be told before the parent.
bool process_ended(Process& process);
/// A thread takes the number of its process's leader (exec).
void take_leaders_number(Task& task);

/// Whether a thread of `process` traces the child's leader: wait(2) then tells of the thread's stops, not the process's.
bool is_traced_by(Process const& child, Process const& process);
/// PTRACE_O_SUSPEND_SECCOMP: its filters are not asked.
bool suspends_seccomp(Task const& task);
/// Whether its tracer wants to know of PTRACE_EVENT_*.
bool wants_event(Task const& task, u32 event);
/// Whether the child is dead and its tracer has not been told.
bool is_kept_from_parent(Process const& child);
/// What a tracee has to report, if anything.
bool collect(Tracee& tracee, WaitRequest const& request, WaitOutcome& out);

// --- stops (ptrace-stop.cpp); all wait for the tracer ---

/// Before a signal is acted on. False if the tracer took it away; it may have put another in its place.
bool signal_stop(Task& task, abi::SigInfo& info, Errno& restart_code);
/// The group stop, or PTRACE_EVENT_STOP, that is pending.
void trap_stop(Task& task, Errno& restart_code);
/// After a handler was entered while single-stepping.
void handler_step_stop(Task& task);
/// PTRACE_EVENT_*, if the tracer asked for it.
void event_stop(Task& task, u32 event, u64 message);
/// A filter says that the tracer is to look at the call. False if it is not to be made; else task.trap is as the tracer
/// left it.
bool seccomp_stop(Task& task, u32 message);
/// After execve(2): the event, or a plain SIGTRAP.
void report_exec(Task& task, Pid former_tid);
/// A system call of a traced thread, with the stops around it.
void run_syscall(Task& task, platform::Trap const& trap);
/// The process is stopped by a signal, or continued: what its traced threads have to enter or leave.
void note_group_stop(Process& process);
void note_continue(Process& process);
/// The end of the whole process ends a thread's stop before its own end.
void end_exit_stops(Process& process);

/// If the registers say that the tracer wants an interrupted call to go on: rewinds to the call.
void restart_from_registers(Task& task);

} // namespace tracing
} // namespace umbra
