// SPDX-License-Identifier: GPL-2.0-or-later
// seccomp_unotify(2): a supervisor answers calls of its children through a listener.
#include "seccomp.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV 32
#endif
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND 2
#endif

namespace abi_test {
namespace {

constexpr long kCall = SYS_getppid;
constexpr unsigned long kSetFlags = 0x40082104; // SECCOMP_IOCTL_NOTIF_SET_FLAGS

long control(int fd, unsigned long command, void* argument) { return raw(SYS_ioctl, fd, command, argument); }

/// A child under a filter that asks for `kCall`, and its listener, which has come over by SCM_RIGHTS.
class Supervised {
public:
    template <typename Body> explicit Supervised(Body&& body, unsigned flags = 0, long call = kCall)
    {
        // The listener is in the descriptor table that child and parent share until the child says so.
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        pid = start([&] {
            ::close(ends[0]);
            Fd mine(int(
                install(filter_for(call, SECCOMP_RET_USER_NOTIF), SECCOMP_FILTER_FLAG_NEW_LISTENER | flags)));
            send_descriptor(ends[1], mine);
            mine.reset();
            ::close(ends[1]);
            body();
        });
        ::close(ends[1]);
        listener.reset(receive_descriptor(ends[0]));
        ::close(ends[0]);
        EXPECT_GE(listener, 0);
    }

