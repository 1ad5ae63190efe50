// SPDX-License-Identifier: GPL-2.0-or-later
// How many of the host's CPUs the platform uses at this moment, as far as it knows without asking the host. From any
// thread.
#pragma once

#include <atomic>

#include <sched.h>

namespace umbra::um {

class CpuUse {
public:
    /// `cpus`: those that the platform may use.
    CpuUse(cpu_set_t const& cpus, unsigned vcpus)
        : cpus_(cpus)
        , count_(CPU_COUNT(&cpus))
        , vcpus_(static_cast<int>(vcpus))
    {
    }

    cpu_set_t const& cpus() const { return cpus_; }
    int count() const { return count_; }

    /// A vCPU has nothing to run.
    void begin_idle() { idle_.fetch_add(1, std::memory_order_relaxed); }
    void end_idle() { idle_.fetch_sub(1, std::memory_order_relaxed); }
    /// A vCPU's thread keeps a CPU busy beside the one that its guest thread runs on.
    void begin_watch() { watching_.fetch_add(1, std::memory_order_relaxed); }
    void end_watch() { watching_.fetch_sub(1, std::memory_order_relaxed); }

    /// CPUs without work; negative where there are too few.
    int free() const
    {
        return count_ - (vcpus_ - idle_.load(std::memory_order_relaxed))
            - watching_.load(std::memory_order_relaxed);
    }

private:
    cpu_set_t const cpus_;
    int const count_, vcpus_;
    std::atomic<int> idle_ { 0 }, watching_ { 0 };
};

} // namespace umbra::um
