// SPDX-License-Identifier: GPL-2.0-or-later
// The table of files of a process, and the directories made of it.
#include "core/fs/proc/pid-directory.h"

#include <iterator>

#include "core/fs/proc/proc-file-system.h"
#include "core/kernel.h"
#include "core/task/permissions.h"
#include "core/task/process-table.h"
#include "core/vfs/pidfd.h"

namespace umbra::fs {

namespace {
/// Who may open a file beyond its mode bits.
enum class Gate : u8 { open, inspection };
/// Whether a file is in /proc/PID, in /proc/PID/task/TID, or in both.
enum class Place : u8 { process, thread, both };

struct PidRow {
    char const* name;
    u32 mode; ///< type and permission bits
    Place place = Place::both;
    Gate gate = Gate::open;
    Result<std::string> (*read)(Subject const&) = nullptr;
    Result<void> (*write)(Subject const&, std::string_view) = nullptr;
    PidFactory make = nullptr; ///< in place of read and write
};

constexpr u32 kFile = abi::s_ifreg, kDirectory = abi::s_ifdir, kLink = abi::s_iflnk | 0777;
constexpr Place process = Place::process, thread = Place::thread, both = Place::both;
constexpr Gate open_ = Gate::open, inspection = Gate::inspection;

// Names, modes and order of Linux's tgid_base_stuff and tid_base_stuff (fs/proc/base.c).
constexpr PidRow kRows[] = {
    { "task", kDirectory | 0555, process, open_, nullptr, nullptr, make_task_directory },
    { "fd", kDirectory | 0500, both, open_, nullptr, nullptr, make_fd_directory },
    { "fdinfo", kDirectory | 0555, both, open_, nullptr, nullptr, make_fdinfo_directory },
    { "ns", kDirectory | 0511, both, open_, nullptr, nullptr, make_namespace_directory },
    { "net", kDirectory | 0555, both, open_, nullptr, nullptr, make_net_directory },
    { "environ", kFile | 0400, both, inspection, pid_environment },
    { "auxv", kFile | 0400, both, inspection, pid_auxv },
    { "status", kFile | 0444, both, open_, pid_status },
    { "personality", kFile | 0400, both, inspection, pid_personality },
    { "limits", kFile | 0444, both, open_, pid_limits },
    { "sched", kFile | 0444, both, open_, pid_sched },
    { "comm", kFile | 0644, both, open_, pid_comm, set_pid_comm },
    { "syscall", kFile | 0400, both, inspection, pid_syscall },
    { "children", kFile | 0444, thread, open_, pid_children },
    { "cmdline", kFile | 0444, both, open_, pid_command_line },
    { "stat", kFile | 0444, both, open_, pid_stat },
    { "statm", kFile | 0444, both, open_, pid_statm },
    { "maps", kFile | 0444, both, inspection, nullptr, nullptr, make_maps_file },
    { "mem", kFile | 0600, both, inspection, nullptr, nullptr, make_memory_file },
    { "cwd", kLink, both, open_, nullptr, nullptr, make_working_directory_link },
    { "root", kLink, both, open_, nullptr, nullptr, make_root_link },
    { "exe", kLink, both, open_, nullptr, nullptr, make_executable_link },
    { "mounts", kFile | 0444, both, open_, nullptr, nullptr, make_mounts_file },
    { "mountinfo", kFile | 0444, both, open_, nullptr, nullptr, make_mountinfo_file },
    { "mountstats", kFile | 0400, process, open_, nullptr, nullptr, make_mountstats_file },
    { "smaps", kFile | 0444, both, inspection, pid_smaps },
    { "smaps_rollup", kFile | 0444, both, inspection, pid_smaps_rollup },
    { "pagemap", kFile | 0400, both, inspection, nullptr, nullptr, make_pagemap },
    { "wchan", kFile | 0444, both, open_, pid_wchan },
    { "stack", kFile | 0400, both, inspection, pid_stack },
    { "schedstat", kFile | 0444, both, open_, pid_schedstat },
    { "cgroup", kFile | 0444, both, open_, pid_cgroup },
    { "oom_score", kFile | 0444, both, open_, pid_oom_score },
    { "oom_adj", kFile | 0644, both, open_, pid_oom_adj, set_pid_oom_adj },
    { "oom_score_adj", kFile | 0644, both, open_, pid_oom_score_adj, set_pid_oom_score_adj },
    { "coredump_filter", kFile | 0644, both, open_, pid_coredump_filter, set_pid_coredump_filter },
    { "io", kFile | 0400, both, inspection, pid_io },
    { "uid_map", kFile | 0644, both, open_, nullptr, nullptr, make_uid_map },
    { "gid_map", kFile | 0644, both, open_, nullptr, nullptr, make_gid_map },
    { "projid_map", kFile | 0644, both, open_, nullptr, nullptr, make_project_map },
    { "setgroups", kFile | 0644, both, open_, nullptr, nullptr, make_setgroups },
    { "timers", kFile | 0444, process, open_, pid_timers },
    { "timens_offsets", kFile | 0644, process, open_, nullptr, nullptr, make_time_offsets },
    { "timerslack_ns", kFile | 0666, process, inspection, pid_timer_slack, set_pid_timer_slack },
};
constexpr u64 kRowCount = std::size(kRows);

class PidTextInode final : public TextInode {
public:
    PidTextInode(vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes,
        PidRow const& row)
        : TextInode(fs, attributes)
        , reference_(reference)
        , row_(row)
    {
    }
    Result<void> check_open(u32) override
    {
        Subject subject = TRY(find_subject(fs_.kernel(), reference_));
        return row_.gate == Gate::inspection ? check_inspection(subject) : Result<void>();
    }
    Result<std::string> make_text() override
    {
        Subject subject = TRY(find_subject(fs_.kernel(), reference_));
        // Between open and read the process may have become somebody else by execve(2).
        if (row_.gate == Gate::inspection) TRY(check_inspection(subject));
        subject.view = &proc_of(fs_).pids();
        return row_.read(subject);
    }
    Result<void> take_text(std::string_view text) override
    {
        if (!row_.write) return TextInode::take_text(text);
        return row_.write(TRY(find_subject(fs_.kernel(), reference_)), text);
    }

private:
    PidReference reference_;
    PidRow const& row_;
};

class PidDirectory : public PseudoDirectory {
public:
    PidDirectory(
        vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes, Place place)
        : PseudoDirectory(fs, attributes)
        , reference_(reference)
        , place_(place)
    {
    }
    bool cacheable_children() const override { return false; }
    Result<void> check_access(Credentials const&, u32) override
    {
        Subject subject = TRY(find_subject(fs_.kernel(), reference_));
        auto const& proc = static_cast<ProcFileSystem&>(fs_); // there are no such directories elsewhere
        if (proc.shows(*subject.process, HidePid::no_access)) return {};
        return proc.options().hide == HidePid::invisible ? err::noent : err::perm;
    }
    /// The owner changes with setuid(2) and execve(2).
    Result<void> refresh() override
    {
        Subject subject = TRY(find_subject(fs_.kernel(), reference_));
        if (!static_cast<ProcFileSystem&>(fs_).shows(*subject.process, HidePid::invisible)) return err::noent;
        PseudoAttributes now = pid_attributes(subject, mode(), number());
        attributes_.uid = now.uid;
        attributes_.gid = now.gid;
        return {};
    }
    Result<Ref<Inode>> lookup(std::string_view name) override
    {
        Subject subject = TRY(find_for_lookup());
        for (u64 i = 0; i < kRowCount; ++i)
            if (shows(kRows[i]) && name == kRows[i].name) return make(subject, i);
        return err::noent;
    }
    Result<void> list(i64 position, vfs::DirectoryEmitter const& emit) override
    {
        for (u64 i = u64(position) - 2; i < kRowCount; ++i) {
            if (!shows(kRows[i])) continue;
            u64 number = pid_inode_number(reference_, i + 1);
            if (!emit(kRows[i].name, number, abi::dt_from_mode(kRows[i].mode), i64(i) + 3)) break;
        }
        return {};
    }

protected:
    PidReference const& reference() const { return reference_; }

private:
    bool shows(PidRow const& row) const { return row.place == Place::both || row.place == place_; }
    /// A lookup in the directory of a process that is gone finds nothing.
    Result<Subject> find_for_lookup() const
    {
        auto subject = find_subject(fs_.kernel(), reference_);
        return subject.ok() ? subject : Result<Subject>(err::noent);
    }
    Ref<Inode> make(Subject const& subject, u64 index) const
    {
        PidRow const& row = kRows[index];
        PseudoAttributes attributes
            = pid_attributes(subject, row.mode, pid_inode_number(reference_, index + 1));
        if (row.make) return row.make(fs_, reference_, attributes);
        return make_ref<PidTextInode>(fs_, reference_, attributes, row);
    }

