// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers to processes, tasks and groups.
#include "core/task/process-table.h"

#include <algorithm>

#include "core/kernel.h"

namespace umbra {

Result<Pid> ProcessTable::allocate()
{
    bool full = tasks_.size() + processes_.size() + 2 > kernel_.options().max_tasks;
    if (full || processes_.size() >= kMaxProcesses) return err::again;
    for (i32 tries = 0; tries < kPidMax; ++tries) {
        if (++last_ >= kPidMax) last_ = 300; // as Linux: low numbers are for the first boot processes
        if (!tasks_.count(last_) && !processes_.count(last_) && !groups_.count(last_)) {
            ++forks_;
            return Pid(last_);
        }
    }
    return err::again;
}

void ProcessTable::add(Process& process) { processes_[process.id.value] = &process; }
void ProcessTable::add(Task& task) { tasks_[task.tid().value] = &task; }

void ProcessTable::remove(Task& task)
{
    auto it = tasks_.find(task.tid().value);
    if (it != tasks_.end() && it->second == &task) tasks_.erase(it);
}

void ProcessTable::remove(Process& process)
{
    processes_.erase(process.id.value);
    if (!process.group) return;
    auto& members = process.group->members;
    members.erase(std::remove(members.begin(), members.end(), &process), members.end());
    if (members.empty()) groups_.erase(process.group->id.value);
    process.group = nullptr;
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

void ProcessTable::move_to_group(Process& process, Ref<ProcessGroup> group)
{
    if (process.group) {
        auto& members = process.group->members;
        members.erase(std::remove(members.begin(), members.end(), &process), members.end());
        if (members.empty()) groups_.erase(process.group->id.value);
    }
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
