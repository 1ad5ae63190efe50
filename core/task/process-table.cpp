// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers to processes, tasks and groups.
#include "core/task/process-table.h"

#include <algorithm>

#include "core/kernel.h"
#include "core/task/namespaces.h"

namespace umbra {

ProcessTable::ProcessTable(Kernel& kernel)
    : kernel_(kernel)
    , first_namespace_(static_cast<PidNamespace&>(*kernel.first_namespaces().pid))
{
}

void ProcessTable::set_init(Process* init)
{
    init_ = init;
    first_namespace_->init = init;
}

bool ProcessTable::is_used(i32 number) const
{
    return tasks_.count(number) || processes_.count(number) || groups_.count(number)
        || numbers_.count(number);
}

/// A number of one namespace: `numbers` are those in use, null in the first.
Result<i32> ProcessTable::take_number(std::map<i32, i32> const* numbers, i32& last, i32 wanted) const
{
    auto taken = [&](i32 number) { return numbers ? numbers->count(number) > 0 : is_used(number); };
    if (wanted) return taken(wanted) ? Result<i32>(err::exist) : wanted;
    for (i32 tries = 0; tries < kPidMax; ++tries) {
        if (++last >= kPidMax) last = 300; // as Linux: low numbers are for the first boot processes
        if (!taken(last)) return last;
    }
    return err::again;
}

Result<Pid> ProcessTable::allocate(PidNamespace& space, std::span<i32 const> wanted)
{
    u64 const most = kernel_.options().max_tasks;
    u64 const living = processes_.size() - zombies_;
    if (tasks_.size() + living + 2 > most || living >= kMaxProcesses || processes_.size() >= most)
        return err::again;
    if (space.ended) return err::nomem;
    Numbers numbers { Ref<PidNamespace>(space), {} };
    size_t next_wanted = 0;
    auto next = [&] { return next_wanted < wanted.size() ? wanted[next_wanted++] : 0; };
    for (PidNamespace* at = &space; !at->is_first(); at = at->parent()) {
        i32 const asked = next();
        // The first in a namespace is its init.
        if (asked > 1 && !at->init) return err::inval;
        numbers.by_level.insert(
            numbers.by_level.begin(), TRY(take_number(&at->numbers, at->last_number, asked)));
    }
    i32 const number = TRY(take_number(nullptr, first_namespace_->last_number, next()));
    for (PidNamespace* at = &space; !at->is_first(); at = at->parent())
        at->numbers[numbers.by_level[at->level() - 1]] = number;
    numbers_.emplace(number, std::move(numbers));
    ++forks_;
    return Pid(number);
}

i32 ProcessTable::number_in(PidNamespace const& space, Pid number) const
{
    if (space.is_first()) return number.value;
    auto it = numbers_.find(number.value);
    if (it == numbers_.end() || !it->second.space->is_within(space)) return 0;
    return it->second.by_level[space.level() - 1];
}

void ProcessTable::release(Pid number)
{
    auto it = numbers_.find(number.value);
    if (it == numbers_.end() || tasks_.count(number.value) || processes_.count(number.value)) return;
    if (groups_.count(number.value) || find_session(number)) return;
    Ref<PidNamespace> const keep = it->second.space;
    for (PidNamespace* at = keep.get(); !at->is_first(); at = at->parent()) {
        at->numbers.erase(it->second.by_level[at->level() - 1]);
        // A first process that was never born leaves its number to the next.
        if (!at->init && at->numbers.empty()) at->last_number = 0;
        at->number_released.wake_all();
    }
    numbers_.erase(it);
}

void ProcessTable::add(Process& process) { processes_[process.id.value] = &process; }
void ProcessTable::add(Task& task) { tasks_[task.tid().value] = &task; }

void ProcessTable::remove(Task& task)
{
    auto it = tasks_.find(task.tid().value);
    if (it != tasks_.end() && it->second == &task) tasks_.erase(it);
    release(task.tid());
}

void ProcessTable::remove(Process& process)
{
    processes_.erase(process.id.value);
    if (process.state == ProcessState::zombie) --zombies_;
    if (is_namespace_init(process)) process.pids->init = nullptr;
    if (process.group) leave_group(process);
    release(process.id);
}

Process* ProcessTable::find_process(Pid pid) const
{
    auto it = processes_.find(pid.value);
    return it == processes_.end() ? nullptr : it->second;
}

Task* ProcessTable::find_task(Pid tid) const
{
    auto it = tasks_.find(tid.value);
    return it == tasks_.end() ? nullptr : it->second;
}

ProcessGroup* ProcessTable::find_group(Pid id) const
{
    auto it = groups_.find(id.value);
    return it == groups_.end() ? nullptr : it->second;
}

Session* ProcessTable::find_session(Pid id) const
{
    for (auto const& [number, group] : groups_)
        if (group->session->id == id) return group->session.get();
    return nullptr;
}

void ProcessTable::leave_group(Process& process)
{
    Ref<ProcessGroup> const group(process.group);
    process.group = nullptr;
    auto& members = group->members;
    members.erase(std::remove(members.begin(), members.end(), &process), members.end());
    if (!members.empty()) return;
    groups_.erase(group->id.value);
    release(group->id);
    release(group->session->id);
}

void ProcessTable::move_to_group(Process& process, Ref<ProcessGroup> group)
{
    if (process.group) leave_group(process);
    group->members.push_back(&process);
    groups_[group->id.value] = group.get();
    process.group = std::move(group);
}

void ProcessTable::enter_new_group(Process& process, Pid id, RefPtr<Session> session)
{
    Ref<Session> in = session ? Ref<Session>(*session) : make_ref<Session>(id);
    move_to_group(process, make_ref<ProcessGroup>(id, std::move(in)));
}

u32 ProcessTable::processes_of(u32 uid) const
{
    return u32(std::count_if(
        tasks_.begin(), tasks_.end(), [&](auto& e) { return e.second->credentials().uid == uid; }));
}

} // namespace umbra
