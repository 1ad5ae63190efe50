// SPDX-License-Identifier: GPL-2.0-or-later
// See call-watch.h.
#include "arch-um/seccomp/call-watch.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include <sched.h>

#include "arch-um/seccomp/stub-process.h"
#include "hostabi/clock.h"
#include "hostabi/process.h"

namespace umbra::um {

namespace {
/// A call follows another closely if it comes within this, a trap's own time included.
constexpr Nanoseconds kClose = 20'000;
/// How long to watch for the next call, and for that of a thread which has to wake up first.
constexpr Nanoseconds kPatience = 40'000, kLongPatience = 150'000;
/// A gap that only the host makes, by running something else on the CPU: it has work.
constexpr Nanoseconds kTorn = 100'000, kPause = 20'000'000;
/// Who slept over a call for longer than this is not likely to make many in a row.
constexpr Nanoseconds kMoment = 1'000'000;
/// A watch with fewer calls did not pay; that is forgotten by and by.
constexpr unsigned kPaying = 64;
constexpr Nanoseconds kForgiving = 20'000'000;
/// So many calls from one sleep over a call, or one trap, to the next are worth the dearer wake-up in between.
constexpr unsigned kPayingSleep = 5, kPayingTrap = 16;
constexpr unsigned kRoundsPerLook = 8;

using stub::CallState;

CallState state_of(stub::CallSlot& slot)
{
    return std::atomic_ref(slot.state).load(std::memory_order_acquire);
}

/// From here on, or up to here, the guest hands calls over.
void set_watched(stub::CallSlot& slot, bool watched)
{
    std::atomic_ref(slot.watched).store(watched, std::memory_order_seq_cst);
}
} // namespace

CallWatch::~CallWatch()
{
    if (port_ && port_->guest_in_call == this) port_->guest_in_call = nullptr;
    if (on_) end();
}

bool CallWatch::may_begin(UmPort& port) const
{
    auto const& environment = process_.environment();
    return environment.patched_calls && thread_.state() == StubThread::State::in_syscall
        && process_.call_sites() && !process_.watch && process_.runs_nobody_but(thread_)
        && port.ring().engine() == hostabi::RingEngine::io_uring && environment.cpu_use->free() >= 1;
}

void CallWatch::prepare(UmPort& port)
{
    if (std::exchange(port.guest_entered, this) != this) calls_in_a_row_ = 0;
    if (!process_.call_sites()) return;
    if (port_ && port_->guest_in_call == this) port_->guest_in_call = nullptr;
    Nanoseconds const now = hostabi::monotonic_now(), since_last = now - std::exchange(resumed_at_, now);
    if (on_) {
        if (may_go_on(port, since_last)) return;
        ++port.counts.ended_by_trap;
        return end();
    }
    if (wanted_ > kFewestCalls && now - forgiven_at_ > kForgiving) {
        wanted_ /= 2;
        forgiven_at_ = now;
    }
    if (!has_called_enough(port) || resumed_at_ < not_before_ || !may_begin(port)) return;
    begin(port);
    if (on_) ++port.counts.watches;
}

/// Where this vCPU watches another thread, with which this one may talk, calls in a row count: the watched one may go round
/// in its call until this one has answered with a single call, and that costs less than turns.
bool CallWatch::has_called_enough(UmPort const& port) const
{
    bool const has_company = resumed_at_ - port.handed_over_at < kMoment;
    return has_company ? calls_in_a_row_ >= wanted_ / 4 : close_calls_ >= wanted_;
}

/// A thread that trapped, or has slept over a call, is woken by the host, at the least cost on this CPU. That is dearer
/// than it was worth, unless it does so seldom, or only for a moment.
bool CallWatch::may_go_on(UmPort& port, Nanoseconds since_last)
{
    if (stopped_ || port_ != &port) return false;
    bool const in_call = thread_.state() == StubThread::State::in_patched_call;
    wakes_up_ = !in_call || thread_.is_parked();
    if (!wakes_up_) return true;
    unsigned const served = std::exchange(served_awake_, 0);
    if (in_call ? since_last > kMoment || served < kPayingSleep : served < kPayingTrap) return false;
    if (process_.environment().cpu_use->free() < 1) return false;
    return hostabi::process::current_cpu() == cpu_ || keep_away_from_this_cpu();
}

/// The thread, which sleeps, will wake up on another CPU than this one.
bool CallWatch::keep_away_from_this_cpu()
{
    cpu_ = hostabi::process::current_cpu();
    cpu_set_t others = process_.environment().cpu_use->cpus();
    CPU_CLR(cpu_, &others);
    return CPU_COUNT(&others) > 0 && hostabi::process::set_affinity(thread_.tid(), others).ok();
}

void CallWatch::note_trap(UmPort& port)
{
    auto const* sites = process_.call_sites();
    port.calls_closely = sites && thread_.state() == StubThread::State::in_patched_call;
    if (!sites) return;
    if (port.calls_closely) {
        port.guest_in_call = this;
        port.handed_over_at = resumed_at_;
        ++served_;
        ++served_awake_;
        ++port.counts.handed_over;
        return;
    }
    bool const by_gate = thread_.state() == StubThread::State::in_syscall
        && sites->site_of_gate(thread_.call().instruction_pointer);
    bool const close = hostabi::monotonic_now() - resumed_at_ < kClose;
    close_calls_ = by_gate && close ? close_calls_ + 1 : 0;
    calls_in_a_row_ = by_gate && close ? calls_in_a_row_ + 1 : 0;
    port.calls_closely = close_calls_ >= wanted_;
}

void CallWatch::begin(UmPort& port)
{
    if (!keep_away_from_this_cpu()) return;
    on_ = wakes_up_ = true;
    stopped_ = false;
    port_ = &port;
    process_.watch = this;
    served_ = served_awake_ = 0;
    set_watched(process_.call_slot(), true);
}

void CallWatch::end()
{
    on_ = false;
    close_calls_ = 0;
    process_.watch = nullptr;
    set_watched(process_.call_slot(), false);
    thread_.follow_nobody();
    forgiven_at_ = resumed_at_;
    wanted_ = served_ < kPaying ? std::min(wanted_ * 2, kMostCalls) : std::max(wanted_ / 2, kFewestCalls);
}

void CallWatch::stop()
{
    set_watched(process_.call_slot(), false);
    stopped_ = true;
}

void CallWatch::make_room()
{
    if (thread_.state() == StubThread::State::in_patched_call) thread_.park();
}

bool CallWatch::look(UmPort& port, Nanoseconds deadline)
{
    auto& ring = port.ring();
    auto& slot = process_.call_slot();
    auto& cpus = *process_.environment().cpu_use;
    ring.flush();
    cpus.begin_watch();
    Nanoseconds const start = hostabi::monotonic_now();
    Nanoseconds last = start;
    bool found = false;
    for (unsigned round = 1; on_; ++round) {
        if (state_of(slot) == CallState::requested) {
            found = true;
            break;
        }
        if (ring.has_events()) {
            ring.wait(0);
            found = true;
            break;
        }
        if (stopped_.load(std::memory_order_relaxed)) end();
        __builtin_ia32_pause();
        if (round % kRoundsPerLook != 0) continue;
        Nanoseconds const now = hostabi::monotonic_now();
        if (now >= deadline) {
            found = true;
            break;
        }
        bool const is_torn = now - last > kTorn;
        if (is_torn) not_before_ = now + kPause;
        if (is_torn || cpus.free() < 0) {
            ++port.counts.ended_by_load;
            end();
        } else if (now - start > (wakes_up_ ? kLongPatience : kPatience)) {
            ++port.counts.ended_by_silence;
            end();
        }
        last = now;
    }
    cpus.end_watch();
    return found || state_of(slot) == CallState::requested;
}

} // namespace umbra::um
