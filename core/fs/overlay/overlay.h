// SPDX-License-Identifier: GPL-2.0-or-later
// A read-only tree below, all changes in memory above: how `umbra run --rootfs DIR` gives a whole, writable
// system and leaves DIR as it was. In the place of Linux's overlayfs, and more of a file system than that one
// can be, since the upper layer is no other file system but these inodes themselves: there is one inode for
// one file, before and after its first change, so numbers are stable, descriptors opened before a change see
// it, hard links hold, and directories of the lower tree can be renamed. Nothing is copied up but what is
// written: a file page by page, a directory not at all.
#pragma once

#include "core/vfs/file-system.h"

namespace umbra::fs {

struct OverlayOptions {
    /// Objects that may be new or changed; ENOSPC beyond. They cost kernel memory, which no guest limit
    /// counts.
    u64 max_inodes = ~u64 { 0 };
};

/// `lower` must not change from now on (a read-only file system), and gives the same inode for the same
/// object as long as somebody holds it.
Ref<vfs::FileSystem> make_overlay(Kernel& kernel, Ref<vfs::FileSystem> lower, OverlayOptions const& options);

} // namespace umbra::fs
