// SPDX-License-Identifier: GPL-2.0-or-later
// All processes, tasks, groups and sessions by number. Guarded by the kernel lock.
#pragma once

#include <map>

#include "core/base/error.h"
#include "core/task/task.h"

namespace umbra {

class ProcessTable {
public:
    explicit ProcessTable(Kernel& kernel)
        : kernel_(kernel)
    {
    }

    /// The most processes there may be: each costs the host an address space and the kernel a descriptor, so a fork bomb
    /// must end in EAGAIN long before the host feels it.
    static constexpr u64 kMaxProcesses = 1500;

    /// The next free number. EAGAIN when there is none, or the host's tasks that guests may have are used up
    /// (KernelOptions::max_tasks): one for each thread, and one more for each process, its stub's leader.
    Result<Pid> allocate();
    void add(Process& process);
    void add(Task& task);
    void remove(Process& process);
    void remove(Task& task);

    Process* find_process(Pid pid) const;
    Task* find_task(Pid tid) const;
    ProcessGroup* find_group(Pid id) const;
    Session* find_session(Pid id) const;
    /// Makes a group (in a new session if `session` is null) and moves the process into it.
    void enter_new_group(Process& process, Pid id, RefPtr<Session> session);
    void move_to_group(Process& process, Ref<ProcessGroup> group);

    std::map<i32, Process*> const& processes() const { return processes_; }
    std::map<i32, Task*> const& tasks() const { return tasks_; }
    Process* init() const { return init_; }
    void set_init(Process* init) { init_ = init; }
    u64 forks() const { return forks_; } ///< since boot, for /proc/stat
    Pid last_pid() const { return Pid(last_); }
    u32 processes_of(u32 uid) const; ///< tasks whose real uid it is (RLIMIT_NPROC)

    static constexpr i32 kPidMax = 4194304;

private:
    Kernel& kernel_;
    std::map<i32, Process*> processes_;
    std::map<i32, Task*> tasks_;
    std::map<i32, ProcessGroup*> groups_;
    Process* init_ = nullptr;
    i32 last_ = 0;
    u64 forks_ = 0;
};

} // namespace umbra
