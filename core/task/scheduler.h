// SPDX-License-Identifier: GPL-2.0-or-later
// The scheduler: a run queue per vCPU (run-queue.h: deadlines, realtime priorities, then fair time-sharing weighted by
// nice), preemption by attention. A vCPU is one host thread; it runs task fibers, and sleeps in its port.
// Urgent tasks run where they can at once: the most urgent ones of all, as many as there are vCPUs.
// Balance: a wake-up on another CPU costs twenty traps, so a task stays where it was woken while it need not wait
// long. Once a queue has had somebody waiting for a while, idle vCPUs are woken to steal; at the end of a slice, a vCPU
// whose queue is longer than another's by two gives one task away.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/platform/fiber.h"
#include "core/platform/platform.h"
#include "core/sync/kernel-lock.h"
#include "core/sync/wait-queue.h"
#include "core/task/run-queue.h"
#include "core/time/timekeeper.h"

namespace umbra {

class Kernel;
class Scheduler;
namespace mm {
class AddressSpace;
}
class Task;

#if defined(__SANITIZE_ADDRESS__)
constexpr u64 kStackSize = 256 << 10;
#else
constexpr u64 kStackSize = 64 << 10;
#endif

class Vcpu final : public platform::VcpuContext {
public:
    Vcpu(Kernel& kernel, unsigned index, platform::VcpuPort& port);

    unsigned index() const { return index_; }
    Task* running() const { return running_; }
    TimerQueue& timers() { return timers_; }
    bool is_idle() const { return idle_; }
    u64 queue_length() const { return queue_.size(); }

    // VcpuContext
    void wait(Nanoseconds deadline) override;
    bool attention() const override { return need_resched_ || shutting_down(); }
    Nanoseconds attention_deadline() const override
    {
        Nanoseconds const due = attention_due();
        return cpu_deadline_ < due ? cpu_deadline_ : due;
    }
    platform::VcpuPort& port() override { return port_; }

    /// The running task lets others go first if they deserve it. Called before a task returns to the guest.
    void reschedule_if_needed();
    /// The running task crosses to its guest and back: what has passed since it last crossed, or came onto the vCPU, was
    /// the one or the other.
    void enter_user(Task& task);
    void leave_user(Task& task);
    u64 user_cycles() const { return user_cycles_; } ///< Timekeeper::cycles(), of all tasks that ran here
    u64 system_cycles() const { return system_cycles_; }
    /// Puts the running task at the end of the line (sched_yield).
    void yield();
    /// Runs `work` on this vCPU's thread, under the kernel lock, when it next looks at what has arrived.
    void run_soon(std::function<void()> work);
    /// When a CPU-time timer of the running task expires if it runs on (kNever: none).
    void set_cpu_deadline(Nanoseconds deadline) { cpu_deadline_ = deadline; }
    /// Asks the vCPU to leave the guest soon. From any vCPU, under the kernel lock.
    void request_attention();

private:
    friend class Scheduler;
    friend Result<void> sleep_current(Nanoseconds, Interruption);

    bool shutting_down() const;
    bool may_run(Task const& task) const; ///< by its affinity
    Place running_place() const; ///< behind all others while it is idle
    /// When the running task's turn is to be looked at.
    Nanoseconds attention_due() const
    {
        Nanoseconds const slice = queue_.is_empty() ? kNever : slice_end_;
        return budget_end_ < slice ? budget_end_ : slice;
    }
    void run(); ///< the loop of the vCPU's thread
    Task* pick();
    void enqueue(Task& task, RunQueue::End end = RunQueue::End::tail);
    void dequeue(Task& task); ///< if it is there
    bool is_held_back(Task const& urgent) const;
    Vcpu* with_most_urgent() const;
    bool must_make_room(Task const& task, Nanoseconds now) const;
    void wait_for_budget(Task& task);
    void begin_slice(Nanoseconds now);
    void switch_to(Task& task);
    void switch_away(); ///< from the running task's fiber to the loop
    Task* take(Vcpu& from); ///< the first of `from`'s queue that may run here
    Nanoseconds offer_deadline() const; ///< when offer_work() is due
    void offer_work();
    void balance();
    void charge(Task& task);
    void count_system(Task& task);

