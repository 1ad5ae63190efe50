// SPDX-License-Identifier: GPL-2.0-or-later
// An open file description. Files never block (law 9): read and write return err::again when nothing can move, and
// readiness() with wait_queue() says when to try again; core/syscall's one retry loop does the waiting. Files whose
// data comes from the host (host files) may suspend the task in the ring instead and then never return `again`.
#pragma once

#include <optional>

#include "core/base/error.h"
#include "core/base/list.h"
#include "core/base/ref.h"
#include "core/mm/user.h"
#include "core/sync/wait-queue.h"
#include "core/vfs/async-owner.h"
#include "core/vfs/path.h"

namespace umbra::vfs {

/// Something that must know when a description goes away without keeping it alive: an epoll item.
class FileWatcher : public TaggedNode<FileWatcher> {
public:
    /// Runs in the file's destructor, when the derived part is gone already. Must unlink the watcher; must not wait.
    virtual void file_released() = 0;

protected:
    ~FileWatcher() = default;
};

/// Watchers of a file; tells them when it goes.
class FileWatchers : public List<FileWatcher, TaggedNode<FileWatcher>> {
public:
    ~FileWatchers()
    {
        while (FileWatcher* watcher = front())
            watcher->file_released();
    }
};

/// Offsets from here on mean "wherever the file is by its own account", see has_own_position(). Guests' offsets are never
/// negative, so none is that large.
constexpr u64 kOwnPosition = u64 { 1 } << 63;

class File : public RefCounted {
public:
    /// `flags`: O_* of open(2), access mode and status flags.
    File(std::optional<Path> path, u32 flags);
    ~File() override;

    u32 flags() const { return flags_; }
    /// fcntl(F_SETFL): only O_APPEND, O_ASYNC, O_DIRECT, O_NOATIME, O_NONBLOCK change.
    void set_status_flags(u32 flags);
    bool is_readable() const { return (flags_ & abi::o_accmode) != abi::o_wronly && !(flags_ & abi::o_path); }
    bool is_writable() const { return (flags_ & abi::o_accmode) != abi::o_rdonly && !(flags_ & abi::o_path); }
    bool is_nonblocking() const { return flags_ & abi::o_nonblock; }
    bool is_path_only() const { return flags_ & abi::o_path; }
    /// Where it was opened; nullopt only for objects without a place (none so far: anonymous ones get one in anon_inodefs).
    std::optional<Path> const& path() const { return path_; }
    Inode& inode() const { return path_->inode(); }

    /// Moves up to buffer.remaining() bytes at `offset` (ignored by streams). Returns the count; 0 is end of file.
    /// err::again where it would block. The caller has checked access mode and updates the position.
    /// A stream (pipe, socket) that moved a part of a write and cannot move the rest now returns err::again, with the
    /// part in buffer.transferred(): a blocking writer goes on with the same buffer, and whoever gives up (non-blocking,
    /// a signal) returns the part. See moved_or_error() in core/syscall/syscall.h.
    virtual Result<u64> read(IoBuffer& buffer, u64 offset);
    virtual Result<u64> write(IoBuffer& buffer, u64 offset);
    /// Whether it has a position (lseek, pread work); streams return false and get ESPIPE.
    virtual bool is_seekable() const { return false; }
    /// Whether splice(2) works on it: not on what is read in records of its own.
    virtual bool can_splice() const { return true; }
    /// A seekable file whose position lives elsewhere: a descriptor inherited from the host, whose position other host
    /// processes share. Its `position` starts at kOwnPosition and so whatever reads or writes there passes an offset
    /// from kOwnPosition on; lseek goes to seek_special() for every whence.
    virtual bool has_own_position() const { return false; }
    /// A write with O_APPEND starts here.
    virtual u64 end_offset() { return inode().attributes().size; }
    /// lseek(2) for SEEK_DATA, SEEK_HOLE and files with their own idea of positions. Default: EINVAL.
    virtual Result<u64> seek_special(i64 offset, i32 whence);

