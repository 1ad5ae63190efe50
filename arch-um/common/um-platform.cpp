// SPDX-License-Identifier: GPL-2.0-or-later
// See um-platform.h.
#include "arch-um/common/um-platform.h"

#include <malloc.h>

#include <thread>

#include <time.h>

#include "arch-um/common/bank.h"
#include "arch-um/common/machine-info.h"
#include "hostabi/clock.h"
#include "hostabi/memory.h"
#include "hostabi/process.h"
#include "hostabi/random.h"

namespace umbra::um {

namespace {
/// The n-th CPU, modulo their number, on which the process may run.
unsigned nth_usable_cpu(unsigned n)
{
    auto const cpus = hostabi::process::affinity(0);
    if (cpus.is_error()) return 0;
    unsigned left = n % static_cast<unsigned>(CPU_COUNT(&cpus.value()));
    unsigned cpu = 0;
    while (!CPU_ISSET(cpu, &cpus.value()) || left--)
        ++cpu;
    return cpu;
}

cpu_set_t usable_cpus()
{
    cpu_set_t none;
    CPU_ZERO(&none);
    auto const cpus = hostabi::process::affinity(0);
    return cpus.ok() ? cpus.value() : none;
}
} // namespace

UmPlatform::UmPlatform(std::string backend, std::vector<std::unique_ptr<UmPort>> ports, Pinning pinning)
    : machine_(machine_info(std::move(backend)))
    , cpu_use_(usable_cpus(), static_cast<unsigned>(ports.size()))
    , ports_(std::move(ports))
    , pinning_(pinning)
    , spread_(static_cast<unsigned>(ports_.size()))
{
    for (auto const& port : ports_)
        if (pinning_ == Pinning::off && ports_.size() > 1) port->spread = &spread_;
    // The kernel lock keeps vCPUs apart anyway. malloc_trim() gives back the end of the first arena only, and a vCPU's own
    // kept the page tables of large address spaces: 2 MiB after 1 GiB was used.
    mallopt(M_ARENA_MAX, 1);
    for (auto& port : ports_)
        port->cpu_use = &cpu_use_;
}

void UmPlatform::run_vcpus(std::function<void(unsigned)> entry)
{
    auto run = [&](unsigned index) {
        // Best effort: an unpinned vCPU is only slower.
        if (pinning_ == Pinning::on) {
            unsigned const cpu = nth_usable_cpu(index);
            if (hostabi::process::pin_to_cpu(0, cpu).ok()) ports_[index]->cpu = static_cast<int>(cpu);
        }
        entry(index);
    };
    std::vector<std::thread> others;
    for (unsigned i = 1; i < vcpu_count(); ++i)
        others.emplace_back(run, i);
    run(0);
    for (auto& thread : others)
        thread.join();
}

Result<std::unique_ptr<platform::Bank>> UmPlatform::create_bank(u64 size)
{
    auto memory = hostabi::MemoryBank::create("umbra-bank", size);
    if (memory.is_error()) return err::nomem;
    return std::unique_ptr<platform::Bank>(std::make_unique<UmBank>(std::move(memory).release_value()));
}

hostabi::StackPool& UmPlatform::stacks_of(u64 size)
{
    std::lock_guard guard(stacks_mutex_);
    for (auto& pool : stacks_)
        if (pool->stack_size() == size) return *pool;
    return *stacks_.emplace_back(std::make_unique<hostabi::StackPool>(size));
}

void* UmPlatform::allocate_stack(u64 size) { return stacks_of(size).allocate(); }

void UmPlatform::free_stack(void* base, u64 size) { stacks_of(size).free(base); }

Nanoseconds UmPlatform::now(platform::HostClock clock)
{
    switch (clock) {
    case platform::HostClock::realtime:
        return hostabi::clock_now(CLOCK_REALTIME);
    case platform::HostClock::monotonic:
        return hostabi::clock_now(CLOCK_MONOTONIC);
    case platform::HostClock::monotonic_raw:
        return hostabi::clock_now(CLOCK_MONOTONIC_RAW);
    case platform::HostClock::boottime:
        return hostabi::clock_now(CLOCK_BOOTTIME);
    case platform::HostClock::realtime_coarse:
        return hostabi::clock_now(CLOCK_REALTIME_COARSE);
    case platform::HostClock::monotonic_coarse:
        return hostabi::clock_now(CLOCK_MONOTONIC_COARSE);
    }
    return 0;
}

void UmPlatform::random_bytes(std::span<u8> out) { hostabi::random_bytes(out); }
void UmPlatform::trim_heap() { malloc_trim(0); }
void UmPlatform::discard_pages(void* start, u64 length) { hostabi::discard_private(start, length); }

std::vector<platform::HostCounter> UmPlatform::host_counters() const
{
    UmPort::Counts all;
    u64 wakes = 0, requests = 0, entries = 0;
    for (auto const& port : ports_) {
        all.notifications += port->counts.notifications;
        all.batches += port->counts.batches;
        all.operations += port->counts.operations;
        all.handed_over += port->counts.handed_over;
        all.watches += port->counts.watches;
        all.ended_by_trap += port->counts.ended_by_trap;
        all.ended_by_silence += port->counts.ended_by_silence;
        all.ended_by_load += port->counts.ended_by_load;
        wakes += port->wakes.load(std::memory_order_relaxed);
        requests += port->ring().requests();
        entries += port->ring().entries();
    }
    return { { "entries into the rings", entries }, { "requests to them", requests },
        { "vCPUs woken by others", wakes }, { "notifications of stubs", all.notifications },
        { "batches of operations in stubs", all.batches }, { "operations", all.operations },
        { "calls handed over without a trap", all.handed_over }, { "watches for them", all.watches },
        { "ended by traps", all.ended_by_trap }, { "by silence", all.ended_by_silence },
        { "by other work", all.ended_by_load } };
}

} // namespace umbra::um
