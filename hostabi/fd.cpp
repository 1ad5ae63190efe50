// SPDX-License-Identifier: GPL-2.0-or-later
// The factories of OwnedFd, and the passing of descriptors between processes.
#include "hostabi/fd.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/openat2.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#include "core/base/panic.h"
#include "hostabi/host-call.h"

// Linux 6.3; Debian 12's headers are older.
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC 0x0010U
#endif

namespace umbra::hostabi {

void OwnedFd::reset()
{
    if (fd_ < 0) return;
    // EBADF means that somebody closed a descriptor that he did not own. Other errors still close it
    // (close(2)).
    if (host_call(SYS_close, std::exchange(fd_, -1)) == -EBADF) panic("hostabi: closed a descriptor twice");
}

HostResult<OwnedFd> OwnedFd::from_call(i64 result)
{
    return OwnedFd(static_cast<int>(TRY(host_value(result))));
}

HostResult<OwnedFd> OwnedFd::memfd(char const* name, MemfdExec exec)
{
    unsigned const base = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    unsigned const exec_flag = exec == MemfdExec::allowed ? MFD_EXEC : MFD_NOEXEC_SEAL;
    i64 const result = host_call(SYS_memfd_create, name, base | exec_flag);
    // Before Linux 6.3 there was no choice and the flags were unknown.
    if (result == -EINVAL) return from_call(host_call(SYS_memfd_create, name, base));
    return from_call(result);
}

HostResult<OwnedFd> OwnedFd::eventfd(u32 initial, int flags)
{
    return from_call(host_call(SYS_eventfd2, initial, flags | EFD_CLOEXEC));
}

HostResult<OwnedFd> OwnedFd::signalfd(u64 mask, int flags)
{
    return from_call(host_call(SYS_signalfd4, -1, &mask, sizeof mask, flags | SFD_CLOEXEC));
}

HostResult<OwnedFd> OwnedFd::timerfd(int clock, int flags)
{
    return from_call(host_call(SYS_timerfd_create, clock, flags | TFD_CLOEXEC));
}

HostResult<OwnedFd> OwnedFd::epoll() { return from_call(host_call(SYS_epoll_create1, EPOLL_CLOEXEC)); }

HostResult<OwnedFd> OwnedFd::inotify(int flags)
{
    return from_call(host_call(SYS_inotify_init1, flags | IN_CLOEXEC));
}

HostResult<OwnedFd> OwnedFd::pidfd_open(i32 pid, u32 flags)
{
    return from_call(host_call(SYS_pidfd_open, pid, flags)); // always close-on-exec
}

HostResult<OwnedFd> OwnedFd::pidfd_getfd(int pidfd, int target_fd)
{
    return from_call(host_call(SYS_pidfd_getfd, pidfd, target_fd, 0)); // always close-on-exec
}

HostResult<OwnedFd> OwnedFd::userfaultfd(u32 flags)
{
    return from_call(host_call(SYS_userfaultfd, flags | O_CLOEXEC));
}

HostResult<OwnedFd> OwnedFd::duplicate(int fd)
{
    return from_call(
        host_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3)); // 3: never in the place of stdin, stdout, stderr
}

HostResult<OwnedFd> OwnedFd::open(char const* path, int flags, u32 mode)
{
    return openat(AT_FDCWD, path, flags, mode);
}

HostResult<OwnedFd> OwnedFd::openat(int dir, char const* path, int flags, u32 mode)
{
    return from_call(host_call(SYS_openat, dir, path, flags | O_CLOEXEC, mode));
}

HostResult<OwnedFd> OwnedFd::openat2(int dir, char const* path, struct open_how how)
{
    how.flags |= O_CLOEXEC;
    return from_call(host_call(SYS_openat2, dir, path, &how, sizeof how));
}

HostResult<OwnedFd> OwnedFd::socket(int domain, int type, int protocol)
{
    return from_call(host_call(SYS_socket, domain, type | SOCK_CLOEXEC, protocol));
}

HostResult<FdPair> OwnedFd::socketpair(int domain, int type)
{
    int fds[2];
    TRY(host_status(host_call(SYS_socketpair, domain, type | SOCK_CLOEXEC, 0, fds)));
    return FdPair { OwnedFd(fds[0]), OwnedFd(fds[1]) };
}

HostResult<PipeEnds> OwnedFd::pipe(int flags)
{
    int fds[2];
    TRY(host_status(host_call(SYS_pipe2, fds, flags | O_CLOEXEC)));
    return PipeEnds { OwnedFd(fds[0]), OwnedFd(fds[1]) };
}

namespace {

/// A message of one byte with room for one descriptor.
struct FdMessage {
    u8 byte = 0;
    struct iovec data {
        &byte, 1
    };
    alignas(cmsghdr) u8 control[CMSG_SPACE(sizeof(int))] = {};
    msghdr header {};

    FdMessage()
    {
        header.msg_iov = &data;
        header.msg_iovlen = 1;
        header.msg_control = control;
        header.msg_controllen = sizeof control;
    }
};

} // namespace

HostResult<void> send_fd(int socket, int fd)
{
    FdMessage message;
    cmsghdr* part = CMSG_FIRSTHDR(&message.header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(part), &fd, sizeof fd);
    return host_status(host_call(SYS_sendmsg, socket, &message.header, MSG_NOSIGNAL | MSG_DONTWAIT));
}

HostResult<OwnedFd> receive_fd(int socket)
{
    FdMessage message;
    i64 result;
    do
        result = host_call(SYS_recvmsg, socket, &message.header, MSG_CMSG_CLOEXEC);
    while (result == -EINTR);
    if (TRY(host_value(result)) == 0) return HostErrno { EPIPE };
    cmsghdr* part = CMSG_FIRSTHDR(&message.header);
    if (!part || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
        return HostErrno { EBADMSG };
    int fd;
    std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
    return OwnedFd::adopt(fd);
}

HostResult<u64> read_all(int fd, std::span<u8> buffer)
{
    u64 done = 0;
    while (done < buffer.size()) {
        i64 const n = host_call(SYS_read, fd, buffer.data() + done, buffer.size() - done);
        if (n == -EINTR) continue;
        if (TRY(host_value(n)) == 0) break;
        done += static_cast<u64>(n);
    }
    return done;
}

HostResult<void> write_all(int fd, std::span<u8 const> buffer)
{
    u64 done = 0;
    while (done < buffer.size()) {
        i64 const n = host_call(SYS_write, fd, buffer.data() + done, buffer.size() - done);
        if (n == -EINTR) continue;
        done += static_cast<u64>(TRY(host_value(n)));
    }
    return {};
}

} // namespace umbra::hostabi
