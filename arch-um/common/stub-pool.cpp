// SPDX-License-Identifier: GPL-2.0-or-later
// See stub-pool.h.
#include "arch-um/common/stub-pool.h"

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

#include "arch-um/common/patience.h"
#include "hostabi/host-call.h"
#include "hostabi/process.h"

namespace umbra::um {

namespace {
/// Ready and ordered stubs that are kept ahead of need, and the most that are kept.
constexpr u64 kAhead = 2;
constexpr u64 kMaxReady = 16;
/// How often one request tries again when a new stub is refused or dies.
constexpr unsigned kMaxRefusals = 3;

/// Makes a non-blocking eventfd or signalfd unreadable, or at least less full: who polls it again will see.
void drain(int fd)
{
    u8 buffer[512];
    hostabi::host_call(SYS_read, fd, buffer, sizeof buffer);
}
} // namespace

StubPool::StubPool(StubEnvironment const& environment, std::unique_ptr<stub::ZygoteHandle> zygote,
    hostabi::OwnedFd child_signal, Maker maker)
    : environment_(environment)
    , zygote_(std::move(zygote))
    , child_signal_(std::move(child_signal))
    , make_(std::move(maker))
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
    for (auto& stub : stubs_)
        stub->kill("the platform ends");
    for (auto* list : { &stubs_, &graves_ })
        for (auto& stub : *list)
            stub->wait_for_burial();
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
    bool const lacks_userfault = answer.userfault < 0 && answer.userfault != stub::kNoUserfault;
    if (answer.pid > 0 && answer.listener >= 0 && !lacks_userfault) {
        stubs_.push_back(make_(answer));
        ready_.push_back(stubs_.back().get());
        return;
    }
    ++refused_;
    i32 const error = answer.pid < 0 ? -answer.pid
        : answer.listener < 0        ? -answer.listener
                                     : -answer.userfault;
    for (i32 fd :
        { answer.listener, answer.userfault }) // what it did get, of a filtered stub, is ours to close
        if (answer.pid > 0 && fd > 0) auto const closed = hostabi::OwnedFd::adopt(fd);
    order_error_ = error == ENOMEM ? err::nomem : err::again;
    if (answer.pid > 0) {
        (void)hostabi::process::send_signal(answer.pid, SIGKILL);
        (void)hostabi::process::wait_for_child(answer.pid); // it was killed, or could not install its filter
    }
    environment_.areas.free(AreaFile::slot_at(answer.service_offset));
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

Result<PooledStub*> StubPool::acquire(platform::VcpuContext& ctx)
{
    UmPort& port = port_of(ctx);
    bury();
    unsigned const refused_before = refused_;
    Patience patience(zygote_->pid());
    waiting_ports_.push_back(&port);
    for (;;) {
        while (!ready_.empty() && !ready_.back()->alive()) { // killed from outside while nobody used it
            PooledStub* dead = ready_.back();
            ready_.pop_back();
            release(*dead);
            ++refused_;
        }
        if (!ready_.empty()) break;
        if (refused_ - refused_before >= kMaxRefusals || patience.is_over()) break;
        if (!ordered_) order();
        arm(port);
        ctx.wait(patience.deadline());
    }
    waiting_ports_.erase(std::find(waiting_ports_.begin(), waiting_ports_.end(), &port));
    if (ready_.empty()) return order_error_;
    PooledStub* stub = ready_.back();
    ready_.pop_back();
    if (ready_.size() + ordered_ < kAhead) order();
    arm(port);
    return stub;
}

// --- The end of stubs.

void StubPool::release(PooledStub& stub)
{
    if (stub.is_reusable() && ready_.size() < kMaxReady) {
        stub.require_clearing();
        ready_.push_back(&stub);
        return;
    }
    stub.kill("not needed any more");
    auto const it
        = std::find_if(stubs_.begin(), stubs_.end(), [&](auto& owned) { return owned.get() == &stub; });
    graves_.push_back(std::move(*it));
    stubs_.erase(it);
    bury();
}

/// Frees dead stubs once the host has let go of them and no completion can come.
void StubPool::bury()
{
    std::erase_if(graves_, [](auto& stub) { return stub->is_buried(); });
}

void StubPool::ChildSignalPoll::complete(i32 result)
{
    if (result < 0) {
        port = nullptr;
        return;
    }
    drain(pool->child_signal_.get());
    pool->look_after_children();
    port->ring().poll(pool->child_signal_.get(), POLLIN, *this);
}

void StubPool::look_after_children()
{
    bury();
    if (on_child_signal) {
        on_child_signal();
    } else if (hostabi::process::has_any_ended()) {
        // Another than those that were killed here, which are buried: the host is asked about each, as it names only
        // one, and goes on naming it until its address space is released.
        for (auto& stub : stubs_)
            stub->look_after();
    } else {
        return;
    }
    bury();
}

} // namespace umbra::um
