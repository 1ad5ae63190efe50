// SPDX-License-Identifier: GPL-2.0-or-later
// A vCPU thread's place to wait: core's VcpuPort over one hostabi ring. Drivers reach the ring through it.
#pragma once

#include <atomic>
#include <memory>

#include <sched.h>

#include "arch-um/common/cpu-spread.h"
#include "arch-um/common/cpu-use.h"
#include "core/platform/platform.h"
#include "hostabi/ring.h"

namespace umbra::um {

class UmPort;

/// What a vCPU's thread does before it sleeps, while its guest thread runs on another CPU.
class BusyWait {
public:
    virtual ~BusyWait() = default;
    /// Looks for what may come until it is there, the deadline passes (true: wait() returns), or until it is better to
    /// sleep (false). Without the kernel lock.
    virtual bool look(UmPort& port, Nanoseconds deadline) = 0;
    /// Another guest thread is about to run: that one, if it goes round in a call, goes to sleep. With the kernel lock.
    virtual void make_room() = 0;
};

class UmPort final : public platform::VcpuPort {
public:
    UmPort(unsigned index, std::unique_ptr<hostabi::Ring> ring)
        : index_(index)
        , ring_(std::move(ring))
    {
    }

    void wait(Nanoseconds deadline) override
    {
        if (busy_wait && busy_wait->look(*this, deadline)) return;
        if (spread && ++waits_ % kWaitsBetweenLooks == 0) look_around();
        bool const idle = !runs_guest && cpu_use;
        if (idle) cpu_use->begin_idle();
        ring_->wait(deadline);
        if (idle) cpu_use->end_idle();
    }
    void wait_for_wake() override { ring_->wait_for_wake(); }
    bool wants_company() const override { return calls_closely && cpu_use && cpu_use->free() < 2; }
    void dispatch() override { ring_->dispatch(); }
    void wake() override
    {
        wakes.fetch_add(1, std::memory_order_relaxed);
        ring_->wake();
    }

    unsigned index() const { return index_; }
    /// The host's CPU to which the vCPU thread is pinned, or -1.
    int cpu = -1;
    /// Shared by all vCPUs that nothing pins; null for one that is pinned or alone. Set before it runs.
    CpuSpread* spread = nullptr;
    /// Other vCPUs have much to do as well, and may want the kernel lock: stub threads are answered under it, with a
    /// synchronous wake-up, and are not to take the CPU from who holds it. Alone, it is faster when they do.
    bool crowded = false;
    bool runs_guest = false; ///< it waits for a guest thread that may be running
    BusyWait* busy_wait = nullptr;
    void const* guest_entered = nullptr; ///< names the last guest thread that ran here
    BusyWait* guest_in_call
        = nullptr; ///< of the guest thread that may go round until its call is answered; itself sets it
    bool calls_closely
        = false; ///< the last call of the guest's came without a trap, or would have if a CPU were free
    Nanoseconds handed_over_at = 0; ///< when the last such call's thread was resumed
    CpuUse* cpu_use = nullptr; ///< of the platform; none where nobody asks
    /// What the vCPU's own thread did, for HostCounters.
    struct Counts {
        u64 notifications = 0, batches = 0, operations = 0;
        u64 handed_over = 0, watches = 0; ///< calls without a trap, and how often they were watched for
        u64 ended_by_trap = 0, ended_by_silence = 0, ended_by_load = 0; ///< of the watches
    } counts;
    std::atomic<u64> wakes { 0 }; ///< by others
    /// For the vCPU's own thread only.
    hostabi::Ring& ring() { return *ring_; }

private:
    static constexpr unsigned kWaitsBetweenLooks = 32;
    void look_around();

    unsigned index_;
    unsigned waits_ = 0;
    bool is_displaced_ = false; ///< it left a CPU and may not go back yet
    cpu_set_t home_ {}; ///< what to return to from there
    std::unique_ptr<hostabi::Ring> ring_;
};

/// Every port of this platform is a UmPort.
inline UmPort& port_of(platform::VcpuContext& ctx) { return static_cast<UmPort&>(ctx.port()); }

} // namespace umbra::um
