// SPDX-License-Identifier: GPL-2.0-or-later
// Tracepoints (law 11): every crossing of the kernel's border passes one of these calls, which costs one
// predictable branch while nobody listens. Observers (--strace, tests, tools) attach with the set of points
// they want to see. Guarded by the kernel lock; the enabled set is read on every crossing and changes only
// when observers come and go.
#pragma once

#include <vector>

#include "core/abi/signal.h"
#include "core/base/error.h"
#include "core/base/types.h"
#include "core/platform/platform.h"
#include "core/trace/counters.h"

namespace umbra {

class Task;

enum class Tracepoint : u8 {
    syscall_enter,
    syscall_exit,
    fault,
    context_switch,
    signal,
    wake,
    io,
    task_new,
    task_exec,
    task_exit
};
constexpr u32 trace_bit(Tracepoint p) { return u32 { 1 } << u32(p); }
constexpr u32 kAllTracepoints = ~u32 { 0 };

enum class IoKind : u8 { read, write, poll, open, stat, other };
/// A request to the host's ring: when it is handed over and, with the result, when it is done.
struct IoEvent {
    IoKind kind;
    bool done;
    u64 offset, length;
    i64 result; ///< bytes or -errno of the host, once done
};

/// What is told. Every call comes under the kernel lock, in the context of the task named first (except wake
/// and context_switch). Observers may read the memory of that task, and so may wait, in syscall_enter,
/// syscall_exit and signal only.
class TraceObserver {
public:
    virtual void syscall_enter(Task&, i64 number, u64 const args[6]) { (void)number, (void)args; }
    /// `result` as the handler gave it, restart codes not yet translated.
    virtual void syscall_exit(Task&, i64 number, u64 const args[6], SyscallResult const& result)
    {
        (void)number, (void)args, (void)result;
    }
    virtual void fault(Task&, GuestAddr address, platform::Protection access) { (void)address, (void)access; }
    /// Null stands for the vCPU's idle loop.
    virtual void context_switch(Task* from, Task* to) { (void)from, (void)to; }
    /// A signal is being delivered: a handler is about to run, or the default action is about to be taken.
    virtual void signal(Task&, abi::SigInfo const&) { }
    virtual void wake(Task&) { }
    virtual void io(Task&, IoEvent const&) { }
    virtual void task_new(Task& parent, Task& child) { (void)parent, (void)child; }
    virtual void task_exec(Task&) { }
    /// The task leaves; `wait_status` as wait4(2) gives it.
    virtual void task_exit(Task&, u32 wait_status) { (void)wait_status; }

protected:
    ~TraceObserver() = default;
};

class Tracepoints {
public:
    Counters counters; ///< counted whether somebody listens or not

    /// The observer stays the caller's and must outlive its attachment.
    void attach(TraceObserver& observer, u32 points = kAllTracepoints);
    void detach(TraceObserver& observer);
    bool enabled(Tracepoint p) const { return enabled_ & trace_bit(p); }

    void syscall_enter(Task& task, i64 number, u64 const args[6])
    {
        if (enabled(Tracepoint::syscall_enter)) [[unlikely]]
            emit(Tracepoint::syscall_enter, &TraceObserver::syscall_enter, task, number, args);
    }
    void syscall_exit(Task& task, i64 number, u64 const args[6], SyscallResult const& result)
    {
        if (enabled(Tracepoint::syscall_exit)) [[unlikely]]
            emit(Tracepoint::syscall_exit, &TraceObserver::syscall_exit, task, number, args, result);
    }
    void fault(Task& task, GuestAddr address, platform::Protection access)
    {
        if (enabled(Tracepoint::fault)) [[unlikely]]
            emit(Tracepoint::fault, &TraceObserver::fault, task, address, access);
    }
    void context_switch(Task* from, Task* to)
    {
        if (enabled(Tracepoint::context_switch)) [[unlikely]]
            emit(Tracepoint::context_switch, &TraceObserver::context_switch, from, to);
    }
    void signal(Task& task, abi::SigInfo const& info)
    {
        if (enabled(Tracepoint::signal)) [[unlikely]]
            emit(Tracepoint::signal, &TraceObserver::signal, task, info);
    }
    void wake(Task& task)
    {
        if (enabled(Tracepoint::wake)) [[unlikely]]
            emit(Tracepoint::wake, &TraceObserver::wake, task);
    }
    void io(Task& task, IoEvent const& event)
    {
        if (enabled(Tracepoint::io)) [[unlikely]]
            emit(Tracepoint::io, &TraceObserver::io, task, event);
    }
    void task_new(Task& parent, Task& child)
    {
        if (enabled(Tracepoint::task_new)) [[unlikely]]
            emit(Tracepoint::task_new, &TraceObserver::task_new, parent, child);
    }
    void task_exec(Task& task)
    {
        if (enabled(Tracepoint::task_exec)) [[unlikely]]
            emit(Tracepoint::task_exec, &TraceObserver::task_exec, task);
    }
    void task_exit(Task& task, u32 wait_status)
    {
        if (enabled(Tracepoint::task_exit)) [[unlikely]]
            emit(Tracepoint::task_exit, &TraceObserver::task_exit, task, wait_status);
    }

private:
    struct Attachment {
        TraceObserver* observer;
        u32 points;
    };
    template <typename Method, typename... Args> void emit(Tracepoint point, Method method, Args&&... args)
    {
        // By index: an observer that waits may see the list change.
        for (size_t i = 0; i < attachments_.size(); ++i)
            if (attachments_[i].points & trace_bit(point)) (attachments_[i].observer->*method)(args...);
    }

    u32 enabled_ = 0;
    std::vector<Attachment> attachments_;
};

} // namespace umbra
