// SPDX-License-Identifier: GPL-2.0-or-later
// fcntl(2)'s record locks, and what becomes of locks when descriptors and descriptions are closed.
#include "core/abi/lock.h"
#include "core/mm/user.h"
#include "core/task/pid-namespace.h"
#include "core/task/task.h"
#include "core/vfs/fd-table.h"
#include "core/vfs/file.h"
#include "core/vfs/locks.h"

namespace umbra::vfs {

namespace {

struct Bytes {
    u64 first, last;
};

/// The bytes that a struct flock means (fcntl_locking: l_whence, l_start, a possibly negative l_len).
Result<Bytes> to_bytes(File& file, abi::Flock const& flock)
{
    i64 base;
    switch (flock.whence) {
    case abi::seek_set:
        base = 0;
        break;
    case abi::seek_cur:
        base = i64(file.position);
        break;
    case abi::seek_end:
        TRY(file.inode().refresh());
        base = i64(file.inode().attributes().size);
        break;
    default:
        return err::inval;
    }
    i64 start, end;
    if (__builtin_add_overflow(base, flock.start, &start)) return err::overflow;
    if (start < 0) return err::inval;
    if (flock.length == 0) return Bytes { u64(start), FileLock::kEnd };
    if (flock.length > 0) {
        if (__builtin_add_overflow(start, flock.length - 1, &end)) return err::overflow;
        return Bytes { u64(start), u64(end) };
    }
    // start >= 0 and length < 0: no overflow.
    if (start + flock.length < 0) return err::inval;
    return Bytes { u64(start + flock.length), u64(start - 1) };
}

bool is_ofd(u32 command) { return command >= abi::f_ofd_getlk && command <= abi::f_ofd_setlkw; }

FileLock to_lock(Task& task, File& file, u32 command, abi::Flock const& flock, Bytes bytes)
{
    bool ofd = is_ofd(command);
    return {
        .kind = ofd ? LockKind::ofd : LockKind::posix,
        .mode = flock.type == abi::f_wrlck ? LockMode::exclusive : LockMode::shared,
        .owner = ofd ? static_cast<void const*>(&file) : &task.files(),
        .pid = ofd ? -1 : task.pid().value,
        .first = bytes.first,
        .last = bytes.last,
    };
}

void describe(Task const& reader, FileLock const& lock, abi::Flock& flock)
{
    flock.type = lock.mode == LockMode::exclusive ? abi::f_wrlck : abi::f_rdlck;
    flock.whence = abi::seek_set;
    flock.start = i64(lock.first);
    flock.length = lock.last == FileLock::kEnd ? 0 : i64(lock.last - lock.first + 1);
    flock.pid = lock.pid > 0 ? pid_out(reader, Pid(lock.pid)) : lock.pid;
}

bool is_open_in(FdTable const& table, File const& file)
{
    for (i32 fd = 0; fd <= table.highest(); fd++) {
        auto open = table.get(GuestFd(fd), true);
        if (open.ok() && open.value().get() == &file) return true;
    }
    return false;
}

Result<void> wait_for_lock(Task& task, File& file, FileLock const& request)
{
    TRY(file.inode().locks().lock(request));
    // Another thread may have closed the descriptor meanwhile: a lock that no close will ever release must
    // not stay.
    if (request.kind == LockKind::posix && !is_open_in(task.files(), file)) {
        locks_on_close(task, file);
        return err::badf;
    }
    return {};
}

} // namespace

Result<i64> fcntl_lock(Task& task, File& file, u32 command, GuestAddr argument)
{
    auto flock = TRY(UserIn<abi::Flock> { argument }.copy_in(task));
    if (is_ofd(command) && flock.pid != 0) return err::inval;
    bool only_ask = command == abi::f_getlk || command == abi::f_ofd_getlk;
    bool unlock = flock.type == abi::f_unlck;
    if (flock.type < abi::f_rdlck || flock.type > abi::f_unlck || (only_ask && unlock)) return err::inval;
    FileLock request = to_lock(task, file, command, flock, TRY(to_bytes(file, flock)));

    if (only_ask) {
        auto* conflict = file.inode().has_locks() ? file.inode().locks().find_conflict(request) : nullptr;
        if (conflict)
            describe(task, *conflict, flock);
        else
            flock.type = abi::f_unlck;
        TRY(UserOut<abi::Flock> { argument }.copy_out(task, flock));
        return 0;
    }
    if (unlock) {
        if (file.inode().has_locks())
            file.inode().locks().unlock(request.kind, request.owner, request.first, request.last);
        return 0;
    }
    if (!(request.mode == LockMode::exclusive ? file.is_writable() : file.is_readable())) return err::badf;
    if (command == abi::f_setlkw || command == abi::f_ofd_setlkw)
        TRY(wait_for_lock(task, file, request));
    else
        TRY(file.inode().locks().try_lock(request));
    return 0;
}

void locks_on_close(FdTable const& table, File& file)
{
    if (file.inode().has_locks()) file.inode().locks().unlock(LockKind::posix, &table);
}

void locks_on_close(Task& task, File& file) { locks_on_close(task.files(), file); }

void locks_on_release(File& file)
{
    if (!file.inode().has_locks()) return;
    file.inode().locks().unlock(LockKind::ofd, &file);
    file.inode().locks().unlock(LockKind::flock, &file);
    end_lease(file);
}

} // namespace umbra::vfs
