// SPDX-License-Identifier: GPL-2.0-or-later
// The file system cgroup2: a directory for each group, and its interface files. There is one instance, whatever part of it
// a mount shows. A directory holds its group and the inodes of its files, so that modes and owners last; the group holds
// its directory while it has a name.
#pragma once

#include <span>

#include "core/cgroup/cgroup.h"
#include "core/task/credentials.h"
#include "core/vfs/file-system-types.h"

namespace umbra::cgroup {

/// For mount(2). EINVAL for options it does not know; EPERM: the mounter does not rule the cgroup namespace.
Result<Ref<vfs::FileSystem>> mount_cgroup2(vfs::MountRequest const& request);
extern std::span<vfs::MountParameter const> const kCgroup2Parameters;

/// The group whose directory an inode is, or null.
Cgroup* group_of_directory(vfs::Inode& inode);
/// The inode of cgroup.procs, whose permissions say who may move tasks.
vfs::Inode& procs_inode(Cgroup& group);

/// One interface file.
struct Row {
    enum Flag : u32 {
        not_on_root = 1,
        delegatable = 2, ///< may be written within a delegated group's own directory
        only_on_root = 4,
    };
    char const* name;
    u32 flags;
    std::optional<Controller> controller = {}; ///< whose; none: every group's
    Result<std::string> (*show)(Cgroup& group) = nullptr;
    Result<void> (*store)(Cgroup& group, std::string_view text, Mover const& writer) = nullptr;
    std::optional<Notice> notice = {}; ///< tells that it has changed

    bool is_in(Cgroup const& group) const;
    u32 mode() const { return (show ? 0444 : 0) | (store ? 0200 : 0); }
};

// The files of one controller or aspect each; in the sources of their names.
std::span<Row const> core_rows();
std::span<Row const> pids_rows();
std::span<Row const> cpu_rows();
std::span<Row const> memory_rows();

/// "max" or a whole number. EINVAL.
Result<u64> parse_limit(std::string_view text);
std::string format_limit(u64 limit); ///< with a newline

} // namespace umbra::cgroup
