// SPDX-License-Identifier: GPL-2.0-or-later
// Pipes and FIFOs: pipe(7), fifo(7).
#include "abi-test.h"

#include <climits>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

namespace abi_test {
namespace {

constexpr size_t kCapacity = 65536;

TEST(Pipes, belongs_to_its_maker)
{
    as_ordinary_user([] {
        Pipe pipe;
        struct stat info { };
        ASSERT_EQ(::fstat(pipe.read_end, &info), 0);
        EXPECT_EQ(info.st_uid, ::geteuid());
        EXPECT_EQ(info.st_gid, ::getegid());
        ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
        Fd again = ::open(("/dev/fd/" + std::to_string(int(pipe.read_end))).c_str(), O_RDONLY);
        char c;
        EXPECT_EQ(::read(again, &c, 1), 1);
    });
}

TEST(Pipes, carries_bytes_in_order)
{
    Pipe pipe;
    ASSERT_EQ(::write(pipe.write_end, "abc", 3), 3);
    ASSERT_EQ(::write(pipe.write_end, "def", 3), 3);
    char buffer[8] = {};
    EXPECT_EQ(::read(pipe.read_end, buffer, 4), 4);
    EXPECT_STREQ(buffer, "abcd");
    EXPECT_EQ(::read(pipe.read_end, buffer, 8), 2);
}

TEST(Pipes, read_gives_end_of_file_without_writers)
{
    Pipe pipe;
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    pipe.write_end.reset();
    char c;
    EXPECT_EQ(::read(pipe.read_end, &c, 1), 1);
    EXPECT_EQ(::read(pipe.read_end, &c, 1), 0);
}

TEST(Pipes, write_without_readers_gives_epipe_and_sigpipe)
{
    Pipe pipe;
    pipe.read_end.reset();
    EXPECT_EQ(wait_for(start([&] { (void)!::write(pipe.write_end, "x", 1); })), killed_by(SIGPIPE));
    set_handler(SIGPIPE, SIG_IGN);
    EXPECT_ERROR(::write(pipe.write_end, "x", 1), EPIPE);
}

TEST(Pipes, blocked_writer_is_told_when_the_reader_goes)
{
    Pipe pipe;
    pid_t child = start([&] {
        pipe.read_end.reset();
        set_handler(SIGPIPE, SIG_IGN);
        std::string much(2 * kCapacity, 'x');
        EXPECT_EQ(::write(pipe.write_end, much.data(), much.size()), ssize_t(kCapacity));
        EXPECT_ERROR(::write(pipe.write_end, "x", 1), EPIPE);
    });
    wait_until_sleeping(child);
    pipe.read_end.reset();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST(Pipes, ends_have_one_direction)
{
    Pipe pipe;
    char c;
    EXPECT_ERROR(::write(pipe.read_end, "x", 1), EBADF);
    EXPECT_ERROR(::read(pipe.write_end, &c, 1), EBADF);
}

TEST(Pipes, flags)
{
    Pipe pipe(O_NONBLOCK | O_CLOEXEC);
    EXPECT_EQ(::fcntl(pipe.read_end, F_GETFD), FD_CLOEXEC);
    EXPECT_TRUE(::fcntl(pipe.write_end, F_GETFL) & O_NONBLOCK);
    int ends[2];
    EXPECT_ERROR(::pipe2(ends, O_APPEND), EINVAL);
    EXPECT_EQ(raw(SYS_pipe, 8), -EFAULT);
}

TEST(Pipes, nonblocking)
{
    Pipe pipe(O_NONBLOCK);
    char buffer[kPage] = {};
    EXPECT_ERROR(::read(pipe.read_end, buffer, 1), EAGAIN);
    size_t total = 0;
    ssize_t n;
    while ((n = ::write(pipe.write_end, buffer, sizeof buffer)) > 0)
        total += size_t(n);
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(total, kCapacity);
    // A small write is all or nothing.
    ASSERT_EQ(::read(pipe.read_end, buffer, sizeof buffer), ssize_t(sizeof buffer));
    EXPECT_EQ(::write(pipe.write_end, buffer, sizeof buffer), ssize_t(sizeof buffer));
    EXPECT_ERROR(::write(pipe.write_end, buffer, 1), EAGAIN);
}

TEST(Pipes, large_nonblocking_write_is_partial)
{
    Pipe pipe(O_NONBLOCK);
    std::string much(kCapacity + 1000, 'x');
    EXPECT_EQ(::write(pipe.write_end, much.data(), much.size()), ssize_t(kCapacity));
}

TEST(Pipes, capacity_can_be_changed)
{
    Pipe pipe(O_NONBLOCK);
    EXPECT_EQ(::fcntl(pipe.read_end, F_GETPIPE_SZ), int(kCapacity));
    EXPECT_EQ(::fcntl(pipe.write_end, F_SETPIPE_SZ, 5000), 8192);
    std::string much(kCapacity, 'x');
    EXPECT_EQ(::write(pipe.write_end, much.data(), much.size()), 8192);
    EXPECT_ERROR(::fcntl(pipe.write_end, F_SETPIPE_SZ, 4096), EBUSY);
    EXPECT_EQ(::fcntl(pipe.write_end, F_SETPIPE_SZ, 1 << 20), 1 << 20);
    EXPECT_EQ(::write(pipe.write_end, much.data(), much.size()), ssize_t(kCapacity));
    as_ordinary_user([&] { EXPECT_ERROR(::fcntl(pipe.write_end, F_SETPIPE_SZ, 64 << 20), EPERM); });
}

TEST(Pipes, waiting_bytes_are_counted)
{
    Pipe pipe;
    int n = -1;
    ASSERT_EQ(::ioctl(pipe.read_end, FIONREAD, &n), 0);
    EXPECT_EQ(n, 0);
    ASSERT_EQ(::write(pipe.write_end, "12345", 5), 5);
    ASSERT_EQ(::ioctl(pipe.read_end, FIONREAD, &n), 0);
    EXPECT_EQ(n, 5);
}

TEST(Pipes, small_writes_are_atomic)
{
    Pipe pipe;
    constexpr int kWriters = 4, kWrites = 50;
    pid_t children[kWriters];
    for (int i = 0; i < kWriters; i++)
        children[i] = start([&] {
            std::string block(PIPE_BUF, char('a' + i));
            for (int j = 0; j < kWrites; j++)
                ASSERT_EQ(::write(pipe.write_end, block.data(), block.size()), ssize_t(block.size()));
        });
    pipe.write_end.reset();
    std::string all = read_all(pipe.read_end);
    for (pid_t child : children)
        EXPECT_EQ(wait_for(child), exited(0));
    ASSERT_EQ(all.size(), size_t(kWriters * kWrites * PIPE_BUF));
    for (size_t i = 0; i < all.size(); i += PIPE_BUF)
        ASSERT_EQ(all.substr(i, PIPE_BUF), std::string(PIPE_BUF, all[i])) << "mixed within one write";
}

TEST(Pipes, megabytes_between_processes)
{
    Pipe pipe;
    constexpr size_t kTotal = 8 << 20;
    pid_t child = start([&] {
        std::string block(100'000, 0);
        uint32_t state = 1;
        for (size_t sent = 0; sent < kTotal;) {
            for (char& c : block)
                c = char((state = state * 1664525 + 1013904223) >> 24);
            size_t n = std::min(block.size(), kTotal - sent);
            ASSERT_EQ(::write(pipe.write_end, block.data(), n), ssize_t(n));
            sent += n;
        }
    });
    pipe.write_end.reset();
    std::string all = read_all(pipe.read_end);
    EXPECT_EQ(wait_for(child), exited(0));
    ASSERT_EQ(all.size(), kTotal);
    uint32_t state = 1;
    for (char c : all)
        ASSERT_EQ(c, char((state = state * 1664525 + 1013904223) >> 24));
}

TEST(Pipes, status)
{
    Pipe pipe;
    struct stat info { };
    ASSERT_EQ(::fstat(pipe.read_end, &info), 0);
    EXPECT_TRUE(S_ISFIFO(info.st_mode));
    std::string name = "/proc/self/fd/" + std::to_string(int(pipe.read_end));
    char target[64] = {};
    ASSERT_GT(::readlink(name.c_str(), target, sizeof target), 0);
    EXPECT_EQ(target, "pipe:[" + std::to_string(info.st_ino) + "]");
}

TEST(Pipes, packet_mode_keeps_boundaries)
{
    Pipe pipe(O_DIRECT);
    ASSERT_EQ(::write(pipe.write_end, "abc", 3), 3);
    ASSERT_EQ(::write(pipe.write_end, "de", 2), 2);
    char buffer[16];
    EXPECT_EQ(::read(pipe.read_end, buffer, 16), 3);
    EXPECT_EQ(::read(pipe.read_end, buffer, 1), 1);
}

class Fifo : public InScratchDirectory {
protected:
    Fifo() { EXPECT_EQ(::mkfifo("fifo", 0600), 0); }
};

TEST_F(Fifo, opening_waits_for_the_other_side)
{
    pid_t child = start([] {
        Fd writer = ::open("fifo", O_WRONLY);
        ASSERT_EQ(::write(writer, "hi", 2), 2);
    });
    wait_until_sleeping(child);
    Fd reader = ::open("fifo", O_RDONLY);
    EXPECT_EQ(read_all(reader), "hi");
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Fifo, reader_waits_for_a_writer)
{
    pid_t child = start([] {
        Fd reader = ::open("fifo", O_RDONLY);
        EXPECT_EQ(read_all(reader), "ho");
    });
    wait_until_sleeping(child);
    {
        Fd writer = ::open("fifo", O_WRONLY);
        ASSERT_EQ(::write(writer, "ho", 2), 2);
    }
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Fifo, nonblocking_open)
{
    EXPECT_ERROR(::open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    Fd reader = ::open("fifo", O_RDONLY | O_NONBLOCK);
    ASSERT_OK(reader);
    char c;
    EXPECT_EQ(::read(reader, &c, 1), 0) << "no writer: end of file, not EAGAIN";
    Fd writer = ::open("fifo", O_WRONLY | O_NONBLOCK);
    ASSERT_OK(writer);
    EXPECT_ERROR(::read(reader, &c, 1), EAGAIN);
}

TEST_F(Fifo, read_write_open_never_waits)
{
    Fd both = ::open("fifo", O_RDWR);
    ASSERT_OK(both);
    ASSERT_EQ(::write(both, "x", 1), 1);
    char c;
    EXPECT_EQ(::read(both, &c, 1), 1);
}

TEST_F(Fifo, contents_go_with_the_last_descriptor)
{
    {
        Fd both = ::open("fifo", O_RDWR);
        ASSERT_EQ(::write(both, "x", 1), 1);
    }
    Fd both = ::open("fifo", O_RDWR | O_NONBLOCK);
    char c;
    EXPECT_ERROR(::read(both, &c, 1), EAGAIN);
}

TEST_F(Fifo, poll_shows_hangup_once_a_writer_has_been)
{
    Fd reader = ::open("fifo", O_RDONLY | O_NONBLOCK);
    pollfd event { reader, POLLIN, 0 };
    EXPECT_EQ(::poll(&event, 1, 0), 0);
    {
        Fd writer = ::open("fifo", O_WRONLY);
    }
    EXPECT_EQ(::poll(&event, 1, 0), 1);
    EXPECT_EQ(event.revents, POLLHUP);
}

TEST_F(Fifo, unlinked_fifo_still_works)
{
    Fd both = ::open("fifo", O_RDWR);
    ASSERT_EQ(::unlink("fifo"), 0);
    ASSERT_EQ(::write(both, "x", 1), 1);
    char c;
    EXPECT_EQ(::read(both, &c, 1), 1);
}

} // namespace
} // namespace abi_test
