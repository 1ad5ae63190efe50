// SPDX-License-Identifier: GPL-2.0-or-later
// What all backends that run guests in host processes share: vCPU threads and their ports, banks, clocks,
// random numbers, fibers' stacks, the vDSO. A backend adds create_address_space().
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "arch-um/common/vcpu-port.h"
#include "core/platform/host-counters.h"
#include "core/platform/own-memory.h"
#include "core/platform/platform.h"
#include "hostabi/stack-pool.h"

namespace umbra::um {

enum class Pinning : u8 { off, on };

class UmPlatform : public platform::Platform, public platform::OwnMemory, public platform::HostCounters {
public:
    platform::MachineInfo const& machine() const override { return machine_; }
    unsigned vcpu_count() const override { return static_cast<unsigned>(ports_.size()); }
    UmPort& vcpu(unsigned index) override { return *ports_[index]; }
    void run_vcpus(std::function<void(unsigned)> entry) override;

    Result<std::unique_ptr<platform::Bank>> create_bank(u64 size) override;
    Nanoseconds now(platform::HostClock clock) override;
    void random_bytes(std::span<u8> out) override;
    void trim_heap() override;
    void discard_pages(void* start, u64 length) override;
    std::vector<platform::HostCounter> host_counters() const override;
    std::span<u8 const> vdso_image() override { return vdso_; }
    void* allocate_stack(u64 size) override;
    void free_stack(void* base, u64 size) override;

    /// For drivers; vCPU `index`'s own thread only.
    hostabi::Ring& ring(unsigned index) { return ports_[index]->ring(); }

protected:
    CpuUse& cpu_use() { return cpu_use_; }
    UmPlatform(std::string backend, std::vector<std::unique_ptr<UmPort>> ports, Pinning pinning);
    /// For a derived destructor: no completion runs after this, so what waits in the rings may go.
    void drop_ports() { ports_.clear(); }
    void set_vdso(std::vector<u8> image) { vdso_ = std::move(image); }

private:
    hostabi::StackPool& stacks_of(u64 size);

    platform::MachineInfo machine_;
    CpuUse cpu_use_;
    std::vector<std::unique_ptr<UmPort>> ports_;
    Pinning pinning_;
    CpuSpread spread_;
    std::mutex stacks_mutex_;
    std::vector<std::unique_ptr<hostabi::StackPool>> stacks_; ///< one per size; there is hardly ever a second
    std::vector<u8> vdso_;
};

} // namespace umbra::um
