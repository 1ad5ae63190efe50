// SPDX-License-Identifier: GPL-2.0-or-later
// A directory tree of the host as a file system: the read-only lower layer of an instance's root, or a mount
// that is written through (--rw, -v).
//
// Read-only: the host's tree is assumed to stand still while the instance runs. Attributes, listings and link
// targets are asked for once. What changes nevertheless is seen late or never, but nothing outside of the
// tree is ever reached. Write-through: what the host changes is seen when what is known is older than
// kFreshFor.
#pragma once

#include <optional>

#include "core/device/host-file.h"
#include "core/vfs/file-system.h"

namespace umbra::fs {

enum class HostAccess : u8 { read_only, write_through };

/// Files of this host user and group are shown as root's (0), all others as they are: so an unprivileged
/// user's tree looks as if root had unpacked it. Nothing: owners are shown as on the host.
struct OwnerMapping {
    u32 uid, gid;
};

struct HostFsOptions {
    HostAccess access = HostAccess::read_only;
    std::optional<OwnerMapping> owners_as_root;
    /// Host descriptors kept open for directories and files that may be wanted again.
    u64 max_handles = 256;
};

/// `root` is a directory on the host. May wait. The host's errors.
Result<Ref<vfs::FileSystem>> make_host_file_system(
    Kernel& kernel, Ref<device::HostFile> root, HostFsOptions const& options);

} // namespace umbra::fs
