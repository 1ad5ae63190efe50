// SPDX-License-Identifier: GPL-2.0-or-later
// What system calls do to files by name: each call walks, locks, checks permission, asks the inode and keeps
// the dentry cache right. Paths start at `base` (Task::path_base); modes have the umask applied by the
// caller. All may wait. Errors are those of the man page of the call.
#pragma once

#include "core/vfs/access.h"
#include "core/vfs/file.h"
#include "core/vfs/path.h"

namespace umbra::vfs {

constexpr u64 kMaxFileSize = u64(INT64_MAX); ///< s_maxbytes
constexpr u64 kMaxIoCount = 0x7ffff000; ///< MAX_RW_COUNT: what one read or write moves at most

/// A path as a call was given it: where it starts, and the text.
struct At {
    Path base;
    std::string_view path;
};

/// Now, as timestamps of files show it.
abi::Timespec current_time(Kernel& kernel);

// open.cpp
struct OpenHow {
    u32 flags = 0; ///< O_* of open(2)
    u32 mode = 0; ///< for O_CREAT and O_TMPFILE, umask applied
    u64 resolve = 0; ///< openat2(2)
};
Result<Ref<File>> open(Task& task, At const& at, OpenHow const& how);
/// Opens a place that is known already (exec, /proc/pid/fd, the kernel's own use): no O_CREAT.
Result<Ref<File>> open_path(Task& task, Path const& path, u32 flags);
/// The same for a listener of fanotify(7): no permission is asked for, and the file makes no events.
Result<Ref<File>> open_silently(Task& task, Path const& path, u32 flags);
/// FIFOs, devices and sockets: what Inode::open does by default.
Result<Ref<File>> open_special(Path const& path, u32 flags);

// create.cpp
Result<void> mkdir(Task& task, At const& at, u32 mode);
Result<void> mknod(Task& task, At const& at, u32 mode, u64 device);
Result<void> symlink(Task& task, std::string_view target, At const& at);
/// `follow`: AT_SYMLINK_FOLLOW; `empty`: AT_EMPTY_PATH.
Result<void> link(Task& task, At const& from, At const& to, bool follow, bool empty);
/// Creates an object that bind(2) of a local socket or the like needs, and gives its path. EADDRINUSE is the
/// caller's.
Result<Path> make_node(Task& task, At const& at, u32 mode, u64 device);

// remove.cpp
Result<void> unlink(Task& task, At const& at);
Result<void> rmdir(Task& task, At const& at);
Result<void> rename(Task& task, At const& from, At const& to, u32 flags);

// attributes.cpp
Result<void> change_mode(Task& task, Path const& path, u32 mode);
/// ~0u leaves an id as it is.
Result<void> change_owner(Task& task, Path const& path, u32 uid, u32 gid);
Result<void> truncate(Task& task, Path const& path, u64 size);
/// ftruncate(2) of a file open for writing.
Result<void> truncate_file(Task& task, File& file, u64 size);
/// utimensat(2): each time is set, left (UTIME_OMIT) or now (UTIME_NOW); null: both now.
Result<void> change_times(Task& task, Path const& path, abi::Timespec const* times);
Result<void> check_access(Task& task, Path const& path, u32 mask);
/// RLIMIT_FSIZE for a file of that size: SIGXFSZ and EFBIG.
Result<void> check_size_limit(Task& task, u64 size);
/// Removes set-user-id, set-group-id bits and security.capability where a write by this task must
/// (file_remove_privs).
Result<void> remove_privileges(Task& task, Inode& inode);
/// Access time by the rules of the mount: relatime, noatime.
void update_access_time(Path const& path, u32 open_flags);

// xattr.cpp
Result<std::string> get_xattr(Task& task, Inode& inode, std::string_view name);
Result<void> set_xattr(
    Task& task, Path const& path, std::string_view name, std::string_view value, u32 flags);
Result<void> remove_xattr(Task& task, Path const& path, std::string_view name);
/// Names, each with its NUL, as listxattr(2) gives them.
Result<std::string> list_xattrs(Task& task, Inode& inode);

// io.cpp
/// read(2) and write(2) at an offset, without waiting for readiness: access mode, directories, O_APPEND, size
/// limits, privileges, O_SYNC. `offset` of a write with O_APPEND is replaced by where it went.
Result<u64> read_file(File& file, IoBuffer& buffer, u64 offset);
enum class Appending : u8 { as_opened, never };
Result<u64> write_file(
    Task& task, File& file, IoBuffer& buffer, u64& offset, Appending appending = Appending::as_opened);

} // namespace umbra::vfs
