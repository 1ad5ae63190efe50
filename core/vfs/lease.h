// SPDX-License-Identifier: GPL-2.0-or-later
// File leases (fcntl(2) F_SETLEASE): a holder is told before somebody else opens or truncates the file, and whoever does
// waits until the holder lets go or its time (fs.lease-break-time) is up. An inode's leases are part of its FileLocks; a
// lease belongs to an open file description and ends with it.
#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/base/types.h"
#include "core/sync/wait-queue.h"

namespace umbra {
class Kernel;
class Task;
} // namespace umbra

namespace umbra::vfs {

class File;
class Inode;

/// F_SETLEASE with F_RDLCK, F_WRLCK or F_UNLCK. `fd` is what the holder's siginfo will show. EACCES, EAGAIN, EINVAL.
Result<void> set_lease(Task& task, File& file, GuestFd fd, u64 kind);
/// F_GETLEASE: the lease's kind, or what it has to become where somebody waits for that.
i64 get_lease(File& file);
/// Somebody is about to open the file with these O_* flags, or to truncate it (O_WRONLY): tells the holders of leases
/// that conflict and waits for them. EAGAIN with O_NONBLOCK; ERESTARTSYS. May wait.
Result<void> break_leases(Task& task, Inode& inode, u32 open_flags);
/// The description is gone.
void end_lease(File& file);

class Leases {
public:
    enum class Mode : u8 { read, write };

    Result<void> set(Task& task, File& file, GuestFd fd, Mode mode);
    /// EAGAIN where the description has none.
    Result<void> remove(File& file);
    i64 kind_of(Kernel& kernel, File const& file);
    Result<void> break_for(Kernel& kernel, Mode breaker, bool nonblocking);

private:
    struct Lease {
        File* file;
        Mode mode;
        i32 fd;
        bool unlocks = false, downgrades = false; ///< what it is breaking to
        Nanoseconds unlock_by = kNever, downgrade_by = kNever; ///< CLOCK_MONOTONIC
        Mode target() const { return downgrades ? Mode::read : mode; } ///< unless it unlocks
    };
    Lease* find(File const& file);
    bool conflicts(Mode breaker) const;
    /// Takes from the holders what they have not given up in time.
    void expire(Kernel& kernel);
    void announce(Kernel& kernel, Mode breaker);
    Nanoseconds next_expiry() const;

    std::vector<Lease> leases_;
    WaitQueue breakers_; ///< woken when a lease goes or shrinks
};

} // namespace umbra::vfs
