// SPDX-License-Identifier: GPL-2.0-or-later
// See traced-process.h.
#include "arch-um/ptrace/traced-process.h"

#include <algorithm>

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "hostabi/process.h"

namespace umbra::um {

using stub::Op;

namespace {
// CLONE_PTRACE: the new thread has the same tracer, from its first instruction on.
constexpr u64 kThreadFlags
    = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PTRACE;
/// A stub with more threads is not kept for another guest.
constexpr u64 kMaxPooledThreads = 8;

bool is_error_value(u64 result) { return result > ~u64 { 4095 }; }
} // namespace

TracedProcess::TracedProcess(StubEnvironment const& environment, Tracer& tracer, i32 pid, u32 service_slot)
    : environment_(environment)
    , tracer_(tracer)
    , service_slot_(service_slot)
    , leader_(*this, AreaFile::kNoSlot, 0)
{
    leader_.attach(pid);
}

TracedProcess::~TracedProcess()
{
    for (auto& thread : threads_)
        environment_.areas.free(thread->area_slot());
    environment_.areas.free(service_slot_);
}

bool TracedProcess::wait_until_stopped(UmPort& port, TracedThread& thread)
{
    Patience patience(pid());
    while (alive_ && thread.state() == TracedThread::State::running) {
        port.wait(patience.deadline());
        port.dispatch();
        if (thread.state() == TracedThread::State::running && patience.is_over())
            kill("a thread does not stop");
    }
    return alive_ && thread.state() == TracedThread::State::stopped;
}

Result<u64> TracedProcess::execute_one(UmPort& port, TracedThread& thread, Op const& op)
{
    if (!wait_until_stopped(port, thread)) return err::io;
    thread.follow(port);
    thread.start_operation(op);
    if (!wait_until_stopped(port, thread)) return err::io;
    u64 const result = thread.operation_result();
    if (is_error_value(result)) return static_cast<Errno>(-static_cast<i64>(result));
    return result;
}

/// Takes away what the last user of the stub mapped.
Result<void> TracedProcess::clear_if_required(UmPort& port)
{
    if (!clearing_required_) return {};
    TRY(execute_one(port, leader_, { SYS_munmap, { 0, stub::kZone } }));
    clearing_required_ = false;
    return {};
}

Result<u64> TracedProcess::execute(UmPort& port, std::span<Op const> batch)
{
    if (!alive_) return err::io;
    TRY(clear_if_required(port));
    u64 result = 0;
    for (Op const& op : batch)
        result = TRY(execute_one(port, leader_, op));
    return result;
}

Result<TracedThread*> TracedProcess::take_thread(UmPort& port)
{
    TracedThread* thread;
    TRY(clear_if_required(port)); // the thread may run before anything is mapped for it
    if (!idle_.empty()) {
        thread = idle_.back();
        idle_.pop_back();
    } else {
        thread = TRY(create_thread(port));
    }
    if (!wait_until_stopped(port, *thread)) return err::io;
    if (!thread->counter_is_readable) TRY(set_counter(port, *thread, true));
    thread->reset();
    return thread;
}

Result<void> TracedProcess::set_counter(UmPort& port, TracedThread& thread, bool readable)
{
    u64 const mode = readable ? PR_TSC_ENABLE : PR_TSC_SIGSEGV;
    TRY(execute_one(port, thread, { SYS_prctl, { PR_SET_TSC, mode } }));
    thread.counter_is_readable = readable;
    return {};
}

Result<TracedThread*> TracedProcess::create_thread(UmPort& port)
{
    u32 const slot = environment_.areas.allocate();
    if (slot == AreaFile::kNoSlot) return err::again;
    auto const index = static_cast<u32>(threads_.size());
    auto& thread = *threads_.emplace_back(std::make_unique<TracedThread>(*this, slot, index));
    u64 const area = stub::kAreas + index * stub::kAreaSize;
    Op const batch[] = {
        { SYS_mmap,
            { area, stub::kAreaSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                static_cast<u64>(environment_.areas.fd()), AreaFile::offset(slot) } },
        { SYS_clone, { kThreadFlags, area + stub::kAreaSize } },
    };
    auto const tid = execute(port, batch);
    if (tid.is_error()) {
        thread.forget();
        return tid.error();
    }
    thread.attach(static_cast<i32>(tid.value()));
    TRY(execute_one(port, thread, thread.signal_stack_operation()));
    return &thread;
}

void TracedProcess::give_back_thread(TracedThread& thread)
{
    if (!alive_ || thread.state() != TracedThread::State::stopped) return;
    idle_.push_back(&thread);
}

void TracedProcess::kill(char const* reason)
{
    if (!alive_) return;
    (void)hostabi::process::send_signal(pid(), SIGKILL);
    death_reason_ = reason;
    alive_ = false;
    leader_.forget();
    for (auto& thread : threads_)
        thread->forget();
}

void TracedProcess::note_end(TracedThread& thread)
{
    // No thread ends alone: all are about to be reported, the leader as the last.
    if (&thread != &leader_) return;
    alive_ = false;
    for (auto& other : threads_)
        other->forget();
}

bool TracedProcess::is_reusable() const
{
    return alive_ && idle_.size() == threads_.size() && threads_.size() <= kMaxPooledThreads;
}

bool TracedProcess::is_buried()
{
    return leader_.ended()
        && std::all_of(threads_.begin(), threads_.end(), [](auto& t) { return t->ended() || !t->tid(); });
}

void TracedProcess::wait_for_burial()
{
    auto const wait_for_end = [](i32 tid) {
        for (;;) {
            auto const status = hostabi::process::wait_for_child(tid);
            if (status.is_error() || hostabi::process::is_end(status.value().status)) return;
        }
    };
    // The leader's end is reported when the others' ends were taken.
    for (auto& thread : threads_)
        if (thread->tid() && !thread->ended()) wait_for_end(thread->tid());
    if (!leader_.ended()) wait_for_end(leader_.tid());
}

} // namespace umbra::um
