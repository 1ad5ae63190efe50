// SPDX-License-Identifier: GPL-2.0-or-later
// --stats: what the instance did, in numbers. System calls with the times that the kernel took for each (a histogram,
// sleep included, the trap not), faults by kind, stub mappings, bytes copied, switches, wake-ups, requests to the ring.
#pragma once

#include <array>
#include <string>
#include <unordered_map>

#include "core/trace/trace.h"

namespace umbra {
class Kernel;
}

namespace umbra::trace {

/// Times by powers of four: below 1 us, 4 us, 16 us, ... 67 s, and above.
class LatencyHistogram {
public:
    static constexpr size_t kBuckets = 15;
    void add(Nanoseconds time);
    u64 count() const { return count_; }
    Nanoseconds total() const { return total_; }
    Nanoseconds longest() const { return longest_; }
    /// The bound of the bucket in which the n-th share (0 to 1) of the times lies, in ns; the longest for the last.
    Nanoseconds bound_of(double share) const;
    std::array<u64, kBuckets> const& buckets() const { return buckets_; }
    /// The upper bound of a bucket, in ns; 0: it has none.
    static Nanoseconds bound(size_t bucket);

private:
    std::array<u64, kBuckets> buckets_ {};
    u64 count_ = 0;
    Nanoseconds total_ = 0, longest_ = 0;
};

/// Counts from its making to its end. Under the kernel lock, or while no vCPU runs.
class Stats final : public TraceObserver {
public:
    explicit Stats(Kernel& kernel);
    ~Stats();
    Stats(Stats const&) = delete;

    /// A table for people, lines ended.
    std::string report() const;

private:
    struct Row {
        LatencyHistogram times;
        u64 errors = 0, unfinished = 0;
    };
    struct Open {
        i64 number;
        Nanoseconds since;
    };

    void syscall_enter(Task& task, i64 number, u64 const args[6]) override;
    void syscall_exit(Task& task, i64 number, u64 const args[6], SyscallResult const& result) override;
    void fault(Task& task, GuestAddr address, platform::Protection access) override;
    void context_switch(Task* from, Task* to) override;
    void signal(Task& task, abi::SigInfo const& info) override;
    void wake(Task& task) override;
    void io(Task& task, IoEvent const& event) override;
    void task_new(Task& parent, Task& child) override;
    void task_exec(Task& task) override;
    void task_exit(Task& task, u32 wait_status) override;

    void append_calls(std::string& out) const;
    void append_memory(std::string& out) const;

    Kernel& kernel_;
    std::unordered_map<i64, Row> rows_;
    std::unordered_map<Task const*, Open> open_;
    u64 faults_ = 0, switches_ = 0, idle_ = 0, signals_ = 0, wakes_ = 0, requests_ = 0, tasks_ = 0,
        execs_ = 0;
};

} // namespace umbra::trace
