// SPDX-License-Identifier: GPL-2.0-or-later
// A vCPU's loop: waiting, picking the next task, switching to it and away, and what its time is charged to.
#include <algorithm>
#include <utility>

#include "core/abi/process.h"
#include "core/abi/signal.h"
#include "core/cgroup/cpu.h"
#include "core/kernel.h"
#include "core/task/rseq.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"
#include "core/trace/trace.h"

namespace umbra {

namespace {

constexpr Nanoseconds kSlice = 4'000'000;
/// How long a task waits for its vCPU before another may take it: several wake-ups on another CPU.
constexpr Nanoseconds kStealDelay = 250'000;

} // namespace

Vcpu::Vcpu(Kernel& kernel, unsigned index, platform::VcpuPort& port)
    : kernel_(kernel)
    , index_(index)
    , port_(port)
{
}

bool Vcpu::shutting_down() const { return kernel_.is_shutting_down(); }

bool Vcpu::may_run(Task const& task) const { return task.affinity >> index_ & 1; }

Place Vcpu::running_place() const { return running_ ? place_of(*running_) : Place { Place::kFair + 1, 0 }; }

void Vcpu::wait(Nanoseconds deadline)
{
    deadline = std::min({ deadline, timers_.next(), offer_deadline() });
    // Its wake-up may have been heard by who waits on this port for a stub, without looking at what is to be run.
    if (!soon_.empty()) deadline = 0;
    kernel_.lock().release();
    port_.wait(deadline);
    kernel_.lock().acquire(port_);
    kernel_.scheduler().active_ = this;
    port_.dispatch();
    for (auto& work : std::exchange(soon_, {}))
        work();
    if (timers_.next() != kNever) timers_.run(kernel_.time().monotonic());
    if (running_ && !need_resched_ && attention_due() != kNever
        && kernel_.time().monotonic() >= attention_due())
        need_resched_ = true;
    if (offer_deadline() != kNever) offer_work();
}

Nanoseconds Vcpu::offer_deadline() const
{
    if (queue_.is_empty() || kernel_.scheduler().idle_count_ == 0 || idle_) return kNever;
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
        auto const fits = [&](Task const* task) { return other->may_run(*task); };
        if (queue_.first_urgent_that(fits) || queue_.first_fair_that(fits)) return other->port_.wake();
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
    Nanoseconds const spent = std::max<Nanoseconds>(0, now - charged_until_);
    charged_until_ = now;
    if (u32 const rank = rank_of(task); rank == Place::kDeadline)
        return task.deadline_server->use(spent);
    else if (rank < Place::kFair)
        return realtime_limit_.use(spent, now);
    task.virtual_runtime += u64(spent) * 1024 / Scheduler::weight_of(task);
    u64 least = task.virtual_runtime;
    if (Task* first = queue_.first_fair()) least = std::min(least, first->virtual_runtime);
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

/// From now on, the running task goes on that long before it looks whether another's turn has come.
void Vcpu::begin_slice(Nanoseconds now)
{
    slice_end_ = now + kSlice;
    budget_end_ = kNever;
    if (!running_) return;
    switch (rank_of(*running_)) {
    case Place::kDeadline:
        slice_end_ = kNever;
        budget_end_ = now + std::max<Nanoseconds>(0, running_->deadline_server->budget());
        break;
    case Place::kFair:
        if (queue_.first_urgent() && realtime_limit_.is_reached(now))
            slice_end_ = std::min(slice_end_, realtime_limit_.until());
        break;
    default:
        slice_end_ = now + std::max<Nanoseconds>(0, realtime_limit_.left());
        if (running_->policy == abi::sched_rr)
            slice_end_ = std::min(slice_end_, now + Scheduler::kRoundRobinSlice);
    }
}

void Vcpu::enqueue(Task& task, RunQueue::End end)
{
    task.vcpu = this;
    task.state = TaskState::runnable;
    bool const first = queue_.is_empty();
    if (first) {
        waiting_since_ = kernel_.time().monotonic();
        next_offer_ = 0;
    }
    queue_.insert(task, end);
    if (task.place.is_urgent()) ++kernel_.scheduler().urgent_waiting_;
    if (first) begin_slice(waiting_since_);
}

void Vcpu::dequeue(Task& task)
{
    if (!queue_.remove(task)) return;
    if (task.place.is_urgent()) --kernel_.scheduler().urgent_waiting_;
    if (queue_.is_empty()) waiting_since_ = kNever;
}

/// Realtime tasks that have had their part of the second wait while others do.
bool Vcpu::is_held_back(Task const& urgent) const
{
    return urgent.place.rank != Place::kDeadline && queue_.first_fair()
        && realtime_limit_.is_reached(kernel_.time().monotonic());
}

Task* Vcpu::take(Vcpu& from)
{
    auto const fits = [this](Task const* task) { return may_run(*task); };
    Task* task = from.queue_.first_urgent_that(fits);
    if (!task || is_held_back(*task))
        if (Task* fair = from.queue_.first_fair_that(fits)) task = fair;
    if (!task) return nullptr;
    from.dequeue(*task);
    if (&from != this) {
        // Virtual runtimes of two queues do not compare: carry the distance over.
        u64 ahead = task->virtual_runtime - std::min(task->virtual_runtime, from.min_virtual_runtime_);
        task->virtual_runtime = min_virtual_runtime_ + ahead;
        task->vcpu = this;
    }
    return task;
}

/// The vCPU in whose queue the most urgent task waits that may run here, or null.
Vcpu* Vcpu::with_most_urgent() const
{
    Vcpu* best = nullptr;
    Place place;
    for (auto& vcpu : kernel_.scheduler().vcpus_) {
        Task* task = vcpu->queue_.first_urgent_that([this](Task const* t) { return may_run(*t); });
        if (task && is_held_back(*task)) continue;
        if (task && (!best || task->place.outranks(place))) best = vcpu.get(), place = task->place;
    }
    return best;
}

Task* Vcpu::pick()
{
    if (kernel_.scheduler().urgent_waiting_ > 0)
        if (Vcpu* vcpu = with_most_urgent()) return take(*vcpu);
    if (Task* task = take(*this)) return task;
    Vcpu* busiest = nullptr;
    for (auto& other : kernel_.scheduler().vcpus_)
        if (other.get() != this && (!busiest || other->queue_length() > busiest->queue_length()))
            busiest = other.get();
    if (!busiest || busiest->queue_.is_empty()) return nullptr;
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
    begin_slice(charged_until_);
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
    if (task.state != TaskState::runnable && (task.membership.work & cgroup::work_shares))
        cgroup::stopped_running(task);
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

/// Whether one that waits is to run instead of `task`, which was charged up to `now`.
bool Vcpu::must_make_room(Task const& task, Nanoseconds now) const
{
    Place const mine = place_of(task);
    Vcpu* vcpu = kernel_.scheduler().urgent_waiting_ > 0 ? with_most_urgent() : nullptr;
    if (vcpu) {
        Place const first = vcpu->queue_.first_urgent()->place;
        if (first.outranks(mine)) return true;
        bool const is_next = vcpu == this && first.rank == mine.rank;
        if (is_next && task.policy == abi::sched_rr && now >= slice_end_) return true;
    }
    if (mine.is_urgent())
        return mine.rank != Place::kDeadline && queue_.first_fair() && realtime_limit_.is_reached(now);
    Task const* first = queue_.first_fair();
    return first && (first->virtual_runtime < task.virtual_runtime || now >= slice_end_);
}

void Vcpu::reschedule_if_needed()
{
    if (!need_resched_) return;
    need_resched_ = false;
    Task& task = *running_;
    bool const has_deadline = rank_of(task) == Place::kDeadline;
    if (queue_.is_empty() && kernel_.scheduler().urgent_waiting_ == 0 && !has_deadline) return;
    if (!is_urgent(task) && kernel_.time().monotonic() >= slice_end_) balance();
    charge(task);
    Nanoseconds const now = charged_until_;
    if (has_deadline && task.deadline_server->budget() <= 0) {
        bool const tells = task.deadline.flags & abi::sched_flag_dl_overrun;
        if (tells)
            (void)send_signal(task, kernel_signal(abi::sigxcpu)).ok(); // cannot fail: it is no rt signal
        return wait_for_budget(task);
    }
    if (!must_make_room(task, now)) {
        if (now >= slice_end_ || has_deadline) begin_slice(now);
        return;
    }
    ++task.usage.involuntary_switches;
    bool const slice_is_over = task.policy == abi::sched_rr && now >= slice_end_;
    enqueue(task, slice_is_over ? RunQueue::End::tail : RunQueue::End::head);
    if (task.place.is_urgent()) kernel_.scheduler().find_room(task);
    switch_away();
}

/// The running task, of SCHED_DEADLINE, has used up its budget, and is off the vCPU until the next period.
void Vcpu::wait_for_budget(Task& task)
{
    if (!task.deadline_server->throttle(charged_until_)) return begin_slice(charged_until_);
    ++task.usage.involuntary_switches;
    task.state = TaskState::runnable;
    switch_away();
}

void Vcpu::yield()
{
    Task& task = *running_;
    charge(task);
    switch (rank_of(task)) {
    case Place::kDeadline:
        task.deadline_server->give_up();
        return wait_for_budget(task);
    case Place::kFair:
        if (Task* last = queue_.last_fair())
            task.virtual_runtime = std::max(task.virtual_runtime, last->virtual_runtime + 1);
    }
    if (queue_.is_empty()) return;
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

} // namespace umbra
