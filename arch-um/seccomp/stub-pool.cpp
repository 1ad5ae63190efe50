// SPDX-License-Identifier: GPL-2.0-or-later
// See stub-pool.h.
#include "arch-um/seccomp/stub-pool.h"

#include <algorithm>

#include <poll.h>
#include <signal.h>

#include "hostabi/process.h"
#include "hostabi/seccomp.h"

namespace umbra::um {

namespace {
/// Ready and ordered stubs that are kept ahead of need, and the most that are kept.
constexpr u64 kAhead = 2;
constexpr u64 kMaxReady = 16;

void drain(int fd)
{
    u8 buffer[512];
    while (hostabi::read_all(fd, buffer).value_or(0) == sizeof buffer) { }
}
} // namespace

StubPool::StubPool(StubEnvironment const& environment, std::unique_ptr<stub::ZygoteHandle> zygote,
    hostabi::OwnedFd child_signal, bool synchronous_wake_up)
    : environment_(environment)
    , zygote_(std::move(zygote))
    , child_signal_(std::move(child_signal))
    , synchronous_wake_up_(synchronous_wake_up)
{
    done_poll_.pool = this;
    child_poll_.pool = this;
    for (u64 i = 0; i < kAhead; ++i)
        order();
}

StubPool::~StubPool()
{
    zygote_->stop();
    take_answers();
    for (auto& process : processes_)
        (void)hostabi::process::send_signal(process->pid(), SIGKILL);
    for (auto& process : processes_)
        (void)hostabi::process::wait_for_child(process->pid());
    for (auto& grave : graves_)
        if (!grave.reaped) (void)hostabi::process::wait_for_child(grave.process->pid());
}

// --- Orders.

void StubPool::order()
{
    u32 const slot = environment_.areas.allocate();
    if (slot == AreaFile::kNoSlot) return;
    if (zygote_->order(AreaFile::offset(slot)))
        ++ordered_;
    else
        environment_.areas.free(slot);
}

void StubPool::DonePoll::complete(i32)
{
    armed = false;
    pool->take_answers();
    for (UmPort* port : pool->waiting_ports_)
        port->wake();
}

void StubPool::take_answers()
{
    drain(zygote_->done_event());
    stub::StubOrder answer;
    while (zygote_->take_answer(answer)) {
        --ordered_;
        adopt(answer);
    }
}

void StubPool::adopt(stub::StubOrder const& answer)
{
    auto const slot = static_cast<u32>(answer.service_offset / stub::kAreaSize);
    if (answer.pid > 0 && answer.listener >= 0) {
        auto listener = hostabi::OwnedFd::adopt(answer.listener);
        // Without it the wake-ups cost more; the platform pins threads instead.
        if (synchronous_wake_up_) (void)hostabi::seccomp::set_synchronous_wake_up(listener.get());
        processes_.push_back(
            std::make_unique<StubProcess>(environment_, answer.pid, std::move(listener), slot));
        ready_.push_back(processes_.back().get());
        return;
    }
    ++refused_;
    i32 const error = answer.pid < 0 ? -answer.pid : -answer.listener;
    order_error_ = error == ENOMEM ? err::nomem : err::again;
    if (answer.pid > 0) {
        (void)hostabi::process::send_signal(answer.pid, SIGKILL);
        (void)hostabi::process::wait_for_child(answer.pid); // it was killed, or could not install its filter
    }
    environment_.areas.free(slot);
}

void StubPool::arm(UmPort& port)
{
    if (ordered_ && !done_poll_.armed) {
        done_poll_.armed = true;
        port.ring().poll(zygote_->done_event(), POLLIN, done_poll_);
    }
    if (!child_poll_.port) {
        child_poll_.port = &port;
        port.ring().poll(child_signal_.get(), POLLIN, child_poll_);
    }
}

Result<StubProcess*> StubPool::acquire(platform::VcpuContext& ctx)
{
    UmPort& port = port_of(ctx);
    bury();
    unsigned const refused_before = refused_;
    Patience patience;
    waiting_ports_.push_back(&port);
    while (ready_.empty()) {
        if (refused_ != refused_before || patience.is_over()) break;
        if (!ordered_) order();
        arm(port);
        ctx.wait(patience.deadline());
    }
    waiting_ports_.erase(std::find(waiting_ports_.begin(), waiting_ports_.end(), &port));
    if (ready_.empty()) return order_error_;
    StubProcess* process = ready_.back();
    ready_.pop_back();
    if (!process->alive()) {
        release(*process); // killed from outside while nobody used it
        return acquire(ctx);
    }
    if (ready_.size() + ordered_ < kAhead) order();
    arm(port);
    return process;
}

// --- The end of stubs.

void StubPool::release(StubProcess& process)
{
    if (process.is_reusable() && ready_.size() < kMaxReady) {
        process.require_clearing();
        ready_.push_back(&process);
        return;
    }
    process.kill("not needed any more");
    auto const it = std::find_if(
        processes_.begin(), processes_.end(), [&](auto& owned) { return owned.get() == &process; });
    graves_.push_back({ std::move(*it), false });
    processes_.erase(it);
    bury();
}

/// Frees dead stubs once the host has let go of them and no completion can come.
void StubPool::bury()
{
    std::erase_if(graves_, [](Grave& grave) {
        if (!grave.reaped) {
            auto const ended = hostabi::process::poll_child(grave.process->pid());
            grave.reaped = ended.is_error() || ended.value().has_value();
        }
        return grave.reaped && grave.process->is_quiet();
    });
}

void StubPool::ChildSignalPoll::complete(i32 result)
{
    if (result < 0) {
        port = nullptr;
        return;
    }
    drain(pool->child_signal_.get());
    pool->reap_ended();
    port->ring().poll(pool->child_signal_.get(), POLLIN, *this);
}

/// A stub in use that ended keeps its place in the host's process table until its address space is released.
void StubPool::reap_ended()
{
    bury();
    for (auto& process : processes_) {
        if (!process->alive()) continue;
        if (hostabi::process::has_ended(process->pid())) process->note_end();
    }
}

} // namespace umbra::um
