// SPDX-License-Identifier: GPL-2.0-or-later
// Run queues, switching, waking, sleeping.
#include "core/task/scheduler.h"

#include <algorithm>
#include <cmath>

#include "core/kernel.h"
#include "core/task/rseq.h"
#include "core/task/task.h"
#include "core/trace/trace.h"

namespace umbra {

namespace {

constexpr Nanoseconds kSlice = 4'000'000;
/// A waking task may be this far ahead of the others, so that sleeping does not buy a monopoly.
constexpr u64 kSleeperCredit = 3'000'000;
/// A woken task preempts one that is this much ahead of it.
constexpr u64 kWakeupGranularity = 1'000'000;
/// How long a task waits for its vCPU before another may take it: several wake-ups on another CPU.
constexpr Nanoseconds kStealDelay = 250'000;

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

bool Vcpu::Order::operator()(Task const* a, Task const* b) const
{
    if (a->virtual_runtime != b->virtual_runtime) return a->virtual_runtime < b->virtual_runtime;
    return a < b;
}

Vcpu::Vcpu(Kernel& kernel, unsigned index, platform::VcpuPort& port)
    : kernel_(kernel)
    , index_(index)
    , port_(port)
{
}

bool Vcpu::shutting_down() const { return kernel_.is_shutting_down(); }

void Vcpu::wait(Nanoseconds deadline)
{
    deadline = std::min({ deadline, timers_.next(), offer_deadline() });
    kernel_.lock().release();
    port_.wait(deadline);
    kernel_.lock().acquire(port_);
    kernel_.scheduler().active_ = this;
    port_.dispatch();
    for (auto& work : std::exchange(soon_, {}))
        work();
    if (timers_.next() != kNever) timers_.run(kernel_.time().monotonic());
    if (running_ && !queue_.empty() && !need_resched_ && kernel_.time().monotonic() >= slice_end_)
        need_resched_ = true;
    if (offer_deadline() != kNever) offer_work();
}

Nanoseconds Vcpu::offer_deadline() const
{
    if (queue_.empty() || kernel_.scheduler().idle_count_ == 0 || idle_) return kNever;
    return std::max(waiting_since_ + kStealDelay, next_offer_);
}

/// Wakes an idle vCPU if somebody here has waited long enough and may run there.
void Vcpu::offer_work()
{
    Nanoseconds const now = kernel_.time().monotonic();
    if (now < offer_deadline()) return;
    next_offer_ = now + kSlice; // unless the one that is woken makes a difference before
    for (auto& other : kernel_.scheduler().vcpus_) {
        if (!other->idle_) continue;
        auto const fits = [&](Task const* task) { return task->affinity >> other->index_ & 1; };
        if (std::any_of(queue_.begin(), queue_.end(), fits)) return other->port_.wake();
    }
}

/// Gives a task away to the vCPU with the shortest queue.
void Vcpu::balance()
{
    auto const& vcpus = kernel_.scheduler().vcpus_;
    Vcpu& least = **std::min_element(vcpus.begin(), vcpus.end(),
        [](auto const& a, auto const& b) { return a->queue_length() < b->queue_length(); });
    if (queue_.size() < least.queue_.size() + 2) return;
    Task* task = least.take(*this);
    if (!task) return;
    least.enqueue(*task);
    least.port_.wake();
}

void Vcpu::charge(Task& task)
{
    Nanoseconds now = kernel_.time().monotonic();
    auto spent = u64(std::max<Nanoseconds>(0, now - charged_until_));
    charged_until_ = now;
    task.virtual_runtime += spent * 1024 / Scheduler::weight(task.nice);
    u64 least = task.virtual_runtime;
    if (!queue_.empty()) least = std::min(least, (*queue_.begin())->virtual_runtime);
    min_virtual_runtime_ = std::max(min_virtual_runtime_, least);
}

void Vcpu::enter_user(Task& task)
{
    count_system(task);
    task.in_user = true;
}

void Vcpu::leave_user(Task& task)
{
    task.in_user = false;
    ++guest_exits_;
    if (kernel_.scheduler().guest_left_.has_waiters()) kernel_.scheduler().guest_left_.wake_all();
    u64 now = Timekeeper::cycles();
    task.user_cycles += now - task.last_switch_cycles;
    user_cycles_ += now - task.last_switch_cycles;
    task.last_switch_cycles = now;
}

void Vcpu::count_system(Task& task)
{
    u64 now = Timekeeper::cycles();
    task.system_cycles += now - task.last_switch_cycles;
    system_cycles_ += now - task.last_switch_cycles;
    task.last_switch_cycles = now;
}

void Vcpu::enqueue(Task& task)
{
    task.vcpu = this;
    task.state = TaskState::runnable;
    if (queue_.empty()) {
        waiting_since_ = kernel_.time().monotonic();
        slice_end_ = waiting_since_ + kSlice;
        next_offer_ = 0;
    }
    queue_.insert(&task);
}

Task* Vcpu::take(Vcpu& from)
{
    for (Task* task : from.queue_) {
        if (!(task->affinity >> index_ & 1)) continue;
        from.queue_.erase(task);
        if (from.queue_.empty()) from.waiting_since_ = kNever;
        if (&from != this) {
            // Virtual runtimes of two queues do not compare: carry the distance over.
            u64 ahead = task->virtual_runtime - std::min(task->virtual_runtime, from.min_virtual_runtime_);
            task->virtual_runtime = min_virtual_runtime_ + ahead;
            task->vcpu = this;
        }
        return task;
    }
    return nullptr;
}

Task* Vcpu::pick()
{
    if (Task* task = take(*this)) return task;
    Vcpu* busiest = nullptr;
    for (auto& other : kernel_.scheduler().vcpus_)
        if (other.get() != this && (!busiest || other->queue_length() > busiest->queue_length()))
            busiest = other.get();
    if (!busiest || busiest->queue_.empty()) return nullptr;
    // A task that was woken just now is about to run where it is.
    if (busiest->running_ && kernel_.time().monotonic() < busiest->waiting_since_ + kStealDelay)
        return nullptr;
    return take(*busiest);
}

void Vcpu::switch_to(Task& task)
{
    running_ = &task;
    task.state = TaskState::running;
    task.rseq_pending = !task.rseq.area.is_null();
    need_resched_ = false;
    charged_until_ = kernel_.time().monotonic();
    slice_end_ = charged_until_ + kSlice;
    cpu_deadline_ = kNever;
    ++kernel_.scheduler().context_switches_;
    kernel_.trace().context_switch(nullptr, &task);
    // The time between this vCPU and the last was nobody's.
    task.last_switch_cycles = Timekeeper::cycles();
    platform::fiber_switch(loop_, task.fiber_);
    count_system(task);
    rseq::release_id(task);
    kernel_.trace().context_switch(&task, nullptr);
    // A task that is queued again was charged before: its runtime is its place in the queue and must not move.
    if (task.state != TaskState::runnable) charge(task);
    running_ = nullptr;
    if (task.state != TaskState::dead) return;
    kernel_.platform().free_stack(task.stack_, kStackSize);
    task.stack_ = nullptr;
    task.unref(); // the scheduler's own
}

void Vcpu::switch_away()
{
    // The task may come back on another vCPU: nothing of this one is used after the switch.
    platform::fiber_switch(running_->fiber_, loop_);
}

void Vcpu::run()
{
    kernel_.lock().acquire(port_);
    kernel_.scheduler().active_ = this;
    while (!shutting_down()) {
        if (Task* task = pick()) {
            switch_to(*task);
            continue;
        }
        idle_ = true;
        ++kernel_.scheduler().idle_count_;
        wait(kNever);
        --kernel_.scheduler().idle_count_;
        idle_ = false;
    }
    kernel_.lock().release();
}

void Vcpu::reschedule_if_needed()
{
    if (!need_resched_) return;
    need_resched_ = false;
    if (queue_.empty()) return;
    Task& task = *running_;
    if (kernel_.time().monotonic() >= slice_end_) balance();
    if (queue_.empty()) return;
    charge(task);
    if ((*queue_.begin())->virtual_runtime >= task.virtual_runtime && kernel_.time().monotonic() < slice_end_)
        return;
    ++task.usage.involuntary_switches;
    enqueue(task);
    switch_away();
}

void Vcpu::yield()
{
    if (queue_.empty()) return;
    Task& task = *running_;
    charge(task);
    task.virtual_runtime = std::max(task.virtual_runtime, (*queue_.rbegin())->virtual_runtime + 1);
    enqueue(task);
    switch_away();
}

void Vcpu::run_soon(std::function<void()> work)
{
    soon_.push_back(std::move(work));
    port_.wake();
}

void Vcpu::request_attention()
{
    need_resched_ = true;
    if (kernel_.scheduler().active_ != this) port_.wake();
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

u32 Scheduler::weight(i32 nice) { return kWeights[std::clamp(nice + 20, 0, 39)]; }

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
    Vcpu* target = task.vcpu ? task.vcpu : active_;
    if (!(task.affinity >> target->index() & 1)
        || (target->running_ && target != active_ && !target->idle_)) {
        for (auto& candidate : vcpus_)
            if (candidate->idle_ && (task.affinity >> candidate->index() & 1)) {
                target = candidate.get();
                break;
            }
    }
    while (!(task.affinity >> target->index() & 1))
        target = vcpus_[(target->index() + 1) % vcpus_.size()].get();
    if (task.vcpu != target && task.vcpu) {
        u64 ahead = task.virtual_runtime - std::min(task.virtual_runtime, task.vcpu->min_virtual_runtime_);
        task.virtual_runtime = target->min_virtual_runtime_ + ahead;
    }
    u64 floor
        = target->min_virtual_runtime_ > kSleeperCredit ? target->min_virtual_runtime_ - kSleeperCredit : 0;
    task.virtual_runtime = std::max(task.virtual_runtime, floor);
    target->enqueue(task);
    if (target->running_) {
        // What has run since the last charge counts, or a spinner would look younger than it is.
        Task& running = *target->running_;
        u64 spent = u64(std::max<Nanoseconds>(0, kernel_.time().monotonic() - target->charged_until_));
        u64 now_at = running.virtual_runtime + spent * 1024 / weight(running.nice);
        if (task.virtual_runtime + kWakeupGranularity < now_at)
            target->request_attention();
        else if (target != active_)
            target->port_.wake(); // its slice deadline has changed
    } else if (target != active_) {
        target->port_.wake();
    }
}

void Scheduler::migrate_current()
{
    Task& task = current();
    Vcpu* from = task.vcpu;
    from->charge(task);
    for (auto& vcpu : vcpus_) {
        if (!(task.affinity >> vcpu->index() & 1)) continue;
        vcpu->enqueue(task);
        if (vcpu.get() != from) vcpu->port_.wake();
        break;
    }
    from->switch_away();
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
