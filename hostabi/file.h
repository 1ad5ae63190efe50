// SPDX-License-Identifier: GPL-2.0-or-later
// Host calls on files beyond what the ring offers. The first group never waits: it answers from what the host
// has in memory, or says EAGAIN, and the caller then takes the ring. The second group may wait and runs in
// Ring::offload(), or before the vCPUs run. Everything returns the host call's value or a negative errno, as
// the ring does, so that both can be used in one place.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/types.h"

struct statfs;
struct statx;
struct timespec;

namespace umbra::hostabi::file {

// --- never wait ---

/// openat2(2) of one component below `dir`, O_CLOEXEC, with RESOLVE_CACHED and RESOLVE_BENEATH. -EAGAIN: the
/// host would have to wait, or lacks RESOLVE_CACHED (before Linux 5.12, or filtered).
i32 open_cached(int dir, char const* name, int flags);
/// What the host knows of an open file without asking a server (AT_STATX_DONT_SYNC).
i32 status_cached(int fd, struct statx& out);
/// Makes later reads wait for their data: O_NONBLOCK was wanted for the opening only, and the ring would take
/// it to mean that a read must fail rather than wait.
void clear_nonblocking(int fd);
/// preadv2(2) with RWF_NOWAIT: may be short anywhere; -EAGAIN where nothing is in the page cache or the file
/// system cannot tell.
i64 read_cached(int fd, std::span<u8> buffer, u64 offset);

// --- may wait ---

struct DirectoryEntry {
    std::string name;
    u64 inode;
    u8 type; ///< DT_*
};
/// All entries but "." and "..", in the host's order.
i32 list_directory(int fd, std::vector<DirectoryEntry>& out);
/// The target of the symbolic link that `fd` (O_PATH | O_NOFOLLOW) stands for.
i32 read_link(int fd, std::string& target);

struct Xattr {
    std::string name, value;
};
// Extended attributes go through /proc/self/fd, because the calls on descriptors refuse O_PATH: `name` below
// `dir`, not followed, or `dir` itself for an empty name. -EOPNOTSUPP without /proc.
i32 list_xattrs(int dir, std::string_view name, std::vector<Xattr>& out);
i32 set_xattr(int dir, std::string_view name, char const* attribute, std::string_view value, int flags);
i32 remove_xattr(int dir, std::string_view name, char const* attribute);

/// Of the object that `fd` (O_PATH will do) stands for.
i32 set_mode(int fd, u32 mode);
/// ~0u leaves an id.
i32 set_owner(int fd, u32 uid, u32 gid);
/// utimensat(2) with its UTIME_OMIT and UTIME_NOW.
i32 set_times(int fd, struct timespec const (&times)[2]);
i32 truncate(int fd, u64 size);
i32 make_node(int dir, char const* name, u32 mode, u64 device);
/// Gives the object behind `fd` a name.
i32 link(int fd, int dir, char const* name);
i32 file_system_status(int fd, struct statfs& out);
i32 sync_file_system(int fd);
/// The first data or hole at or after `offset` (SEEK_DATA, SEEK_HOLE). Moves the descriptor's position.
i64 seek(int fd, i64 offset, int whence);

} // namespace umbra::hostabi::file
