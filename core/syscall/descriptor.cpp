// SPDX-License-Identifier: GPL-2.0-or-later
// Calls on descriptor numbers: close, close_range, the dup family, fcntl, ioctl.
#include <cstdlib>

#include "core/abi/ioctl.h"
#include "core/fs/tmpfs/tmpfs.h"
#include "core/ipc/inotify.h"
#include "core/ipc/pipe.h"
#include "core/syscall/file-flags.h"
#include "core/syscall/path-argument.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"
#include "core/task/task-access.h"
#include "core/tty/tty-file.h"
#include "core/vfs/async-notice.h"
#include "core/vfs/directory-notice.h"
#include "core/vfs/locks.h"

namespace umbra {

SyscallResult sys_close(Task& task, GuestFd fd)
{
    TRY(task.files().close(task, fd));
    return 0;
}

SyscallResult sys_close_range(Task& task, u32 first, u32 last, u32 flags)
{
    constexpr u32 unshare = 2, cloexec = 4;
    if ((flags & ~(unshare | cloexec)) || first > last) return err::inval;
    if (flags & unshare) TaskAccess(task).files() = task.files().clone();
    if (flags & cloexec)
        task.files().set_close_on_exec_range(first, last);
    else
        task.files().close_range(task, first, last);
    return 0;
}

SyscallResult sys_dup(Task& task, GuestFd fd)
{
    auto file = TRY(task.files().get(fd, true));
    return TRY(task.files().add(file, false, task.limit(Resource::nofile), 0, FdTable::For::existing_file))
        .value;
}

SyscallResult sys_dup3(Task& task, GuestFd from, GuestFd to, u32 flags)
{
    if ((flags & ~abi::o_cloexec) || from == to) return err::inval;
    auto file = TRY(task.files().get(from, true));
    TRY(task.files().replace(task, to, file, flags & abi::o_cloexec, task.limit(Resource::nofile)));
    return to.value;
}

SyscallResult sys_dup2(Task& task, GuestFd from, GuestFd to)
{
    if (from == to) {
        TRY(task.files().get(from, true));
        return to.value;
    }
    return sys_dup3(task, from, to, 0);
}

namespace {

// fcntl(2)
constexpr u32 f_dupfd = 0, f_getfd = 1, f_setfd = 2, f_getfl = 3, f_setfl = 4, f_getlk = 5, f_setlk = 6,
              f_setlkw = 7;
constexpr u32 f_setown = 8, f_getown = 9, f_setsig = 10, f_getsig = 11, f_setown_ex = 15, f_getown_ex = 16;
constexpr u32 f_ofd_getlk = 36, f_ofd_setlk = 37, f_ofd_setlkw = 38;
constexpr u32 f_setlease = 1024, f_getlease = 1025, f_notify = 1026, f_dupfd_query = 1027,
              f_created_query = 1028, f_dupfd_cloexec = 1030, f_setpipe_sz = 1031;
constexpr u32 f_getpipe_sz = 1032, f_add_seals = 1033, f_get_seals = 1034;
constexpr i64 kFdCloexec = 1;

struct OwnerEx {
    u32 type;
    i32 pid;
};

SyscallResult duplicate(Task& task, vfs::File& file, u64 from, bool close_on_exec)
{
    u64 limit = task.limit(Resource::nofile);
    if (from >= limit || from > u64(INT32_MAX)) return err::inval;
    auto added = task.files().add(
        Ref<vfs::File>(file), close_on_exec, limit, i32(from), FdTable::For::existing_file);
    return TRY(std::move(added)).value;
}

/// What can tell of itself by signals.
bool has_async(vfs::File& file)
{
    u32 const mode = file.inode().mode();
    return abi::is_fifo(mode) || abi::is_socket(mode) || tty::as_tty(file) || ipc::as_inotify(file);
}

void change_async(Task& task, vfs::File& file, GuestFd fd, bool on)
{
    // A terminal without an owner gets its foreground group, or whoever sets the flag.
    if (auto* tty = tty::as_tty(file); tty && on && !file.async_owner.id) {
        auto const& group = tty->foreground();
        vfs::set_async_owner(file, task, group ? vfs::AsyncOwner::group : vfs::AsyncOwner::process,
            group ? group->id.value : task.pid().value);
    }
    vfs::set_async(file, fd.value, on);
}

SyscallResult set_flags(Task& task, vfs::File& file, GuestFd fd, u32 flags)
{
    bool newly_noatime = (flags & abi::o_noatime) && !(file.flags() & abi::o_noatime);
    if (((flags ^ file.flags()) & abi::o_append) && file.inode().is_append_only()) return err::perm;
    if (newly_noatime && !vfs::is_owner_or_capable(task.credentials(), file.inode())) return err::perm;
    if (((flags ^ file.flags()) & abi::o_async) && has_async(file))
        change_async(task, file, fd, flags & abi::o_async);
    // Others keep what open(2) gave them, which means nothing.
    file.set_status_flags((flags & ~abi::o_async) | (file.flags() & abi::o_async));
    return 0;
}

/// F_SETOWN and F_SETOWN_EX. ESRCH where no process, thread or group has the number.
SyscallResult set_owner(Task& task, vfs::File& file, u32 type, i32 id)
{
    auto& table = task.kernel().processes();
    Pid const owner = pid_in(task, id);
    if (id && !table.find_process(owner) && !table.find_task(owner) && !table.find_group(owner))
        return err::srch;
    vfs::set_async_owner(file, task, type, owner.value);
    return 0;
}

SyscallResult fcntl_owner(Task& task, vfs::File& file, u32 command, u64 argument)
{
    switch (command) {
    case f_setown: {
        i32 id = i32(argument);
        if (id == INT32_MIN) return err::inval;
        return set_owner(
            task, file, id < 0 ? vfs::AsyncOwner::group : vfs::AsyncOwner::process, std::abs(id));
    }
    case f_getown:
        return vfs::live_owner(task, file.async_owner);
    case f_setsig:
        if (argument > u64(abi::signal_count)) return err::inval;
        file.async_owner.signal = i32(argument);
        return 0;
    case f_getsig:
        return file.async_owner.signal;
    case f_setown_ex: {
        auto owner = TRY(UserIn<OwnerEx> { GuestAddr(argument) }.copy_in(task));
        if (owner.type > vfs::AsyncOwner::group) return err::inval;
        return set_owner(task, file, owner.type, owner.pid);
    }
    default: {
        OwnerEx owner { file.async_owner.type, std::abs(vfs::live_owner(task, file.async_owner)) };
        TRY(UserOut<OwnerEx> { GuestAddr(argument) }.copy_out(task, owner));
        return 0;
    }
    }
}

SyscallResult fcntl_pipe(Task& task, vfs::File& file, u32 command, u64 argument)
{
    auto* pipe = ipc::as_pipe(file);
    if (!pipe) return err::badf;
    return command == f_getpipe_sz ? pipe->size() : pipe->set_size(task, argument);
}

/// What works on O_PATH descriptors too.
bool allows_path_descriptor(u32 command)
{
    return command == f_dupfd || command == f_dupfd_cloexec || command == f_dupfd_query
        || command == f_created_query || command == f_getfd || command == f_setfd || command == f_getfl;
}

} // namespace

SyscallResult sys_fcntl(Task& task, GuestFd fd, u32 command, u64 argument)
{
    auto file = TRY(task.files().get(fd, allows_path_descriptor(command)));
    switch (command) {
    case f_dupfd:
    case f_dupfd_cloexec:
        return duplicate(task, *file, argument, command == f_dupfd_cloexec);
    case f_dupfd_query: {
        auto other = TRY(task.files().get(GuestFd(i32(argument)), true));
        return other == file;
    }
    case f_created_query:
        return file->was_created;
    case f_getfd:
        return TRY(task.files().get_close_on_exec(fd)) ? kFdCloexec : 0;
    case f_setfd:
        TRY(task.files().set_close_on_exec(fd, argument & kFdCloexec));
        return 0;
    case f_getfl:
        return file->flags();
    case f_setfl:
        return set_flags(task, *file, fd, u32(argument));
    case f_getlk:
    case f_setlk:
    case f_setlkw:
    case f_ofd_getlk:
    case f_ofd_setlk:
    case f_ofd_setlkw:
        return vfs::fcntl_lock(task, *file, command, GuestAddr(argument));
    case f_setown:
    case f_getown:
    case f_setsig:
    case f_getsig:
    case f_setown_ex:
    case f_getown_ex:
        return fcntl_owner(task, *file, command, argument);
    case f_setlease:
        TRY(vfs::set_lease(task, *file, fd, argument));
        return 0;
    case f_getlease:
        return vfs::get_lease(*file);
    case f_notify:
        TRY(vfs::set_directory_notice(task, *file, fd, u32(argument)));
        return 0;
    case f_setpipe_sz:
    case f_getpipe_sz:
        return fcntl_pipe(task, *file, command, argument);
    case f_add_seals:
        TRY(fs::add_seals(*file, u32(argument)));
        return 0;
    case f_get_seals:
        return TRY(fs::get_seals(*file));
    default:
        return err::inval;
    }
}

namespace {

SyscallResult set_nonblocking(Task& task, vfs::File& file, u64 argument)
{
    i32 const on = TRY(UserIn<i32> { GuestAddr(argument) }.copy_in(task));
    file.set_status_flags(on ? file.flags() | abi::o_nonblock : file.flags() & ~abi::o_nonblock);
    return 0;
}

SyscallResult set_async_by_ioctl(Task& task, vfs::File& file, GuestFd fd, u64 argument)
{
    bool const on = TRY(UserIn<i32> { GuestAddr(argument) }.copy_in(task));
    if (on == bool(file.flags() & abi::o_async)) return 0;
    if (!has_async(file)) return err::notty;
    change_async(task, file, fd, on);
    return 0;
}

} // namespace

SyscallResult sys_ioctl(Task& task, GuestFd fd, u32 command, u64 argument)
{
    auto file = TRY(task.files().get(fd));
    switch (command) {
    case abi::fioclex:
    case abi::fionclex:
        TRY(task.files().set_close_on_exec(fd, command == abi::fioclex));
        return 0;
    case abi::fionbio:
        return set_nonblocking(task, *file, argument);
    case abi::fioasync:
        return set_async_by_ioctl(task, *file, fd, argument);
    case abi::fionread:
        if (!file->inode().is_regular()) break;
        TRY(file->inode().refresh());
        TRY(UserOut<i32> { GuestAddr(argument) }.copy_out(task, i32(file->end_offset() - file->position)));
        return 0;
    case abi::figetbsz:
        TRY(UserOut<i32> { GuestAddr(argument) }.copy_out(task, i32(file->inode().attributes().block_size)));
        return 0;
    }
    if (auto done = file_flags_ioctl(task, *file, command, argument)) return *done;
    return file->ioctl(task, command, argument);
}

} // namespace umbra
