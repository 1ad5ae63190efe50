// SPDX-License-Identifier: GPL-2.0-or-later
// Owners of host file descriptors. Every descriptor of the kernel process lives in an OwnedFd (law 8), is
// made by a factory that is named after the host call, and is close-on-exec from its first moment: no stub
// inherits one.
#pragma once

#include <span>
#include <utility>

#include "core/base/types.h"
#include "hostabi/host-result.h"

struct open_how;
struct iovec;

namespace umbra::hostabi {

struct FdPair;
struct PipeEnds;
enum class MemfdExec : u8 { refused, allowed };

/// Owns one host descriptor, or none. None of the factories waits, except open*() on a FIFO or a slow file
/// system: on a vCPU thread use Ring::openat.
class [[nodiscard]] OwnedFd {
public:
    OwnedFd() = default;
    OwnedFd(OwnedFd&& o) noexcept
        : fd_(std::exchange(o.fd_, -1))
    {
    }
    OwnedFd& operator=(OwnedFd&& o) noexcept
    {
        if (this != &o) {
            reset();
            fd_ = std::exchange(o.fd_, -1);
        }
        return *this;
    }
    ~OwnedFd() { reset(); }

    /// Takes over a descriptor that somebody else made (inherited, or the result of Ring::openat).
    static OwnedFd adopt(int fd) { return OwnedFd(fd); }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    /// Gives up the descriptor without closing it.
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }
    void reset();

    /// memfd_create(2) with sealing allowed. `MemfdExec::refused` forbids execve of it, never
    /// mmap(PROT_EXEC).
    static HostResult<OwnedFd> memfd(char const* name, MemfdExec exec = MemfdExec::refused);
    static HostResult<OwnedFd> eventfd(u32 initial = 0, int flags = 0);
    /// `mask`: bit n-1 stands for signal n, as in sigset_t.
    static HostResult<OwnedFd> signalfd(u64 mask, int flags = 0);
    static HostResult<OwnedFd> timerfd(int clock, int flags = 0);
    static HostResult<OwnedFd> epoll();
    static HostResult<OwnedFd> inotify(int flags = 0);
    static HostResult<OwnedFd> pidfd_open(i32 pid, u32 flags = 0);
    static HostResult<OwnedFd> pidfd_getfd(int pidfd, int target_fd);
    static HostResult<OwnedFd> userfaultfd(u32 flags);
    static HostResult<OwnedFd> duplicate(int fd);
    static HostResult<OwnedFd> open(char const* path, int flags, u32 mode = 0);
    static HostResult<OwnedFd> openat(int dir, char const* path, int flags, u32 mode = 0);
    /// O_CLOEXEC is added to how.flags.
    static HostResult<OwnedFd> openat2(int dir, char const* path, struct open_how how);
    static HostResult<OwnedFd> socket(int domain, int type, int protocol);
    static HostResult<FdPair> socketpair(int domain, int type);
    static HostResult<PipeEnds> pipe(int flags = 0);

private:
    explicit OwnedFd(int fd)
        : fd_(fd)
    {
    }
    static HostResult<OwnedFd> from_call(i64 result);

    int fd_ = -1;
};

struct FdPair {
    OwnedFd first, second;
};
struct PipeEnds {
    OwnedFd reader, writer;
};

/// Sends `fd` with one byte over a Unix socket (SCM_RIGHTS). Does not wait: EAGAIN when the socket is full.
HostResult<void> send_fd(int socket, int fd);
/// Receives what send_fd() sent. Waits on a blocking socket; EPIPE when the other end is closed, EBADMSG when
/// the message carried no descriptor.
HostResult<OwnedFd> receive_fd(int socket);

/// read(2) and write(2) in a loop until all is transferred; EINTR is retried. Only for places that may wait.
/// read_all returns the count, short only at the end of the file.
HostResult<u64> read_all(int fd, std::span<u8> buffer);
HostResult<void> write_all(int fd, std::span<u8 const> buffer);

} // namespace umbra::hostabi
