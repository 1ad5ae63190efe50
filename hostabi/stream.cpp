// SPDX-License-Identifier: GPL-2.0-or-later
// Trying without waiting, by kind: terminals get a non-blocking description of our own (they know no
// RWF_NOWAIT), sockets have MSG_DONTWAIT, the rest RWF_NOWAIT; pipes of hosts before Linux 6.4, which lack
// that, are reopened as terminals are.
#include "hostabi/stream.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "hostabi/clock.h"
#include "hostabi/host-call.h"
#include "hostabi/terminal.h"

namespace umbra::hostabi {

namespace {

StreamKind kind_of(int fd, u32 mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return StreamKind::regular;
    case S_IFIFO:
        return StreamKind::pipe;
    case S_IFSOCK:
        return StreamKind::socket;
    default:
        return is_terminal(fd) ? StreamKind::terminal : StreamKind::other;
    }
}

HostResult<OwnedFd> open_again(int fd, int flags)
{
    char path[32];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return OwnedFd::open(path, flags | O_NOCTTY);
}

/// preadv2 and pwritev2 at the file's own position (-1), which the host splits in two words.
i64 vector_now(long call, int fd, iovec const& part)
{
    return host_call(call, fd, &part, 1, -1L, -1L, RWF_NOWAIT);
}

bool is_unsupported(i64 result) { return result == -EOPNOTSUPP || result == -ENOSYS || result == -EINVAL; }

} // namespace

HostStream::HostStream(OwnedFd fd)
    : fd_(std::move(fd))
{
    i64 const flags = host_call(SYS_fcntl, fd_.get(), F_GETFL);
    if (flags >= 0) flags_ = static_cast<u32>(flags) & (O_ACCMODE | O_APPEND);
    struct stat status { };
    host_call(SYS_fstat, fd_.get(), &status);
    kind_ = kind_of(fd_.get(), status.st_mode);
    if (kind_ != StreamKind::terminal) return;
    auto own = open_again(fd_.get(), static_cast<int>(flags_ & O_ACCMODE) | O_NONBLOCK);
    if (own.ok()) private_ = std::move(own).value();
}

HostResult<HostStream> HostStream::duplicate(int fd) { return HostStream(TRY(OwnedFd::duplicate(fd))); }

HostResult<HostStream> HostStream::reopen(int flags) const
{
    return HostStream(TRY(open_again(fd_.get(), flags)));
}

HostResult<u64> HostStream::read_now(std::span<u8> out)
{
    if (read_needs_ring_) return HostErrno { EOPNOTSUPP };
    i64 result;
    if (private_)
        result = host_call(SYS_read, private_.get(), out.data(), out.size());
    else if (kind_ == StreamKind::socket)
        result = host_call(SYS_recvfrom, fd_.get(), out.data(), out.size(), MSG_DONTWAIT, nullptr, nullptr);
    else
        result = vector_now(SYS_preadv2, fd_.get(), { out.data(), out.size() });
    if (is_unsupported(result) && !private_ && kind_ == StreamKind::pipe) {
        // A pipe's read end opened again is one more reader of the same pipe; data and end of file are the
        // same.
        auto own = open_again(fd_.get(), O_RDONLY | O_NONBLOCK);
        if (own.ok()) {
            private_ = std::move(own).value();
            return read_now(out);
        }
    }
    if (is_unsupported(result)) {
        read_needs_ring_ = true;
        return HostErrno { EOPNOTSUPP };
    }
    if (result == -EINTR) return HostErrno { EAGAIN };
    return static_cast<u64>(TRY(host_value(result)));
}

HostResult<u64> HostStream::write_now(std::span<u8 const> in)
{
    if (write_needs_ring_) return HostErrno { EOPNOTSUPP };
    i64 result;
    if (private_)
        result = host_call(SYS_write, private_.get(), in.data(), in.size());
    else if (kind_ == StreamKind::socket)
        result
            = host_call(SYS_sendto, fd_.get(), in.data(), in.size(), MSG_DONTWAIT | MSG_NOSIGNAL, nullptr, 0);
    else // iovec has one pointer type for both directions; the host only reads here
        result = vector_now(SYS_pwritev2, fd_.get(), { const_cast<u8*>(in.data()), in.size() });
    if (is_unsupported(result) && !private_ && kind_ == StreamKind::pipe) {
        auto own = open_again(fd_.get(), O_WRONLY | O_NONBLOCK);
        if (own.ok()) {
            private_ = std::move(own).value();
            return write_now(in);
        }
    }
    if (is_unsupported(result)) {
        write_needs_ring_ = true;
        return HostErrno { EOPNOTSUPP };
    }
    if (result == -EINTR) return HostErrno { EAGAIN };
    return static_cast<u64>(TRY(host_value(result)));
}

u32 HostStream::poll_within(u32 events, Nanoseconds timeout) const
{
    pollfd entry { fd_.get(), static_cast<short>(events), 0 };
    timespec const limit = to_timespec(timeout);
    i64 const result = host_call(SYS_ppoll, &entry, 1, &limit, nullptr, 0);
    return result > 0 ? static_cast<u16>(entry.revents) : 0;
}

HostResult<u64> HostStream::seek(i64 offset, int whence)
{
    return static_cast<u64>(TRY(host_value(host_call(SYS_lseek, fd_.get(), offset, whence))));
}

HostResult<StreamStatus> HostStream::status() const
{
    struct stat s { };
    TRY(host_status(host_call(SYS_fstat, fd_.get(), &s)));
    return StreamStatus { .mode = s.st_mode,
        .device = s.st_dev,
        .inode = s.st_ino,
        .rdev = s.st_rdev,
        .size = static_cast<u64>(s.st_size),
        .blocks = static_cast<u64>(s.st_blocks),
        .block_size = static_cast<u32>(s.st_blksize),
        .links = static_cast<u32>(s.st_nlink),
        .mtime_seconds = s.st_mtim.tv_sec,
        .mtime_nanoseconds = s.st_mtim.tv_nsec };
}

HostResult<i32> HostStream::bytes_available() const
{
    i32 count = 0;
    TRY(host_status(host_call(SYS_ioctl, fd_.get(), FIONREAD, &count)));
    return count;
}

i32 HostStream::truncate(int fd, u64 size) { return static_cast<i32>(host_call(SYS_ftruncate, fd, size)); }

} // namespace umbra::hostabi
