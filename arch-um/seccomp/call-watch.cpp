// SPDX-License-Identifier: GPL-2.0-or-later
// See call-watch.h.
#include "arch-um/seccomp/call-watch.h"

#include <algorithm>
#include <atomic>

#include <sched.h>

#include "arch-um/seccomp/stub-process.h"
#include "hostabi/clock.h"
#include "hostabi/process.h"

namespace umbra::um {

namespace {
/// A call follows another closely if it comes within this, a trap's own time included.
constexpr Nanoseconds kClose = 20'000;
/// How long to watch for the next call.
constexpr Nanoseconds kPatience = 40'000;
/// A gap that only the host makes, by running something else on the CPU: it has work.
constexpr Nanoseconds kTorn = 100'000, kPause = 20'000'000;
/// A watch with fewer calls did not pay.
constexpr unsigned kPaying = 64;
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
    if (on_) end();
}

bool CallWatch::may_begin(UmPort& port) const
{
    auto const& environment = process_.environment();
    return environment.patched_calls && thread_.state() == StubThread::State::in_syscall
        && process_.call_sites() && process_.has_one_thread()
        && port.ring().engine() == hostabi::RingEngine::io_uring && environment.cpu_use->free() >= 1;
}

void CallWatch::prepare(UmPort& port)
{
    if (!process_.call_sites()) return;
    resumed_at_ = hostabi::monotonic_now();
    if (on_) {
        // A thread that trapped, or sleeps over a call, is woken by the host: on this CPU at the least cost.
        if (thread_.state() == StubThread::State::in_patched_call && !thread_.is_parked()) return;
        ++port.counts.ended_by_trap;
        return end();
    }
    if (close_calls_ < wanted_ || resumed_at_ < not_before_ || !may_begin(port)) return;
    begin();
    if (on_) ++port.counts.watches;
}

void CallWatch::note_trap(UmPort& port)
{
    auto const* sites = process_.call_sites();
    if (!sites) return;
    if (thread_.state() == StubThread::State::in_patched_call) {
        ++served_;
        ++port.counts.handed_over;
        return;
    }
    bool const by_gate = thread_.state() == StubThread::State::in_syscall
        && sites->site_of_gate(thread_.call().instruction_pointer);
    bool const close = hostabi::monotonic_now() - resumed_at_ < kClose;
    close_calls_ = by_gate && close ? close_calls_ + 1 : 0;
}

/// The thread, which sleeps, will wake up on another CPU than this one.
void CallWatch::begin()
{
    cpu_set_t others = process_.environment().cpu_use->cpus();
    CPU_CLR(hostabi::process::current_cpu(), &others);
    if (CPU_COUNT(&others) == 0 || !hostabi::process::set_affinity(thread_.tid(), others).ok()) return;
    on_ = true;
    served_ = 0;
    set_watched(process_.call_slot(), true);
}

void CallWatch::end()
{
    on_ = false;
    close_calls_ = 0;
    set_watched(process_.call_slot(), false);
    thread_.follow_nobody();
    wanted_ = served_ < kPaying ? std::min(wanted_ * 2, kMostCalls) : std::max(wanted_ / 2, kFewestCalls);
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
        } else if (now - start > kPatience) {
            ++port.counts.ended_by_silence;
            end();
        }
        last = now;
    }
    cpus.end_watch();
    return found || state_of(slot) == CallState::requested;
}

} // namespace umbra::um
