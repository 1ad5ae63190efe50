// SPDX-License-Identifier: GPL-2.0-or-later
// Kernel stacks, sleeping and waking, who goes where. What a vCPU does is in vcpu.cpp.
#include "core/task/scheduler.h"

#include <algorithm>
#include <cmath>

#include "core/abi/process.h"
#include "core/cgroup/cpu.h"
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/trace/trace.h"

namespace umbra {

namespace {

/// A waking task may be this far ahead of the others, so that sleeping does not buy a monopoly.
constexpr u64 kSleeperCredit = 3'000'000;
/// A woken task preempts one that is this much ahead of it.
constexpr u64 kWakeupGranularity = 1'000'000;
constexpr u32 kIdleWeight = 3; ///< of SCHED_IDLE

constexpr u32 kWeights[40] = { 88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548,
    7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137,
    110, 87, 70, 56, 45, 36, 29, 23, 18, 15 };

/// The first words of every kernel stack: how current() finds its task.
struct StackHeader {
    u64 magic;
    Task* task;
    void (*entry)(Task&);
};
constexpr u64 kStackMagic = 0x556d6272615f4b53;

StackHeader* header_of_current_stack()
{
    // Kernel stacks are aligned to their size: the header is found from any address on them.
    auto here = reinterpret_cast<u64>(__builtin_frame_address(0));
    return reinterpret_cast<StackHeader*>(here & ~(kStackSize - 1));
}

void start_task(void* argument)
{
    auto* header = static_cast<StackHeader*>(argument);
    header->entry(*header->task);
    panic("a task's entry returned");
}

/// Wakes the sleeper at its deadline.
class SleepTimer final : public Timer {
public:
    explicit SleepTimer(Task& task)
        : Timer(task.kernel())
        , task_(task)
    {
    }

