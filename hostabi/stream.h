// SPDX-License-Identifier: GPL-2.0-or-later
// A descriptor that Umbra was started with (stdin, stdout, stderr), used without ever blocking the caller.
// Its open file description belongs to other processes too, so O_NONBLOCK may not be set on it: how to try
// without waiting depends on what it is.
#pragma once

#include <span>

#include "hostabi/fd.h"
#include "hostabi/host-result.h"

namespace umbra::hostabi {

enum class StreamKind : u8 { regular, pipe, socket, terminal, other };

/// What fstat(2) says of it.
struct StreamStatus {
    u32 mode = 0;
    u64 device = 0, inode = 0, rdev = 0, size = 0, blocks = 0;
    u32 block_size = 4096, links = 1;
    i64 mtime_seconds = 0, mtime_nanoseconds = 0;
};

class HostStream {
public:
    /// Works on a duplicate of `fd`. EBADF where it is not open.
    static HostResult<HostStream> duplicate(int fd);
    /// A new open file description of the same object, as open("/proc/self/fd/N") makes it; ENXIO for
    /// sockets. May wait for a slow file system.
    HostResult<HostStream> reopen(int flags) const;

    int fd() const { return fd_.get(); }
    StreamKind kind() const { return kind_; }
    bool is_regular() const { return kind_ == StreamKind::regular; }
    /// O_ACCMODE and O_APPEND of the description.
    u32 flags() const { return flags_; }

    /// Moves what can be moved now. EAGAIN: nothing. EOPNOTSUPP: this host cannot try without waiting on such
    /// a descriptor (regular files of many file systems; devices): use the ring, after poll_now() said so
    /// where it applies.
    HostResult<u64> read_now(std::span<u8> out);
    HostResult<u64> write_now(std::span<u8 const> in);
    /// The poll(2) bits of `events` (and POLLERR, POLLHUP) that hold now.
    u32 poll_now(u32 events) const { return poll_within(events, 0); }
    /// The same, waiting up to `timeout`: not on a vCPU.
    u32 poll_within(u32 events, Nanoseconds timeout) const;
    /// lseek(2) on the shared position. Does not wait except where a file system is slow.
    HostResult<u64> seek(i64 offset, int whence);
    HostResult<StreamStatus> status() const;
    /// FIONREAD.
    HostResult<i32> bytes_available() const;
    /// ftruncate(2): 0 or a negative errno. May wait, so call it by Ring::offload.
    static i32 truncate(int fd, u64 size);

private:
    explicit HostStream(OwnedFd fd);
    int try_fd() const { return private_ ? private_.get() : fd_.get(); }

    OwnedFd fd_;
    OwnedFd private_; ///< a non-blocking description of our own, where one could be had
    StreamKind kind_ = StreamKind::other;
    u32 flags_ = 0;
    bool read_needs_ring_ = false, write_needs_ring_ = false; ///< the host said EOPNOTSUPP once
};

} // namespace umbra::hostabi
