// SPDX-License-Identifier: GPL-2.0-or-later
// The instance and its root directory. Internal to core/fs/proc.
#pragma once

#include "core/fs/pseudo/pseudo.h"
#include "core/task/pid-namespace.h"
#include "core/task/process.h"

namespace umbra::fs {

/// How much of a process is seen by those who must not inspect it (proc(5), hidepid=).
enum class HidePid : u8 { off, no_access, invisible, not_ptraceable = 4 };

struct ProcOptions {
    HidePid hide = HidePid::off;
    u32 gid = 0; ///< of the group that nothing is hidden from
    bool only_processes = false; ///< subset=pid
};

class ProcFileSystem final : public vfs::FileSystem {
public:
    /// `pids`: whose processes it shows.
    ProcFileSystem(Kernel& kernel, PidNamespace& pids, ProcOptions const& options);
    Ref<vfs::Inode> root() override { return *root_; }
    std::string show_options() const override;
    Result<void> reconfigure(std::string_view text) override;
    ProcOptions const& options() const { return options_; }
    /// Whether the current task may see a process at a place that `least` begins to hide.
    bool shows(Process& process, HidePid least) const;
    PidNamespace& pids() const { return *pids_; }
    /// What it calls a process.
    i32 shown(Pid number) const { return pid_out(kernel_, *pids_, number); }

private:
    Ref<PidNamespace> pids_;
    ProcOptions options_;
    RefPtr<vfs::Inode> root_;
};

/// The instance that an inode of proc belongs to.
inline ProcFileSystem& proc_of(vfs::FileSystem& fs) { return static_cast<ProcFileSystem&>(fs); }

/// The root: what stands still, followed by a directory for each process.
class ProcRoot final : public StaticDirectory {
public:
    using StaticDirectory::StaticDirectory;
    Result<Ref<vfs::Inode>> lookup(std::string_view name) override;
    Result<void> list(i64 position, vfs::DirectoryEmitter const& emit) override;
    bool cacheable_children() const override { return false; }

private:
    ProcFileSystem& proc() const { return proc_of(fs_); }
    Result<void> list_numbers(i64 position, vfs::DirectoryEmitter const& emit);
    Result<void> list_processes(i64 position, vfs::DirectoryEmitter const& emit);
};

// What fills the root; each is in the file of its name.
void add_system_files(StaticDirectory& root, Kernel& kernel);
void add_machine_files(StaticDirectory& root, Kernel& kernel);
void add_sysvipc(StaticDirectory& root);
void add_kmsg(StaticDirectory& root, Kernel& kernel);
void add_sysctls(StaticDirectory& sys, Kernel& kernel);

} // namespace umbra::fs
