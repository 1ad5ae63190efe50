// SPDX-License-Identifier: GPL-2.0-or-later
// The instance and its root directory. Internal to core/fs/proc.
#pragma once

#include "core/fs/pseudo/pseudo.h"

namespace umbra::fs {

class ProcFileSystem final : public vfs::FileSystem {
public:
    explicit ProcFileSystem(Kernel& kernel);
    Ref<vfs::Inode> root() override { return *root_; }

private:
    RefPtr<vfs::Inode> root_;
};

/// The root: what stands still, followed by a directory for each process.
class ProcRoot final : public StaticDirectory {
public:
    using StaticDirectory::StaticDirectory;
    Result<Ref<vfs::Inode>> lookup(std::string_view name) override;
    Result<void> list(i64 position, vfs::DirectoryEmitter const& emit) override;
    bool cacheable_children() const override { return false; }

private:
    Result<void> list_processes(i64 position, vfs::DirectoryEmitter const& emit);
};

// What fills the root; each is in the file of its name.
void add_system_files(StaticDirectory& root, Kernel& kernel);
void add_machine_files(StaticDirectory& root, Kernel& kernel);
void add_sysvipc(StaticDirectory& root);
void add_kmsg(StaticDirectory& root, Kernel& kernel);
void add_sysctls(StaticDirectory& sys, Kernel& kernel);

} // namespace umbra::fs
