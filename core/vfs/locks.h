// SPDX-License-Identifier: GPL-2.0-or-later
// File locks: flock(2), POSIX record locks (fcntl F_SETLK) and open-file-description locks (F_OFD_SETLK).
// Each inode has at most one FileLocks, made on first use. flock locks and record locks do not see each
// other, as on Linux. Owners: a POSIX lock belongs to a descriptor table (Linux: files_struct), the others to
// an open file description. Called by fcntl(2), flock(2) and the close paths of the descriptor table and of
// File.
#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/base/list.h"
#include "core/base/types.h"
#include "core/sync/wait-queue.h"
#include "core/vfs/lease.h"

namespace umbra {
class FdTable;
class Task;
} // namespace umbra

namespace umbra::vfs {

class File;
class Inode;

enum class LockKind : u8 { posix, ofd, flock };
enum class LockMode : u8 { shared, exclusive };

/// A lock, or a request for one, on bytes first..last, both included.
struct FileLock {
    static constexpr u64 kEnd
        = (u64 { 1 } << 63) - 1; ///< `last` of a lock that reaches to the end of the file

    LockKind kind;
    LockMode mode;
    void const* owner; ///< an FdTable (posix) or a File (ofd, flock); compared, never followed unless posix
    i32 pid; ///< what F_GETLK shows; -1 for ofd
    u64 first = 0, last = kEnd;

    bool is_record() const { return kind != LockKind::flock; }
    bool overlaps(FileLock const& o) const { return first <= o.last && o.first <= last; }
};

/// A blocked request of a POSIX lock, kept by the FdTable that waits so that deadlocks can be seen.
struct LockWait : ListNode {
    class FileLocks* locks;
    FileLock request;
};

class FileLocks {
public:
    Leases leases;

    /// The first held lock that keeps `request` from being granted, or null.
    FileLock const* find_conflict(FileLock const& request) const;
    /// Grants the request: replaces what its owner held in the range, merging with equal neighbours.
    /// err::again on a conflict. A flock request replaces the owner's lock of the other mode.
    Result<void> try_lock(FileLock const& request);
    /// Takes away what `owner` holds in first..last of that kind, splitting locks that reach beyond.
    void unlock(LockKind kind, void const* owner, u64 first = 0, u64 last = FileLock::kEnd);
    /// Waits until the request is granted. err::deadlk for POSIX locks where waiting would close a circle;
    /// err::restart_sys on a signal.
    Result<void> lock(FileLock const& request);
    bool is_empty() const { return locks_.empty(); }
    std::vector<FileLock> const& locks() const { return locks_; } ///< for /proc/locks

private:
    bool would_deadlock(FileLock const& request) const;
    void carve(LockKind kind, void const* owner, u64 first, u64 last);
    void insert_merged(FileLock lock);

    std::vector<FileLock> locks_; ///< ordered by `first` within an owner's locks of a kind
    WaitQueue waiters_; ///< woken when any lock goes or shrinks
};

/// fcntl(2)'s F_GETLK, F_SETLK, F_SETLKW and their F_OFD_ forms with a `struct flock` at `argument`.
/// F_*SETLKW may wait. EBADF where the access mode does not fit the lock, EINVAL, EOVERFLOW, EAGAIN, EDEADLK,
/// EFAULT.
Result<i64> fcntl_lock(Task& task, File& file, u32 command, GuestAddr argument);
/// A descriptor table closes a descriptor of `file`: all POSIX locks of the table on its inode go (fcntl(2)).
void locks_on_close(FdTable const& table, File& file);
void locks_on_close(Task& task, File& file);
/// The last reference to the description goes: its OFD and flock locks go.
void locks_on_release(File& file);

} // namespace umbra::vfs