    bool fired = false;

protected:
    void expired() override
    {
        fired = true;
        wake_task(task_);
    }

private:
    Task& task_;
};

} // namespace

Task& current()
{
    StackHeader* header = header_of_current_stack();
    UMBRA_ASSERT(header->magic == kStackMagic);
    return *header->task;
}

void give_way()
{
    Vcpu& vcpu = *current().vcpu;
    vcpu.wait(0);
    vcpu.reschedule_if_needed();
}

void wake_task(Task& task) { task.kernel().scheduler().wake(task); }

Result<void> sleep_current(Nanoseconds deadline, Interruption mode)
{
    Task& task = current();
    if (task.wake_pending) {
        task.wake_pending = false;
        return {};
    }
    auto interrupted = [&] {
        return (mode == Interruption::allowed && task.has_pending_signal())
            || (mode == Interruption::killable && task.is_dying());
    };
    if (interrupted()) return err::restart_sys;
    SleepTimer timer(task);
    if (deadline != kNever) {
        if (task.kernel().time().monotonic() >= deadline) return err::timedout;
        timer.arm(deadline);
    }
    task.state = TaskState::sleeping;
    task.sleep_mode = mode;
    ++task.usage.voluntary_switches;
    task.vcpu->switch_away();
    task.wake_pending = false;
    if (timer.fired) return err::timedout;
    if (interrupted()) return err::restart_sys;
    return {};
}

Scheduler::Scheduler(Kernel& kernel)
    : kernel_(kernel)
{
    for (unsigned i = 0; i < kernel.platform().vcpu_count(); ++i)
        vcpus_.push_back(std::make_unique<Vcpu>(kernel, i, kernel.platform().vcpu(i)));
    active_ = vcpus_.front().get();
    load_updated_ = kernel.platform().now(platform::HostClock::monotonic);
}

Scheduler::~Scheduler() = default;

u32 Scheduler::weight_of_nice(i32 nice) { return kWeights[std::clamp(nice + 20, 0, 39)]; }

u32 Scheduler::own_weight(Task const& task)
{
    return task.policy == abi::sched_idle ? kIdleWeight : weight_of_nice(task.nice);
}

u32 Scheduler::weight_of(Task const& task)
{
    u32 const own = own_weight(task);
    return task.membership.work & cgroup::work_shares ? cgroup::scaled_weight(task, own) : own;
}

Result<void> Scheduler::prepare(Task& task, void (*entry)(Task&))
{
    void* base = kernel_.platform().allocate_stack(kStackSize);
    if (!base) return err::nomem;
    auto* header = new (base) StackHeader { kStackMagic, &task, entry };
    task.stack_ = base;
    task.state = TaskState::sleeping;
    platform::fiber_prepare(task.fiber_, base, kStackSize, start_task, header);
    return {};
}

void Scheduler::exit_current()
{
    Task& task = current();
    task.state = TaskState::dead;
    task.vcpu->switch_away();
    panic("a dead task runs");
}

void Scheduler::wake(Task& task)
{
    if (task.state != TaskState::sleeping) {
        task.wake_pending = true;
        return;
    }
    kernel_.trace().wake(task);
    update_load();
    if (task.membership.work & cgroup::work_shares) cgroup::became_runnable(task);
    if (task.deadline_server) task.deadline_server->begin(kernel_.time().monotonic());
    place(task);
}

/// Where the task would run at once, for one that outranks others: where it ran last if it can, else where the least
/// urgent one runs. Null: nowhere.
Vcpu* Scheduler::vcpu_for_urgent(Task const& task, Vcpu* preferred)
{
    Place const place = place_of(task);
    if (preferred && preferred->may_run(task) && place.outranks(preferred->running_place())) return preferred;
    Vcpu* best = nullptr;
    for (auto& vcpu : vcpus_)
        if (vcpu->may_run(task) && place.outranks(vcpu->running_place())
            && (!best || best->running_place() < vcpu->running_place()))
            best = vcpu.get();
    return best;
}

/// Whether the vCPU's running task makes a call, and had better make more before others run.
bool Scheduler::is_in_company(Vcpu const& vcpu)
{
    return vcpu.running_ && !vcpu.running_->in_user && vcpu.port_.wants_company();
}

Vcpu& Scheduler::suitable_vcpu(Task const& task)
{
    Vcpu* target = task.vcpu ? task.vcpu : active_;
    if (is_urgent(task)) {
        if (Vcpu* found = vcpu_for_urgent(task, target)) return *found;
    } else if (active_->may_run(task) && is_in_company(*active_)) {
        target = active_;
    } else if (!target->may_run(task) || (target->running_ && target != active_ && !target->idle_)) {
        for (auto& candidate : vcpus_)
            if (candidate->idle_ && candidate->may_run(task)) {
                target = candidate.get();
                break;
            }
    }
    while (!target->may_run(task))
        target = vcpus_[(target->index() + 1) % vcpus_.size()].get();
    return *target;
}

void Scheduler::place(Task& task)
{
    Vcpu& target = suitable_vcpu(task);
    if (task.vcpu != &target && task.vcpu) {
        u64 ahead = task.virtual_runtime - std::min(task.virtual_runtime, task.vcpu->min_virtual_runtime_);
        task.virtual_runtime = target.min_virtual_runtime_ + ahead;
    }
    u64 floor
        = target.min_virtual_runtime_ > kSleeperCredit ? target.min_virtual_runtime_ - kSleeperCredit : 0;
    task.virtual_runtime = std::max(task.virtual_runtime, floor);
    target.enqueue(task);
    notify(target, task);
}

/// The vCPU lets the new one run, if it goes before the one that runs.
void Scheduler::notify(Vcpu& target, Task const& placed)
{
    if (!target.running_) {
        if (&target != active_) target.port_.wake();
        return;
    }
    Task& running = *target.running_;
    bool first = false;
    if (placed.place.is_urgent() || is_urgent(running)) {
        first = placed.place.outranks(place_of(running));
    } else {
        // What has run since the last charge counts, or a spinner would look younger than it is.
        u64 spent = u64(std::max<Nanoseconds>(0, kernel_.time().monotonic() - target.charged_until_));
        u64 now_at = running.virtual_runtime + spent * 1024 / weight_of(running);
        bool const is_idle = placed.policy == abi::sched_idle, over_idle = running.policy == abi::sched_idle;
        bool const is_eager = placed.policy != abi::sched_batch && !is_idle;
        bool const can_wait = &target == active_ && is_in_company(target);
        first
            = is_eager && (over_idle || (!can_wait && placed.virtual_runtime + kWakeupGranularity < now_at));
    }
    if (first)
        target.request_attention();
    else if (&target != active_)
        target.port_.wake(); // its slice deadline has changed
}

/// Another vCPU than its own takes it, if what runs there is less urgent.
void Scheduler::find_room(Task& urgent)
{
    Vcpu* vcpu = vcpu_for_urgent(urgent, nullptr);
    if (!vcpu || vcpu == urgent.vcpu) return;
    vcpu->idle_ ? vcpu->port_.wake() : vcpu->request_attention();
}

void Scheduler::change(Task& task, std::function<void()> const& apply)
{
    bool const waits = task.state == TaskState::runnable;
    if (waits) task.vcpu->dequeue(task);
    bool const had_deadline = task.policy == abi::sched_deadline;
    auto const before = task.deadline;
    apply();
    bool const has_deadline = task.policy == abi::sched_deadline;
    if (!has_deadline) {
        task.deadline_server.reset();
    } else if (!had_deadline || task.deadline != before) {
        task.deadline_server = std::make_unique<DeadlineServer>(task);
        task.deadline_server->begin(kernel_.time().monotonic());
    } else if (task.deadline_server->is_throttled()) {
        return;
    }
    if (waits) return place(task);
    if (task.state != TaskState::running) return;
    task.vcpu->begin_slice(kernel_.time().monotonic());
    task.vcpu->request_attention();
}

void Scheduler::migrate_current()
{
    Task& task = current();
    Vcpu* from = task.vcpu;
    from->charge(task);
    for (auto& vcpu : vcpus_) {
        if (!vcpu->may_run(task)) continue;
        vcpu->enqueue(task);
        if (vcpu.get() != from) notify(*vcpu, task);
        break;
    }
    from->switch_away();
}

bool Scheduler::others_run_in(mm::AddressSpace const& space) const
{
    return std::any_of(vcpus_.begin(), vcpus_.end(), [&](auto const& vcpu) {
        Task* task = vcpu->running_;
        return vcpu.get() != active_ && task && task->in_user && &task->mm() == &space;
    });
}

void Scheduler::make_guests_cross(mm::AddressSpace const* space)
{
    std::vector<std::pair<Vcpu*, u64>> asked;
    for (auto& vcpu : vcpus_) {
        Task* task = vcpu->running_;
        if (vcpu.get() == active_ || !task || !task->in_user || (space && &task->mm() != space)) continue;
        asked.emplace_back(vcpu.get(), vcpu->guest_exits_);
        vcpu->request_attention();
    }
    auto crossed = [&] {
        return std::all_of(
            asked.begin(), asked.end(), [](auto& a) { return a.first->guest_exits_ != a.second; });
    };
    (void)guest_left_.wait_until(crossed, kNever, Interruption::refused)
        .ok(); // without deadline and signals: succeeds
}

void Scheduler::run()
{
    kernel_.platform().run_vcpus([this](unsigned index) { vcpus_[index]->run(); });
}

void Scheduler::stop()
{
    for (auto& vcpu : vcpus_)
        if (vcpu.get() != active_) vcpu->port_.wake();
}

u64 Scheduler::runnable_count() const
{
    u64 n = 0;
    for (auto& vcpu : vcpus_)
        n += vcpu->queue_.size() + (vcpu->running_ != nullptr);
    return n;
}

void Scheduler::update_load()
{
    constexpr double kMinutes[3] = { 60, 300, 900 };
    Nanoseconds now = kernel_.time().monotonic();
    double seconds = double(now - load_updated_) / 1e9;
    if (seconds < 0.05) return;
    load_updated_ = now;
    auto n = double(runnable_count());
    for (int i = 0; i < 3; ++i) {
        double keep = std::exp(-seconds / kMinutes[i]);
        load_[i] = load_[i] * keep + n * (1 - keep);
    }
}

void Scheduler::load_average(double out[3])
{
    update_load();
    std::copy(load_, load_ + 3, out);
}

} // namespace umbra