    /// poll(2) bits that hold now. Default: always readable and writable.
    virtual u32 readiness();
    /// The same as seen by a task, where nobody runs who could ask: it differs for signalfd(2).
    virtual u32 readiness_for(Task&) { return readiness(); }
    /// Woken when readiness may have changed; null for files that are always ready.
    virtual WaitQueue* wait_queue() { return nullptr; }
    /// How long a blocking read (`events` has pollin) or write (pollout) waits before it gives up with EAGAIN
    /// (SO_RCVTIMEO, SO_SNDTIMEO); kNever for good.
    virtual Nanoseconds wait_limit(u32 events) const
    {
        (void)events;
        return kNever;
    }

    /// ioctl(2) with the raw argument. ENOTTY by default. May wait.
    virtual Result<i64> ioctl(Task& task, u32 command, u64 argument);
    /// Directories: entries from `position` on; stops when emit returns false. Default ENOTDIR. May wait.
    /// Positions 0 and 1 are "." and ".."; the implementation emits those too.
    virtual Result<void> read_directory(i64 position, DirectoryEmitter const& emit);
    /// What mmap maps; ENODEV by default. `offset`/`length` in bytes, page-aligned, may be checked by devices.
    virtual Result<Ref<mm::MemoryObject>> mmap_object(u64 offset, u64 length, bool shared);
    virtual Result<void> fsync(bool data_only)
    {
        (void)data_only;
        return {};
    }
    virtual Result<void> fallocate(u32 mode, u64 offset, u64 length);
    /// ftruncate(2) goes to the inode by default.
    virtual Result<void> truncate(u64 size);
    /// A descriptor of a task was closed (not the last one, perhaps).
    virtual void flush(Task&) { }
    /// Text behind the common lines of /proc/pid/fdinfo/N.
    virtual std::string fdinfo() { return {}; }

    /// Counts this file in inode().write_count until it is closed; ETXTBSY while the inode runs as a program.
    Result<void> count_writer();
    /// Counts this file, which cannot write, in inode().read_count until it is closed.
    void count_reader();

    bool is_silent = false; ///< an event of fanotify gave it: what is done with it makes no events
    bool was_created = false; ///< by the open(2) that made this (fcntl F_CREATED_QUERY)
    u64 position = 0;
    Mutex position_mutex; ///< held over read, write and getdents of a file with a position (f_pos_lock)
    AsyncOwner async_owner; ///< fcntl F_SETOWN, F_SETSIG
    FileWatchers watchers;

protected:
    std::optional<Path> path_;
    u32 flags_;
    bool counted_writer_ = false; ///< this file holds one of inode().write_count
    bool counted_reader_ = false; ///< likewise of read_count
};

/// A file without a name in any directory, such as eventfd or a pipe: gives it an inode in the kernel's anonymous file
/// system, so that fstat, /proc/pid/fd and path() work. `name` as Linux shows it: "anon_inode:[eventfd]", "pipe:[7]".
/// `inode_number` 0 takes a fresh one; callers whose name contains it pass kernel.next_unique().
Path make_anonymous_path(Kernel& kernel, std::string name, u32 mode, u64 inode_number = 0);
/// The same for what belongs to whoever makes it (pipes, sockets): the current task is the owner.
Path make_owned_anonymous_path(Kernel& kernel, std::string name, u32 mode, u64 inode_number);
/// The same around an inode of the caller's.
Path make_anonymous_path(Kernel& kernel, std::string name, Ref<Inode> inode);

/// Forbids opening for writing while the inode runs as a program; ETXTBSY while somebody writes. Undone by allow_write.
Result<void> deny_write(Inode& inode);
void allow_write(Inode& inode);
/// Emits "." and ".." where `position` asks for them; false when the receiver is full. For read_directory.
bool emit_dots(File& directory, i64 position, DirectoryEmitter const& emit);

} // namespace umbra::vfs
