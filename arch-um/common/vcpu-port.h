// SPDX-License-Identifier: GPL-2.0-or-later
// A vCPU thread's place to wait: core's VcpuPort over one hostabi ring. Drivers reach the ring through it.
#pragma once

#include <atomic>
#include <memory>

#include "core/platform/platform.h"
#include "hostabi/ring.h"

namespace umbra::um {

class UmPort final : public platform::VcpuPort {
public:
    UmPort(unsigned index, std::unique_ptr<hostabi::Ring> ring)
        : index_(index)
        , ring_(std::move(ring))
    {
    }

    void wait(Nanoseconds deadline) override { ring_->wait(deadline); }
    void wait_for_wake() override { ring_->wait_for_wake(); }
    void dispatch() override { ring_->dispatch(); }
    void wake() override
    {
        wakes.fetch_add(1, std::memory_order_relaxed);
        ring_->wake();
    }

    unsigned index() const { return index_; }
    /// The host's CPU to which the vCPU thread is pinned, or -1.
    int cpu = -1;
    /// What the vCPU's own thread did, for HostCounters.
    struct Counts {
        u64 notifications = 0, batches = 0, operations = 0;
    } counts;
    std::atomic<u64> wakes { 0 }; ///< by others
    /// For the vCPU's own thread only.
    hostabi::Ring& ring() { return *ring_; }

private:
    unsigned index_;
    std::unique_ptr<hostabi::Ring> ring_;
};

/// Every port of this platform is a UmPort.
inline UmPort& port_of(platform::VcpuContext& ctx) { return static_cast<UmPort&>(ctx.port()); }

} // namespace umbra::um
