// SPDX-License-Identifier: GPL-2.0-or-later
// See stub-process.h.
#include "arch-um/seccomp/stub-process.h"

#include <algorithm>
#include <cstring>

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "arch-um/seccomp/call-watch.h"
#include "hostabi/process.h"
#include "hostabi/seccomp.h"

namespace umbra::um {

using stub::Op;

namespace {
constexpr u64 kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
/// A stub that had more threads than this is not worth keeping.
/// A stub with more threads is not kept for another guest.
constexpr u64 kMaxPooledThreads = 8;

/// Takes away what the last user of the stub mapped.
constexpr Op kClear { SYS_munmap, { 0, stub::kZone } };
/// The most operations that are executed together with it, itself one of them: they lie on a fiber's stack.
constexpr u64 kClearedWith = 20;

bool is_error_value(u64 result) { return result > ~u64 { 4095 }; }
} // namespace

StubProcess::StubProcess(StubEnvironment const& environment, i32 pid, hostabi::OwnedFd listener,
    hostabi::OwnedFd userfault, u32 service_slot)
    : environment_(environment)
    , pid_(pid)
    , listener_(std::move(listener))
    , userfault_(std::move(userfault))
    , service_slot_(service_slot)
    , polls_(environment.vcpu_count)
{
    for (auto& poll : polls_)
        poll.process = this;
}

StubProcess::~StubProcess()
{
    for (auto& thread : threads_)
        environment_.areas.free(thread->area_slot());
    environment_.areas.free(service_slot_);
}

stub::ServicePage& StubProcess::service() const
{
    return *reinterpret_cast<stub::ServicePage*>(environment_.areas.data(service_slot_));
}

stub::CallSlot& StubProcess::call_slot() const
{
    return *reinterpret_cast<stub::CallSlot*>(environment_.areas.data(service_slot_) + stub::kCallSlotOffset);
}

// --- Notifications.

void StubProcess::ListenerPoll::complete(i32 result)
{
    armed = false;
    --process->armed_;
    // Without POLLIN it is a hang-up or a cancellation: the end of the process is told by SIGCHLD.
    fired = result > 0 && (result & POLLIN);
}

void StubProcess::arm(UmPort& port)
{
    auto& poll = polls_[port.index()];
    if (poll.armed || !alive_) return;
    poll.armed = true;
    poll.fired = false;
    poll.received_before = received_;
    ++armed_;
    port.ring().poll(listener(), POLLIN, poll);
}

void StubProcess::receive(UmPort& port)
{
    auto& poll = polls_[port.index()];
    if (!poll.fired || !alive_) return;
    poll.fired = false;
    // Receiving would sleep if another vCPU had taken the notification since the poll was armed. A
    // notification that was merely withdrawn gives an error at once.
    if (poll.received_before != received_ && !hostabi::seccomp::has_notification(listener())) return;
    receiving_port_ = &port;
    seccomp_notif n;
    auto const result = hostabi::seccomp::receive(listener(), n);
    ++received_;
    ++port.counts.notifications;
    if (result.ok()) deliver(n);
    receiving_port_ = nullptr;
    // One is the usual case; if there are more, the next poll fires at once.
}

bool StubProcess::runs_guest_code() const
{
    return std::any_of(threads_.begin(), threads_.end(),
        [](auto& thread) { return thread->state() == StubThread::State::running; });
}

bool StubProcess::runs_nobody_but(StubThread const& thread) const
{
    using State = StubThread::State;
    return !newborn_ && std::none_of(threads_.begin(), threads_.end(), [&](auto& other) {
        return other.get() != &thread
            && (other->state() == State::running || other->state() == State::in_patched_call);
    });
}

void StubProcess::note_resume(StubThread const& thread)
{
    CallWatch* const other = watch;
    if (other && !other->is_of(thread)) other->stop();
}

StubThread* StubProcess::find(i32 tid)
{
    if (last_found_ && last_found_->tid() == tid) return last_found_;
    for (auto& thread : threads_)
        if (thread->tid() == tid) return last_found_ = thread.get();
    // The leader may not have told the id of the thread that it is cloning.
    if (newborn_ && newborn_->tid() == 0) {
        newborn_->set_tid(tid);
        return newborn_;
    }
    return nullptr;
}

void StubProcess::deliver(seccomp_notif const& n)
{
    auto const tid = static_cast<i32>(n.pid);
    if (tid == pid_) return receive_from_leader(n);
    if (StubThread* thread = find(tid)) return thread->receive(n);
    kill("a call of an unknown thread");
}

void StubProcess::receive_from_leader(seccomp_notif const& n)
{
    if (n.data.instruction_pointer != stub::kOpIp || leader_parked_) return kill("the leader left its loop");
    if (n.data.nr == stub::kReportNumber) {
        leader_parked_ = true;
        leader_id_ = n.id;
        finished_ = n.data.args[1];
        last_result_ = n.data.args[2];
        // How many there are it reads from the page: a guest that makes it leave some out would keep what they take away.
        if (approved_ != batch_.size() && !is_error_value(last_result_))
            kill("operations that were left out");
        return;
    }
    Op actual { static_cast<u64>(n.data.nr), {} };
    std::memcpy(actual.args, n.data.args, sizeof actual.args);
    if (approved_ == batch_.size() || !(batch_[approved_] == actual))
        return kill("an operation that was not ordered");
    ++approved_;
    if (!hostabi::seccomp::answer_continue(listener(), n.id).ok()) kill("the leader is gone");
}

// --- Operations.

bool StubProcess::wait_locked(UmPort& port, Patience& patience)
{
    arm(port);
    port.wait(patience.deadline());
    port.dispatch();
    u64 const before = received_;
    receive(port);
    if (alive_ && received_ == before && patience.is_over()) kill("the leader does not answer");
    return alive_;
}

Result<u64> StubProcess::execute_chunk(UmPort& port, std::span<Op const> chunk)
{
    Patience patience(pid_);
    while (!leader_parked_) // only before the first batch: every other one ends parked
        if (!wait_locked(port, patience)) return err::io;
    stub::ServicePage& page = service();
    page.op_count = static_cast<u32>(chunk.size());
    std::memcpy(page.ops, chunk.data(), chunk.size_bytes());
    batch_ = chunk;
    ++port.counts.batches, port.counts.operations += chunk.size();
    approved_ = 0;
    leader_parked_ = false;
    if (!hostabi::seccomp::answer(listener(), leader_id_, 0).ok()) kill("the leader is gone");
    while (alive_ && !leader_parked_)
        wait_locked(port, patience);
    batch_ = {};
    if (!alive_) return err::io;
    if (is_error_value(last_result_)) return static_cast<Errno>(-static_cast<i64>(last_result_));
    return last_result_;
}

Result<void> StubProcess::clear_if_required(UmPort& port)
{
    if (!clearing_required_) return {};
    TRY(execute_chunk(port, { &kClear, 1 }));
    clearing_required_ = false;
    return {};
}

Result<u64> StubProcess::execute(UmPort& port, std::span<Op const> batch)
{
    if (!alive_) return err::io;
    if (clearing_required_ && batch.size() < kClearedWith) {
        // The leader has to be woken once for both.
        Op ops[kClearedWith] = { kClear };
        std::copy(batch.begin(), batch.end(), ops + 1);
        auto const result = execute_chunk(port, { ops, batch.size() + 1 });
        clearing_required_ = result.is_error() && finished_ == 0;
        return result;
    }
    TRY(clear_if_required(port));
    u64 result = 0;
    while (!batch.empty()) {
        auto const chunk = batch.first(std::min<u64>(batch.size(), stub::kMaxOps));
        result = TRY(execute_chunk(port, chunk));
        batch = batch.subspan(chunk.size());
    }
    return result;
}

// --- Threads.

Result<StubThread*> StubProcess::take_thread(UmPort& port)
{
    StubThread* thread;
    TRY(clear_if_required(port)); // the thread may run before anything is mapped for it
    if (!idle_.empty()) {
        thread = idle_.back();
        idle_.pop_back();
    } else {
        thread = TRY(create_thread(port));
    }
    Patience patience(pid_);
    while (alive_ && thread->state() != StubThread::State::in_report)
        wait_locked(port, patience);
    if (!alive_) return err::io;
    if (!thread->counter_is_readable()) TRY(set_counter(port, *thread, true));
    thread->adopt();
    thread->reset();
    return thread;
}

Result<void> StubProcess::set_counter(UmPort& port, StubThread& thread, bool readable)
{
    thread.order_counter(readable);
    Patience patience(pid_);
    while (alive_ && thread.state() != StubThread::State::in_report)
        wait_locked(port, patience);
    if (!alive_) return err::io;
    if (i64 const result = thread.order_result(); result != 0) return static_cast<Errno>(-result);
    return {};
}

Result<StubThread*> StubProcess::create_thread(UmPort& port)
{
    u32 const slot = environment_.areas.allocate();
    if (slot == AreaFile::kNoSlot) return err::again;
    auto const index = static_cast<u32>(threads_.size());
    auto& thread = *threads_.emplace_back(std::make_unique<StubThread>(*this, slot, index));
    newborn_ = &thread;
    Op const batch[] = {
        { SYS_mmap,
            { stub::kAreas + index * stub::kAreaSize, stub::kAreaSize, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_FIXED, static_cast<u64>(environment_.areas.fd()), AreaFile::offset(slot) } },
        { SYS_clone, { kThreadFlags, thread.initial_stack_pointer() } },
    };
    auto const tid = execute(port, batch);
    newborn_ = nullptr;
    if (tid.is_error()) {
        thread.forget();
        return tid.error();
    }
    if (thread.tid() && thread.tid() != static_cast<i32>(tid.value())) {
        kill("a thread that is not the one it should be");
        return err::io;
    }
    thread.set_tid(static_cast<i32>(tid.value()));
    return &thread;
}

void StubProcess::give_back_thread(StubThread& thread)
{
    if (!alive_) return;
    thread.retire();
    idle_.push_back(&thread);
}

// --- The end.

void StubProcess::kill(char const* reason)
{
    if (!alive_) return;
    // ESRCH cannot be: the process is not reaped before note_end().
    (void)hostabi::process::send_signal(pid_, SIGKILL);
    death_reason_ = reason;
    note_end();
}

void StubProcess::note_end()
{
    if (!alive_) return;
    alive_ = false;
    for (auto& thread : threads_) {
        thread->forget();
        if (thread->waiting_port && thread->waiting_port != receiving_port_) thread->waiting_port->wake();
    }
}

void StubProcess::look_after()
{
    // It keeps its place in the host's process table, and so its number, until its address space is released.
    if (alive_ && hostabi::process::has_ended(pid_)) note_end();
}

bool StubProcess::is_buried()
{
    if (!reaped_) {
        auto const ended = hostabi::process::poll_child(pid_);
        reaped_ = ended.is_error() || ended.value().has_value();
    }
    return reaped_ && armed_ == 0;
}

void StubProcess::wait_for_burial()
{
    if (!reaped_) (void)hostabi::process::wait_for_child(pid_);
}

bool StubProcess::is_reusable() const
{
    return alive_ && idle_.size() == threads_.size() && threads_.size() <= kMaxPooledThreads;
}

} // namespace umbra::um