    Kernel& kernel_;
    unsigned index_;
    platform::VcpuPort& port_;
    platform::Fiber loop_;
    Task* running_ = nullptr;
    RunQueue queue_;
    TimerQueue timers_;
    u64 min_virtual_runtime_ = 0;
    Nanoseconds slice_end_ = kNever;
    Nanoseconds budget_end_ = kNever; ///< of a running task of SCHED_DEADLINE
    RealtimeLimit realtime_limit_;
    Nanoseconds waiting_since_
        = kNever; ///< somebody has been in the queue without a gap; kNever: it is empty
    Nanoseconds next_offer_ = 0;
    Nanoseconds cpu_deadline_ = kNever;
    Nanoseconds charged_until_ = 0;
    u64 user_cycles_ = 0, system_cycles_ = 0;
    u64 guest_exits_ = 0; ///< how often it has left guest code
    std::vector<std::function<void()>> soon_;
    bool need_resched_ = false;
    bool idle_ = false;
};

class Scheduler {
public:
    explicit Scheduler(Kernel& kernel);
    ~Scheduler();

    unsigned vcpu_count() const { return unsigned(vcpus_.size()); }
    Vcpu& vcpu(unsigned index) { return *vcpus_[index]; }
    /// The vCPU that holds the kernel lock.
    Vcpu& active() const { return *active_; }

    /// Gives the task a kernel stack; it starts in `entry` once woken. ENOMEM.
    Result<void> prepare(Task& task, void (*entry)(Task&));
    /// The running task is done: never returns. Its stack is freed by the loop; the loop drops the scheduler's reference.
    [[noreturn]] void exit_current();
    void wake(Task& task);
    /// Puts a task that is runnable, and in no queue, into the one of the vCPU that suits it.
    void place(Task& task);
    /// Applies a change of what the task's place depends on: policy, priority, deadline, lent priority.
    void change(Task& task, std::function<void()> const& apply);
    /// Whether another vCPU runs guest code of `space`.
    bool others_run_in(mm::AddressSpace const& space) const;
    /// Returns once each other vCPU that runs guest code (of `space`, if given) has left it. Waits.
    void make_guests_cross(mm::AddressSpace const* space);
    /// The running task's affinity no longer allows its vCPU: it goes on on another.
    void migrate_current();
    /// Runs the vCPUs until shut_down(). Called by the composition on the main thread.
    void run();
    void stop();

    /// Runnable tasks and the decaying averages for /proc/loadavg (1, 5, 15 minutes; brought up to date on reading).
    u64 runnable_count() const;
    void load_average(double out[3]);
    u64 context_switches() const { return context_switches_; }

    /// Its share against the others', where its control group has a weight as part of what the group gets.
    static u32 weight_of(Task const& task);
    /// The same within its control group: 1.25x a step of nice, least under SCHED_IDLE.
    static u32 own_weight(Task const& task);
    static u32 weight_of_nice(i32 nice); ///< 1024 of 0
    static constexpr Nanoseconds kRoundRobinSlice = 100'000'000; ///< of SCHED_RR

private:
    friend class Vcpu;
    static bool is_in_company(Vcpu const& vcpu);
    Vcpu& suitable_vcpu(Task const& task);
    Vcpu* vcpu_for_urgent(Task const& task, Vcpu* preferred);
    void find_room(Task& urgent);
    void notify(Vcpu& target, Task const& placed);
    void update_load();

    Kernel& kernel_;
    std::vector<std::unique_ptr<Vcpu>> vcpus_;
    Vcpu* active_ = nullptr;
    unsigned idle_count_ = 0;
    u64 urgent_waiting_ = 0; ///< in all queues
    u64 context_switches_ = 0;
    WaitQueue guest_left_; ///< woken when a vCPU has left guest code
    double load_[3] = { 0, 0, 0 };
    Nanoseconds load_updated_ = 0;
};

} // namespace umbra
