// SPDX-License-Identifier: GPL-2.0-or-later
// OwnedFd, its factories, and the passing of descriptors.
#include "hostabi/fd.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace umbra::hostabi {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(OwnedFd, ClosesWhatItOwns)
{
    int number;
    {
        OwnedFd fd = OwnedFd::eventfd().release_value();
        number = fd.get();
        EXPECT_TRUE(is_open(number));
        OwnedFd moved = std::move(fd);
        EXPECT_FALSE(fd); // NOLINT(bugprone-use-after-move): what is left is what is tested
        EXPECT_EQ(moved.get(), number);
        moved = OwnedFd::eventfd().release_value(); // closes the first
        EXPECT_FALSE(is_open(number));
        number = moved.get();
    }
    EXPECT_FALSE(is_open(number));
}

TEST(OwnedFd, ReleaseKeepsItOpen)
{
    OwnedFd fd = OwnedFd::eventfd().release_value();
    int const number = fd.release();
    EXPECT_FALSE(fd);
    EXPECT_TRUE(is_open(number));
    ::close(number);
}

TEST(OwnedFd, EveryFactoryIsCloseOnExec)
{
    OwnedFd fds[16];
    int count = 0;
    auto add = [&](HostResult<OwnedFd> result) {
        ASSERT_TRUE(result.ok()) << "factory " << count << ": errno " << result.error().value;
        fds[count++] = result.release_value();
    };
    add(OwnedFd::memfd("test"));
    add(OwnedFd::memfd("test", MemfdExec::allowed));
    add(OwnedFd::eventfd());
    add(OwnedFd::signalfd(1));
    add(OwnedFd::timerfd(CLOCK_MONOTONIC));
    add(OwnedFd::epoll());
    add(OwnedFd::inotify());
    add(OwnedFd::pidfd_open(::getpid()));
    add(OwnedFd::duplicate(0));
    add(OwnedFd::open("/", O_RDONLY));
    add(OwnedFd::openat(fds[9].get(), "proc", O_PATH));
    add(OwnedFd::openat2(fds[9].get(), "proc", { .flags = O_PATH, .mode = 0, .resolve = RESOLVE_BENEATH }));
    add(OwnedFd::socket(AF_UNIX, SOCK_STREAM, 0));
    for (int i = 0; i < count; i++)
        EXPECT_EQ(::fcntl(fds[i].get(), F_GETFD), FD_CLOEXEC) << "factory " << i;
    FdPair pair = OwnedFd::socketpair(AF_UNIX, SOCK_DGRAM).release_value();
    PipeEnds pipe = OwnedFd::pipe().release_value();
    for (OwnedFd const* fd : { &pair.first, &pair.second, &pipe.reader, &pipe.writer })
        EXPECT_EQ(::fcntl(fd->get(), F_GETFD), FD_CLOEXEC);
}

TEST(OwnedFd, ErrorsAreTheHosts)
{
    EXPECT_EQ(OwnedFd::open("/does/not/exist", O_RDONLY).error().value, ENOENT);
    EXPECT_EQ(OwnedFd::duplicate(-1).error().value, EBADF);
}

TEST(OwnedFd, MemfdCanBeMappedExecutable)
{
    OwnedFd fd = OwnedFd::memfd("test").release_value();
    ASSERT_EQ(::ftruncate(fd.get(), 4096), 0);
    void* const p = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd.get(), 0);
    ASSERT_NE(p, MAP_FAILED);
    ::munmap(p, 4096);
}

TEST(FdPassing, SendsAndReceives)
{
    FdPair pair = OwnedFd::socketpair(AF_UNIX, SOCK_STREAM).release_value();
    PipeEnds pipe = OwnedFd::pipe().release_value();
    ASSERT_TRUE(send_fd(pair.first.get(), pipe.writer.get()).ok());
    OwnedFd received = receive_fd(pair.second.get()).release_value();
    EXPECT_NE(received.get(), pipe.writer.get());
    EXPECT_EQ(::fcntl(received.get(), F_GETFD), FD_CLOEXEC);
    ASSERT_TRUE(write_all(received.get(), { reinterpret_cast<u8 const*>("hi"), 2 }).ok());
    received.reset();
    pipe.writer.reset();
    u8 buffer[8];
    EXPECT_EQ(read_all(pipe.reader.get(), buffer).value(), 2u);
    EXPECT_EQ(std::memcmp(buffer, "hi", 2), 0);
}

TEST(FdPassing, TellsWhatWentWrong)
{
    FdPair pair = OwnedFd::socketpair(AF_UNIX, SOCK_STREAM).release_value();
    ASSERT_EQ(::write(pair.first.get(), "x", 1), 1);
    EXPECT_EQ(receive_fd(pair.second.get()).error().value, EBADMSG);
    pair.first.reset();
    EXPECT_EQ(receive_fd(pair.second.get()).error().value, EPIPE);
    EXPECT_EQ(send_fd(pair.second.get(), 0).error().value, EPIPE);
}

} // namespace
} // namespace umbra::hostabi