    seccomp_notif receive() const
    {
        seccomp_notif request {};
        EXPECT_EQ(control(listener, SECCOMP_IOCTL_NOTIF_RECV, &request), 0);
        return request;
    }
    long answer(uint64_t id, int64_t value, int error = 0, unsigned flags = 0) const
    {
        seccomp_notif_resp response { id, value, error, flags };
        return control(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
    }

    pid_t pid;
    Fd listener;

private:
    union Control {
        cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    };
    static void send_descriptor(int socket, int fd)
    {
        char byte = '!';
        iovec vector { &byte, 1 };
        Control data {};
        msghdr message {};
        message.msg_iov = &vector, message.msg_iovlen = 1;
        message.msg_control = data.bytes, message.msg_controllen = sizeof data.bytes;
        data.header = { CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS };
        std::memcpy(CMSG_DATA(&data.header), &fd, sizeof fd);
        EXPECT_EQ(::sendmsg(socket, &message, 0), 1);
    }
    static int receive_descriptor(int socket)
    {
        char byte;
        iovec vector { &byte, 1 };
        Control data {};
        msghdr message {};
        message.msg_iov = &vector, message.msg_iovlen = 1;
        message.msg_control = data.bytes, message.msg_controllen = sizeof data.bytes;
        EXPECT_EQ(::recvmsg(socket, &message, MSG_CMSG_CLOEXEC), 1);
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(&data.header), sizeof fd);
        return fd;
    }
};

TEST(SeccompNotify, the_supervisor_answers)
{
    Supervised child([] {
        EXPECT_EQ(raw(kCall), 4711);
        EXPECT_EQ(raw(kCall), -EXDEV);
    });
    auto request = child.receive();
    EXPECT_EQ(pid_t(request.pid), child.pid);
    EXPECT_EQ(request.data.nr, kCall);
    EXPECT_EQ(request.flags, 0u);
    EXPECT_EQ(control(child.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id), 0);
    EXPECT_EQ(child.answer(request.id + 1, 0), -ENOENT);
    EXPECT_EQ(child.answer(request.id, 4711), 0);
    request = child.receive();
    EXPECT_EQ(child.answer(request.id, 0, -EXDEV), 0);
    EXPECT_EQ(wait_for(child.pid), exited(0));
    EXPECT_EQ(control(child.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id), -ENOENT);
    EXPECT_EQ(child.answer(request.id, 0), -ENOENT);
}

TEST(SeccompNotify, continue_makes_the_call)
{
    Supervised child([] { EXPECT_EQ(raw(kCall), ::getppid()); });
    for (int i = 0; i < 2; ++i) {
        auto request = child.receive();
        EXPECT_EQ(child.answer(request.id, 1, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE), -EINVAL);
        EXPECT_EQ(child.answer(request.id, 0, 0, 0x80), -EINVAL);
        EXPECT_EQ(child.answer(request.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE), 0);
    }
    EXPECT_EQ(wait_for(child.pid), exited(0));
}

TEST(SeccompNotify, errors_of_the_controls)
{
    Supervised child([] { EXPECT_EQ(raw(kCall), 0); });
    seccomp_notif full {};
    full.flags = 1;
    EXPECT_EQ(control(child.listener, SECCOMP_IOCTL_NOTIF_RECV, &full), -EINVAL);
    EXPECT_EQ(control(child.listener, SECCOMP_IOCTL_NOTIF_RECV, reinterpret_cast<void*>(8)), -EFAULT);
    EXPECT_EQ(control(child.listener, SECCOMP_IOCTL_NOTIF_SEND, reinterpret_cast<void*>(8)), -EFAULT);
    EXPECT_EQ(control(child.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, reinterpret_cast<void*>(8)), -EFAULT);
    EXPECT_EQ(control(child.listener, 0x2199, nullptr), -EINVAL);
    EXPECT_EQ(raw(SYS_ioctl, int(child.listener), kSetFlags, 2), -EINVAL);
    EXPECT_EQ(raw(SYS_ioctl, int(child.listener), kSetFlags, 1), 0);
    char byte;
    EXPECT_ERROR(::read(child.listener, &byte, 1), EINVAL);
    EXPECT_EQ(child.answer(child.receive().id, 0), 0);
    EXPECT_EQ(wait_for(child.pid), exited(0));
}

short ready(int fd)
{
    pollfd poll { fd, POLLIN | POLLOUT, 0 };
    EXPECT_GE(::poll(&poll, 1, 0), 0);
    return poll.revents;
}

TEST(SeccompNotify, can_be_polled)
{
    Supervised child([] { EXPECT_EQ(raw(kCall), 3); });
    pollfd poll { child.listener, POLLIN, 0 };
    EXPECT_EQ(::poll(&poll, 1, -1), 1);
    EXPECT_EQ(poll.revents, POLLIN);
    auto request = child.receive();
    EXPECT_EQ(ready(child.listener), POLLOUT);
    EXPECT_EQ(child.answer(request.id, 3), 0);
    EXPECT_EQ(wait_for(child.pid), exited(0));
    poll.events = 0;
    EXPECT_EQ(::poll(&poll, 1, -1), 1); // nobody has the filter any more
    EXPECT_EQ(poll.revents, POLLHUP);
}

TEST(SeccompNotify, closing_the_listener_fails_the_calls)
{
    Supervised child([] {
        EXPECT_EQ(raw(kCall), -ENOSYS);
        EXPECT_EQ(raw(kCall), -ENOSYS);
    });
    child.receive();
    child.listener.reset();
    EXPECT_EQ(wait_for(child.pid), exited(0));
}

TEST(SeccompNotify, one_listener_for_a_chain)
{
    in_child([] {
        Fd listener(
            int(install(filter_for(SYS_getpgid, SECCOMP_RET_USER_NOTIF), SECCOMP_FILTER_FLAG_NEW_LISTENER)));
        EXPECT_EQ(::fcntl(listener, F_GETFD), FD_CLOEXEC);
        EXPECT_EQ(try_filter({ give(SECCOMP_RET_ALLOW) }, SECCOMP_FILTER_FLAG_NEW_LISTENER), -EBUSY);
        EXPECT_EQ(try_filter({ give(SECCOMP_RET_ALLOW) }), 0);
    });
}

void ignore_signal(int) { }

TEST(SeccompNotify, a_signal_interrupts_or_restarts)
{
    for (int flags : { 0, SA_RESTART }) {
        Supervised child([&] {
            set_handler(SIGUSR1, ignore_signal, flags);
            EXPECT_EQ(raw(kCall), flags ? 5 : -EINTR);
            if (!flags) {
                EXPECT_EQ(raw(kCall), 5);
            }
        });
        auto first = child.receive();
        ::kill(child.pid, SIGUSR1);
        auto second = child.receive();
        EXPECT_NE(first.id, second.id);
        EXPECT_EQ(control(child.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &first.id), -ENOENT);
        EXPECT_EQ(child.answer(second.id, 5), 0);
        EXPECT_EQ(wait_for(child.pid), exited(0));
    }
}

TEST(SeccompNotify, wait_killable_keeps_a_received_call)
{
    Supervised child(
        [] {
            set_handler(SIGUSR1, ignore_signal);
            EXPECT_EQ(raw(kCall), 6);
        },
        SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    auto request = child.receive();
    ::kill(child.pid, SIGUSR1);
    EXPECT_EQ(control(child.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id), 0);
    EXPECT_EQ(child.answer(request.id, 6), 0);
    EXPECT_EQ(wait_for(child.pid), exited(0));
}

TEST(SeccompNotify, sigkill_ends_the_wait)
{
    Supervised child([] { raw(kCall); }, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    auto request = child.receive();
    ::kill(child.pid, SIGKILL);
    EXPECT_EQ(wait_for(child.pid), killed_by(SIGKILL));
    EXPECT_EQ(child.answer(request.id, 0), -ENOENT);
}

TEST(SeccompNotify, descriptors_can_be_given)
{
    Pipe pipe;
    Supervised child([&] {
        long fd = raw(kCall);
        EXPECT_EQ(::write(int(fd), "a", 1), 1);
        EXPECT_EQ(::fcntl(int(fd), F_GETFD), FD_CLOEXEC);
        EXPECT_EQ(::write(200, "b", 1), 1);
        long sent = raw(kCall);
        EXPECT_EQ(::write(int(sent), "c", 1), 1);
        EXPECT_EQ(::fcntl(int(sent), F_GETFD), 0);
    });
    auto request = child.receive();
    seccomp_notif_addfd add { request.id, 0, unsigned(int(pipe.write_end)), 0, O_CLOEXEC };
    long fd = control(child.listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
    EXPECT_GE(fd, 0);
    seccomp_notif_addfd set { request.id, SECCOMP_ADDFD_FLAG_SETFD, unsigned(int(pipe.write_end)), 200, 0 };
    EXPECT_EQ(control(child.listener, SECCOMP_IOCTL_NOTIF_ADDFD, &set), 200);
    EXPECT_EQ(child.answer(request.id, fd), 0);
    request = child.receive();
    seccomp_notif_addfd send { request.id, SECCOMP_ADDFD_FLAG_SEND, unsigned(int(pipe.write_end)), 0, 0 };
    EXPECT_GE(control(child.listener, SECCOMP_IOCTL_NOTIF_ADDFD, &send), 0);
    EXPECT_EQ(wait_for(child.pid), exited(0));
    char text[4] = {};
    EXPECT_EQ(::read(pipe.read_end, text, 3), 3);
    EXPECT_STREQ(text, "abc");
}

TEST(SeccompNotify, giving_descriptors_has_rules)
{
    Supervised child([] { EXPECT_EQ(raw(kCall), 0); });
    auto try_add
        = [&](seccomp_notif_addfd add) { return control(child.listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add); };
    pollfd poll { child.listener, POLLIN, 0 };
    EXPECT_EQ(::poll(&poll, 1, -1), 1);
    EXPECT_EQ(try_add({ 1, 0, 999, 0, 0 }), -EBADF);
    EXPECT_EQ(try_add({ 1, 0, 0, 0, O_NONBLOCK }), -EINVAL);
    EXPECT_EQ(try_add({ 1, 8, 0, 0, 0 }), -EINVAL);
    EXPECT_EQ(try_add({ 1, 0, 0, 5, 0 }), -EINVAL);
    auto request = child.receive();
    unsigned const some = unsigned(int(child.listener));
    EXPECT_EQ(try_add({ request.id + 1, 0, some, 0, 0 }), -ENOENT);
    struct {
        seccomp_notif_addfd known;
        uint64_t more;
    } longer { { request.id, 0, some, 0, 0 }, 1 };
    constexpr unsigned long long_add = _IOW('!', 3, longer), short_add = _IOW('!', 3, uint64_t);
    EXPECT_EQ(control(child.listener, long_add, &longer), -E2BIG);
    EXPECT_EQ(control(child.listener, short_add, &longer), -EINVAL);
    longer.more = 0;
    EXPECT_GE(control(child.listener, long_add, &longer), 0);
    EXPECT_EQ(control(child.listener, SECCOMP_IOCTL_NOTIF_ADDFD, reinterpret_cast<void*>(8)), -EFAULT);
    EXPECT_EQ(child.answer(request.id, 0), 0);
    EXPECT_EQ(wait_for(child.pid), exited(0));
}

} // namespace
} // namespace abi_test
