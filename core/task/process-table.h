// SPDX-License-Identifier: GPL-2.0-or-later
// All processes, tasks, groups and sessions by number. Guarded by the kernel lock.
#pragma once

#include <map>
#include <span>

#include "core/base/error.h"
#include "core/task/pid-namespace.h"
#include "core/task/task.h"

namespace umbra {

class ProcessTable {
public:
    explicit ProcessTable(Kernel& kernel);

    /// The most processes that may live: each costs the host an address space and the kernel a descriptor, so a fork bomb
    /// must end in EAGAIN long before the host feels it. Zombies cost the kernel's memory only: there may be as many as
    /// KernelOptions::max_tasks, the living included.
    static constexpr u64 kMaxProcesses = 1500;

    /// The next free number, and one in `space` and each namespace above it. `wanted` are those that clone3(2) asks for, from
    /// `space` upwards. EAGAIN when there is none, or the host's tasks that guests may have are used up
    /// (KernelOptions::max_tasks): one for each thread, and one more for each process, its stub's leader. ENOMEM: the
    /// namespace has ended. EEXIST, EINVAL: a wanted number is taken, or cannot be.
    Result<Pid> allocate(PidNamespace& space, std::span<i32 const> wanted = {});
    /// What `space` has for a number of the kernel's: 0 if nothing.
    i32 number_in(PidNamespace const& space, Pid number) const;
    void add(Process& process);
    void add(Task& task);
    /// The process is a zombie now.
    void note_end() { ++zombies_; }
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
    void set_init(Process* init);
    u64 forks() const { return forks_; } ///< since boot, for /proc/stat
    PidNamespace& first_namespace() const { return *first_namespace_; }
    u32 processes_of(u32 uid) const; ///< tasks whose real uid it is (RLIMIT_NPROC)

    static constexpr i32 kPidMax = 4194304;

private:
    /// What a number of the kernel's is in namespaces other than the first.
    struct Numbers {
        Ref<PidNamespace> space;
        std::vector<i32> by_level; ///< from level 1 to the space's own
    };
    bool is_used(i32 number) const;
    void leave_group(Process& process);
    /// Forgets the numbers of namespaces once no task, process, group or session has the kernel's any more.
    void release(Pid number);
    Result<i32> take_number(std::map<i32, i32> const* numbers, i32& last, i32 wanted) const;

    Kernel& kernel_;
    std::map<i32, Process*> processes_;
    std::map<i32, Task*> tasks_;
    std::map<i32, ProcessGroup*> groups_;
    std::map<i32, Numbers> numbers_;
    u64 zombies_ = 0;
    Process* init_ = nullptr;
    Ref<PidNamespace> first_namespace_;
    u64 forks_ = 0;
};

} // namespace umbra
