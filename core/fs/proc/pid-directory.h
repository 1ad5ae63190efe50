// SPDX-License-Identifier: GPL-2.0-or-later
// /proc/PID and /proc/PID/task/TID: one table of files for both. Internal to core/fs/proc.
// An open file or directory does not keep its process alive: it holds a PidReference and asks for the process
// each time, which gives ESRCH once it is gone.
#pragma once

#include "core/fs/pseudo/pseudo.h"
#include "core/mm/address-space.h"
#include "core/task/pid-namespace.h"
#include "core/task/task.h"

namespace umbra::fs {

struct PidReference {
    Pid id;
    Nanoseconds start_time; ///< tells a process from a later one with the same number
    bool is_thread; ///< one thread (task/TID, or a thread's number in the root), not the process

    static PidReference of(Process const& process) { return { process.id, process.start_time, false }; }
    static PidReference of(Task const& task) { return { task.tid(), task.start_time, true }; }
};

/// A process, or one thread of it.
struct Subject {
    Ref<Process> process;
    RefPtr<Task> task; ///< the thread, or one that stands for the process; null in a zombie
    bool is_thread;
    PidNamespace const* view = nullptr; ///< whose numbers are shown; null: the kernel's

    Kernel& kernel() const { return process->kernel; }
    i32 shown(Pid number) const { return view ? pid_out(kernel(), *view, number) : number.value; }
    Pid id() const { return is_thread ? task->tid() : process->id; }
    /// Null where there is no memory (zombie, or on its way out).
    RefPtr<mm::AddressSpace> memory() const
    {
        return task && task->has_mm() ? RefPtr<mm::AddressSpace>(&task->mm()) : nullptr;
    }
};
/// ESRCH.
Result<Subject> find_subject(Kernel& kernel, PidReference const& reference);
/// The task itself; ESRCH for a zombie.
Result<Ref<Task>> live_task(Subject const& subject);
/// PTRACE_MODE_READ by the current task. A zombie has nothing to hide. EACCES.
Result<void> check_inspection(Subject const& subject);

/// ENOENT unless `name` is the number of a process as proc writes it.
Result<i32> parse_pid(std::string_view name);
/// `entry` tells apart what belongs to one process.
u64 pid_inode_number(PidReference const& reference, u64 entry);
/// comm; of a zombie, what it was.
std::string subject_name(Subject const& subject);
/// Owner as Linux's task_dump_owner(): root's where the process must not be looked into.
PseudoAttributes pid_attributes(Subject const& subject, u32 mode, u64 number);

Result<Ref<vfs::Inode>> make_pid_directory(vfs::FileSystem& fs, PidReference const& reference);

// --- special entries; each is in the file of its name ---
using PidFactory
    = Ref<vfs::Inode> (*)(vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const&);
Ref<vfs::Inode> make_fd_directory(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_fdinfo_directory(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_task_directory(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_namespace_directory(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_net_directory(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_mounts_file(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_mountinfo_file(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_mountstats_file(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_maps_file(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_pagemap(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_memory_file(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_executable_link(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_working_directory_link(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_root_link(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_time_offsets(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_uid_map(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_gid_map(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_project_map(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);
Ref<vfs::Inode> make_setgroups(vfs::FileSystem&, PidReference const&, PseudoAttributes const&);

// --- texts ---
// pid-status.cpp
Result<std::string> pid_status(Subject const&);
Result<std::string> pid_stat(Subject const&);
// pid-files.cpp
Result<std::string> pid_statm(Subject const&);
Result<std::string> pid_comm(Subject const&);
Result<void> set_pid_comm(Subject const&, std::string_view);
Result<std::string> pid_limits(Subject const&);
Result<std::string> pid_io(Subject const&);
Result<std::string> pid_sched(Subject const&);
Result<std::string> pid_schedstat(Subject const&);
Result<std::string> pid_wchan(Subject const&);
Result<std::string> pid_syscall(Subject const&);
Result<std::string> pid_children(Subject const&);
Result<std::string> pid_stack(Subject const&);
Result<std::string> pid_personality(Subject const&);
Result<std::string> pid_cgroup(Subject const&);
Result<std::string> pid_timers(Subject const&);
Result<std::string> pid_timer_slack(Subject const&);
Result<void> set_pid_timer_slack(Subject const&, std::string_view);
// pid-oom.cpp
Result<std::string> pid_oom_score(Subject const&);
Result<std::string> pid_oom_score_adj(Subject const&);
Result<void> set_pid_oom_score_adj(Subject const&, std::string_view);
Result<std::string> pid_oom_adj(Subject const&);
Result<void> set_pid_oom_adj(Subject const&, std::string_view);
// pid-ids.cpp
// pid-memory.cpp
Result<std::string> pid_maps(Subject const&);
/// What stands in the last column of maps; not escaped.
std::string area_name(mm::AddressSpace const& memory, mm::Vma const& area);
Result<std::string> pid_smaps(Subject const&);
Result<std::string> pid_smaps_rollup(Subject const&);
Result<std::string> pid_coredump_filter(Subject const&);
Result<void> set_pid_coredump_filter(Subject const&, std::string_view);
Result<std::string> pid_command_line(Subject const&);
Result<std::string> pid_environment(Subject const&);
Result<std::string> pid_auxv(Subject const&);

} // namespace umbra::fs