    PidReference reference_;
    Place place_;
};

/// /proc/PID
class ProcessDirectory final : public PidDirectory, public vfs::ProcessPlace {
public:
    ProcessDirectory(vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
        : PidDirectory(fs, reference, attributes, Place::process)
    {
    }
    Result<Ref<Process>> process() override { return TRY(find_subject(fs_.kernel(), reference())).process; }
};

/// /proc/PID/task
class TaskDirectory final : public PseudoDirectory {
public:
    TaskDirectory(vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
        : PseudoDirectory(fs, attributes)
        , reference_(reference)
    {
    }
    bool cacheable_children() const override { return false; }
    Result<void> refresh() override
    {
        Subject subject = TRY(find_subject(fs_.kernel(), reference_));
        attributes_.nlink = u32(2 + subject.process->threads.size());
        return {};
    }
    Result<Ref<Inode>> lookup(std::string_view name) override
    {
        Pid const tid = pid_in(proc_of(fs_).pids(), TRY(parse_pid(name)));
        auto subject = find_subject(fs_.kernel(), reference_);
        Task* task = fs_.kernel().processes().find_task(tid);
        if (subject.is_error() || !task || &task->process() != subject.value().process.get())
            return err::noent;
        PidReference const named = PidReference::of(*task);
        Subject found { subject.value().process, task, true };
        return Ref<Inode>(make_ref<PidDirectory>(fs_, named,
            pid_attributes(found, abi::s_ifdir | 0555, pid_inode_number(named, 0)), Place::thread));
    }
    Result<void> list(i64 position, vfs::DirectoryEmitter const& emit) override
    {
        Subject subject = TRY(find_subject(fs_.kernel(), reference_));
        for (u64 i = u64(position) - 2; i < subject.process->threads.size(); ++i) {
            Task& task = *subject.process->threads[i];
            u64 number = pid_inode_number(PidReference::of(task), 0);
            if (!emit(std::to_string(proc_of(fs_).shown(task.tid())), number, abi::dt_dir, i64(i) + 3)) break;
        }
        return {};
    }

private:
    PidReference reference_;
};
} // namespace

Result<Subject> find_subject(Kernel& kernel, PidReference const& reference)
{
    auto& table = kernel.processes();
    if (reference.is_thread) {
        Task* task = table.find_task(reference.id);
        if (!task || task->start_time != reference.start_time) return err::srch;
        return Subject { task->process(), task, true };
    }
    Process* found = table.find_process(reference.id);
    if (!found || found->start_time != reference.start_time) return err::srch;
    return Subject { *found, found->leader(), false };
}

Result<Ref<Task>> live_task(Subject const& subject)
{
    if (!subject.task) return err::srch;
    return Ref<Task>(*subject.task);
}

Result<void> check_inspection(Subject const& subject)
{
    if (!subject.task) return {};
    // The access check of ptrace(2) says EPERM; files say EACCES.
    return check_may_inspect(current(), *subject.task).ok() ? Result<void>() : err::acces;
}

u64 pid_inode_number(PidReference const& reference, u64 entry)
{
    // Above the numbers of the fixed files; a thread's directory is not its process's.
    return u64(reference.id.value) << 36 | u64(reference.is_thread) << 35 | entry;
}

PseudoAttributes pid_attributes(Subject const& subject, u32 mode, u64 number)
{
    PseudoAttributes attributes { .mode = mode & ~abi::s_ifmt, .number = number };
    if (!subject.task) {
        attributes.uid = subject.process->last_uid;
        return attributes;
    }
    // The directories that everybody may list keep their owner, so that ps shows whose process it is.
    if (!subject.process->dumpable && mode != (abi::s_ifdir | 0555)) return attributes;
    attributes.uid = subject.task->credentials().euid;
    attributes.gid = subject.task->credentials().egid;
    return attributes;
}

Result<Ref<vfs::Inode>> make_pid_directory(vfs::FileSystem& fs, PidReference const& reference)
{
    Subject subject = TRY(find_subject(fs.kernel(), reference));
    auto attributes = pid_attributes(subject, abi::s_ifdir | 0555, pid_inode_number(reference, 0));
    return Ref<vfs::Inode>(make_ref<ProcessDirectory>(fs, reference, attributes));
}

Ref<vfs::Inode> make_task_directory(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    return make_ref<TaskDirectory>(fs, reference, attributes);
}

} // namespace umbra::fs
