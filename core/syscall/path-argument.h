// SPDX-License-Identifier: GPL-2.0-or-later
// A path as the *at calls take it: a directory descriptor and a string in guest memory.
#pragma once

#include "core/syscall/syscall.h"
#include "core/vfs/operations.h"

namespace umbra {

struct PathArgument {
    std::string name;
    vfs::Path base;
    vfs::At at() const { return { base, name }; }
};

constexpr GuestFd kWorkingDirectory { abi::at_fdcwd };

inline Result<PathArgument> copy_in_path(Task& task, GuestFd directory, UserCString path)
{
    auto name = TRY(path.copy_in(task));
    auto base = TRY(task.path_base(directory, name));
    return PathArgument { std::move(name), std::move(base) };
}

/// Walks to what the arguments name. `at_flags`: AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH count, others are
/// ignored.
inline Result<vfs::Path> resolve(Task& task, GuestFd directory, UserCString path, u32 at_flags = 0)
{
    // Since Linux 6.11 AT_EMPTY_PATH takes a null pointer for "".
    bool empty = (at_flags & abi::at_empty_path) && path.is_null();
    auto name = empty ? std::string() : TRY(path.copy_in(task));
    auto base = TRY(task.path_base(directory, name));
    return vfs::walk(task, base, name,
        { .follow_last = !(at_flags & abi::at_symlink_nofollow),
            .allow_empty = bool(at_flags & abi::at_empty_path) });
}

} // namespace umbra
