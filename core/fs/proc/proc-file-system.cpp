// SPDX-License-Identifier: GPL-2.0-or-later
// The root of proc, and finding processes by number.
#include "core/fs/proc/proc-file-system.h"

#include <charconv>

#include "core/fs/proc/pid-directory.h"
#include "core/fs/proc/proc.h"
#include "core/kernel.h"
#include "core/task/process-table.h"

namespace umbra::fs {

namespace {
constexpr i64 kProcMagic = 0x9fa0;
/// Positions of a listing from here on are pids, so that it goes on right where processes come and go.
constexpr i64 kFirstPidPosition = 1 << 16;

std::string pid_text(Task& task) { return std::to_string(task.pid().value); }
} // namespace

ProcFileSystem::ProcFileSystem(Kernel& kernel)
    : FileSystem(kernel, "proc")
{
    magic_ = kProcMagic;
    auto root = make_ref<ProcRoot>(*this, PseudoAttributes { .mode = 0555 });
    root->add("self", make_ref<LinkInode>(*this, [] { return Result<std::string>(pid_text(current())); }));
    root->add("thread-self", make_ref<LinkInode>(*this, [] {
        return Result<std::string>(pid_text(current()) + "/task/" + std::to_string(current().tid().value));
    }));
    root->add_link("mounts", "self/mounts");
    root->add_link("net", "self/net");
    add_system_files(*root, kernel);
    add_machine_files(*root, kernel);
    add_sysvipc(*root);
    add_kmsg(*root, kernel);
    add_sysctls(root->directory("sys"), kernel);
    root_ = root;
}

Ref<vfs::FileSystem> make_procfs(Kernel& kernel) { return make_ref<ProcFileSystem>(kernel); }

Result<i32> parse_pid(std::string_view name)
{
    i32 pid = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size() || pid <= 0 || name[0] == '0')
        return err::noent;
    return pid;
}

Result<Ref<vfs::Inode>> ProcRoot::lookup(std::string_view name)
{
    auto fixed = StaticDirectory::lookup(name);
    if (fixed.ok()) return fixed;
    auto& table = fs_.kernel().processes();
    Pid pid(TRY(parse_pid(name)));
    if (Process* process = table.find_process(pid))
        return make_pid_directory(fs_, PidReference::of(*process));
    // As on Linux a thread's number works too, though no listing shows it.
    Task* task = table.find_task(pid);
    if (!task) return err::noent;
    return make_pid_directory(fs_, PidReference::of(*task));
}

Result<void> ProcRoot::list(i64 position, vfs::DirectoryEmitter const& emit)
{
    if (position < kFirstPidPosition) {
        bool full = false;
        TRY(StaticDirectory::list(position, [&](std::string_view name, u64 number, u8 type, i64 next) {
            full = !emit(name, number, type, next == i64(size()) + 2 ? kFirstPidPosition : next);
            return !full;
        }));
        if (full) return {};
        position = kFirstPidPosition;
    }
    return list_processes(position, emit);
}

Result<void> ProcRoot::list_processes(i64 position, vfs::DirectoryEmitter const& emit)
{
    auto const& processes = fs_.kernel().processes().processes();
    // emit may wait for the reader's memory, and the table may change meanwhile: look up anew each time.
    i32 next = i32(position - kFirstPidPosition);
    for (auto at = processes.lower_bound(next); at != processes.end(); at = processes.lower_bound(next)) {
        i32 pid = at->first;
        u64 number = pid_inode_number(PidReference::of(*at->second), 0);
        if (!emit(std::to_string(pid), number, abi::dt_dir, kFirstPidPosition + pid + 1)) break;
        next = pid + 1;
    }
    return {};
}

} // namespace umbra::fs
