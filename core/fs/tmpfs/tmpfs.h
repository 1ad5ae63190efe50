// SPDX-License-Identifier: GPL-2.0-or-later
// tmpfs: a file system whose only store is guest-physical memory (Linux: mm/shmem.c, tmpfs(5)). The root of
// an instance is written by the overlay, /dev is one with nodes in it, and memfds and shared anonymous memory
// are files of one that no namespace shows.
#pragma once

#include <string>

#include "core/vfs/file-system-types.h"
#include "core/vfs/file.h"

namespace umbra::fs {

struct TmpfsOptions {
    static constexpr u64 kUnlimited = ~u64 { 0 };
    u64 max_pages = kUnlimited; ///< size=
    u64 max_inodes = kUnlimited; ///< nr_inodes=
    /// However many were asked for: inodes are of the host's memory, not of the guest's.
    u64 most_inodes = kUnlimited;
    u32 mode = 01777, uid = 0, gid = 0; ///< of the root directory
    u64 default_pages = kUnlimited, default_inodes = kUnlimited; ///< what /proc/mounts need not show
    std::string huge; ///< huge= but "never"; a hint: there are no huge pages
    bool no_swap = false,
         long_inode_numbers = false; ///< shown, and so as there is neither swap nor short numbers
    std::string type = "tmpfs"; ///< name in /proc/mounts: devtmpfs is one too
    i64 magic = 0x01021994;
};

/// A fresh, empty instance.
Ref<vfs::FileSystem> make_tmpfs(Kernel& kernel, TmpfsOptions const& options);
/// The options of tmpfs(5): size= (bytes, k, m, g or %), nr_blocks=, nr_inodes=, mode=, uid=, gid=, and as hints huge=,
/// mpol=, noswap, inode32, inode64. EINVAL.
/// Defaults: half of the memory limit.
Result<Ref<vfs::FileSystem>> mount_tmpfs(vfs::MountRequest const& request);
/// The same without limits; options that it does not know mean nothing to it (Linux: fs/ramfs).
Result<Ref<vfs::FileSystem>> mount_ramfs(vfs::MountRequest const& request);
extern std::span<vfs::MountParameter const> const kTmpfsParameters;

/// An unnamed file of InternalMounts::shared_memory, open for reading and writing, `size` bytes long:
/// memfd_create(2)
/// ("/memfd:x"), shared anonymous mmap ("/dev/zero"), SysV shared memory ("/SYSV00000000"). Its
/// path_to_string is `name` + " (deleted)". `mode`: permission bits. ENOMEM, EINVAL for a size beyond what a
/// file can have.
Result<Ref<vfs::File>> make_shared_memory_file(Kernel& kernel, std::string name, u64 size, u32 mode = 0777);

/// MFD_ALLOW_SEALING: a new memory file has F_SEAL_SEAL otherwise.
void allow_sealing(vfs::File& file);
/// F_ADD_SEALS and F_GET_SEALS of fcntl(2); EINVAL for files that are no memfds.
Result<void> add_seals(vfs::File& file, u32 seals);
Result<u32> get_seals(vfs::File& file);
/// F_SEAL_WRITE or F_SEAL_FUTURE_WRITE holds: mmap(2) refuses a shared writable mapping with EPERM, and
/// mprotect(2) must not make one of a shared mapping.
bool is_write_sealed(vfs::File& file);

} // namespace umbra::fs
