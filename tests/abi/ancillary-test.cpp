// SPDX-License-Identifier: GPL-2.0-or-later
// What goes beside the bytes of local sockets: descriptors and identities (unix(7), cmsg(3)); vectors of
// messages.
#include "abi-test.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <vector>

namespace abi_test {
namespace {

struct Pair {
    Fd a, b;
    explicit Pair(int type = SOCK_STREAM)
    {
        int fds[2];
        EXPECT_EQ(::socketpair(AF_UNIX, type, 0, fds), 0) << std::strerror(errno);
        a = fds[0];
        b = fds[1];
    }
};

/// Sends one byte with descriptors, or an identity.
ssize_t send_with(int socket, int type, void const* data, size_t size)
{
    char byte = '!';
    iovec piece { &byte, 1 };
    std::vector<char> control(CMSG_SPACE(size));
    msghdr message {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), data, size);
    return ::sendmsg(socket, &message, 0);
}
ssize_t send_descriptors(int socket, std::vector<int> const& fds)
{
    return send_with(socket, SCM_RIGHTS, fds.data(), fds.size() * sizeof(int));
}

struct Received {
    ssize_t count;
    int flags;
    std::vector<int> fds;
    ucred identity { -1, 0, 0 };
};

Received receive(int socket, int flags = 0, size_t room = 256)
{
    char bytes[64];
    iovec piece { bytes, sizeof bytes };
    std::vector<char> control(room);
    msghdr message {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    Received result {};
    result.identity.pid = -1;
    result.count = ::recvmsg(socket, &message, flags);
    EXPECT_GE(result.count, 0) << std::strerror(errno);
    result.flags = message.msg_flags;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_type == SCM_CREDENTIALS)
            std::memcpy(&result.identity, CMSG_DATA(header), sizeof result.identity);
        if (header->cmsg_type != SCM_RIGHTS) continue;
        result.fds.resize((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        std::memcpy(result.fds.data(), CMSG_DATA(header), result.fds.size() * sizeof(int));
    }
    return result;
}

TEST(Ancillary, a_descriptor_travels)
{
    for (int type : { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET }) {
        Pair pair(type);
        Pipe pipe;
        ASSERT_EQ(send_descriptors(pair.a, { pipe.write_end }), 1);
        pipe.write_end.reset();
        auto got = receive(pair.b, MSG_CMSG_CLOEXEC);
        ASSERT_EQ(got.fds.size(), 1u);
        Fd copy = got.fds[0];
        EXPECT_EQ(::fcntl(copy, F_GETFD), FD_CLOEXEC);
        ASSERT_EQ(::write(copy, "x", 1), 1);
        copy.reset();
        EXPECT_EQ(read_all(pipe.read_end), "x");
    }
}

TEST(Ancillary, a_queue_keeps_files_open)
{
    Pair pair;
    Pipe pipe;
    ASSERT_EQ(send_descriptors(pair.a, { pipe.write_end }), 1);
    pipe.write_end.reset();
    ASSERT_OK(::fcntl(pipe.read_end, F_SETFL, O_NONBLOCK));
    char byte;
    EXPECT_ERROR(::read(pipe.read_end, &byte, 1), EAGAIN);
    pair.b.reset();
    EXPECT_EQ(::read(pipe.read_end, &byte, 1), 0) << "dropped with the queue";
}

TEST(Ancillary, descriptors_end_a_read_of_a_stream)
{
    Pair pair;
    Pipe pipe;
    ASSERT_EQ(::send(pair.a, "ab", 2, 0), 2);
    ASSERT_EQ(send_descriptors(pair.a, { pipe.read_end }), 1);
    ASSERT_EQ(::send(pair.a, "cd", 2, 0), 2);
    auto got = receive(pair.b);
    EXPECT_EQ(got.count, 3);
    ASSERT_EQ(got.fds.size(), 1u);
    ::close(got.fds[0]);
    EXPECT_EQ(receive(pair.b).count, 2);
}

TEST(Ancillary, what_does_not_fit_is_closed_and_said)
{
    Pair pair;
    Pipe pipe;
    ASSERT_EQ(send_descriptors(pair.a, { pipe.read_end, pipe.write_end, pipe.write_end }), 1);
    auto got = receive(pair.b, 0, CMSG_LEN(sizeof(int)));
    EXPECT_EQ(got.fds.size(), 1u);
    EXPECT_TRUE(got.flags & MSG_CTRUNC);
    for (int fd : got.fds)
        ::close(fd);
    pipe.write_end.reset();
    EXPECT_EQ(read_all(pipe.read_end), "");
}

TEST(Ancillary, errors)
{
    Pair pair;
    EXPECT_ERROR(send_descriptors(pair.a, { 0x7fff }), EBADF);
    EXPECT_ERROR(send_with(pair.a, 99, "four", 4), EINVAL);
    EXPECT_ERROR(send_with(pair.a, SCM_CREDENTIALS, "four", 4), EINVAL);
    EXPECT_ERROR(send_descriptors(pair.a, std::vector<int>(254, 0)), EINVAL);
}

TEST(Ancillary, identities)
{
    Pair pair(SOCK_DGRAM);
    int on = 1;
    ASSERT_OK(::setsockopt(pair.b, SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    pid_t child = start([&] { EXPECT_EQ(::send(pair.a, "x", 1, 0), 1); });
    EXPECT_EQ(wait_for(child), exited(0));
    auto got = receive(pair.b);
    EXPECT_EQ(got.identity.pid, child);
    EXPECT_EQ(got.identity.uid, ::getuid());
    ucred mine { ::getpid(), ::getuid(), ::getgid() };
    ASSERT_EQ(send_with(pair.a, SCM_CREDENTIALS, &mine, sizeof mine), 1);
    EXPECT_EQ(receive(pair.b).identity.pid, ::getpid());
    as_ordinary_user([&] {
        ucred forged { ::getpid(), 0, 0 };
        EXPECT_ERROR(send_with(pair.a, SCM_CREDENTIALS, &forged, sizeof forged), EPERM);
    });
}

TEST(Ancillary, sockets_in_each_others_queues_are_collected)
{
    // The write end goes into a circle that nobody can reach: its end must be seen all the same.
    Pipe pipe;
    {
        Pair one, two;
        ASSERT_EQ(send_descriptors(one.a, { two.a, two.b, pipe.write_end }), 1);
        ASSERT_EQ(send_descriptors(two.a, { one.a, one.b }), 1);
    }
    {
        Pair another;
    }
    pipe.write_end.reset();
    EXPECT_EQ(read_all(pipe.read_end), "");
}

TEST(Ancillary, many_messages_in_one_call)
{
    Pair pair(SOCK_DGRAM);
    char texts[3][6] = { "one", "two", "three" };
    iovec pieces[3];
    mmsghdr messages[3] {};
    for (int i = 0; i < 3; i++) {
        pieces[i] = { texts[i], std::strlen(texts[i]) };
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    EXPECT_EQ(::sendmmsg(pair.a, messages, 3, 0), 3);
    EXPECT_EQ(messages[2].msg_len, 5u);
    char buffers[4][10];
    iovec spaces[4];
    mmsghdr got[4] {};
    for (int i = 0; i < 4; i++) {
        spaces[i] = { buffers[i], sizeof buffers[i] };
        got[i].msg_hdr.msg_iov = &spaces[i];
        got[i].msg_hdr.msg_iovlen = 1;
    }
    EXPECT_EQ(::recvmmsg(pair.b, got, 4, MSG_WAITFORONE, nullptr), 3);
    EXPECT_EQ(std::string(buffers[2], got[2].msg_len), "three");
}

} // namespace
} // namespace abi_test
