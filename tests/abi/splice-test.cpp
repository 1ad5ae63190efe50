// SPDX-License-Identifier: GPL-2.0-or-later
// splice(2), tee(2), vmsplice(2).
#include "abi-test.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

namespace abi_test {
namespace {

struct Splice : InScratchDirectory { };

std::string take(int fd, size_t limit = 100)
{
    std::string text(limit, '\0');
    ssize_t count = ::read(fd, text.data(), limit);
    EXPECT_GE(count, 0) << std::strerror(errno);
    text.resize(count < 0 ? 0 : size_t(count));
    return text;
}

TEST_F(Splice, file_to_pipe_moves_the_position_or_the_offset)
{
    write_file("f", "0123456789");
    Fd file = ::open("f", O_RDONLY);
    Pipe pipe;
    EXPECT_EQ(::splice(file, nullptr, pipe.write_end, nullptr, 4, 0), 4);
    EXPECT_EQ(::lseek(file, 0, SEEK_CUR), 4);
    loff_t offset = 7;
    EXPECT_EQ(::splice(file, &offset, pipe.write_end, nullptr, 100, 0), 3);
    EXPECT_EQ(offset, 10);
    EXPECT_EQ(::lseek(file, 0, SEEK_CUR), 4);
    EXPECT_EQ(take(pipe.read_end), "0123789");
    EXPECT_EQ(::splice(file, &offset, pipe.write_end, nullptr, 100, 0), 0) << "end of file";
}

TEST_F(Splice, pipe_to_file)
{
    Fd file = new_file("f");
    Pipe pipe;
    ASSERT_EQ(::write(pipe.write_end, "hello world", 11), 11);
    EXPECT_EQ(::splice(pipe.read_end, nullptr, file, nullptr, 5, 0), 5);
    loff_t offset = 20;
    EXPECT_EQ(::splice(pipe.read_end, nullptr, file, &offset, 100, 0), 6);
    EXPECT_EQ(offset, 26);
    EXPECT_EQ(read_file("f").substr(0, 5), "hello");
    EXPECT_EQ(read_file("f").substr(20), " world");
    pipe.write_end.reset();
    EXPECT_EQ(::splice(pipe.read_end, nullptr, file, nullptr, 5, 0), 0);
}

TEST_F(Splice, appending_files_refuse)
{
    Fd file = ::open("f", O_CREAT | O_WRONLY | O_APPEND, 0644);
    Pipe pipe;
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    EXPECT_ERROR(::splice(pipe.read_end, nullptr, file, nullptr, 1, 0), EINVAL);
}

TEST_F(Splice, large_file_through_a_pipe)
{
    std::string content(1 << 20, 'x');
    for (size_t i = 0; i < content.size(); i++)
        content[i] = char(i * 7 >> 3);
    write_file("from", content);
    Fd from = ::open("from", O_RDONLY), to = new_file("to");
    Pipe pipe;
    size_t total = 0;
    while (total < content.size()) {
        ssize_t in = ::splice(from, nullptr, pipe.write_end, nullptr, 1 << 20, 0);
        ASSERT_GT(in, 0);
        for (ssize_t left = in; left > 0;) {
            ssize_t out = ::splice(pipe.read_end, nullptr, to, nullptr, size_t(left), 0);
            ASSERT_GT(out, 0);
            left -= out;
        }
        total += size_t(in);
    }
    EXPECT_EQ(read_file("to"), content);
}

TEST(SplicePipes, pipe_to_pipe)
{
    Pipe a, b;
    ASSERT_EQ(::write(a.write_end, "abcdef", 6), 6);
    EXPECT_EQ(::splice(a.read_end, nullptr, b.write_end, nullptr, 4, 0), 4);
    EXPECT_EQ(take(b.read_end), "abcd");
    ASSERT_EQ(::write(a.write_end, "gh", 2), 2);
    EXPECT_EQ(take(a.read_end), "efgh");
    EXPECT_ERROR(::splice(a.read_end, nullptr, a.write_end, nullptr, 1, 0), EINVAL);
    EXPECT_ERROR(::splice(a.read_end, nullptr, b.write_end, nullptr, 1, SPLICE_F_NONBLOCK), EAGAIN);
}

TEST(SplicePipes, tee_keeps_the_bytes)
{
    Pipe a, b;
    ASSERT_EQ(::write(a.write_end, "abc", 3), 3);
    EXPECT_EQ(::tee(a.read_end, b.write_end, 2, 0), 2);
    ASSERT_EQ(::write(a.write_end, "def", 3), 3);
    ASSERT_EQ(::write(b.write_end, "XYZ", 3), 3);
    EXPECT_EQ(take(a.read_end), "abcdef");
    EXPECT_EQ(take(b.read_end), "abXYZ");
}

TEST(SplicePipes, vmsplice_both_ways)
{
    Pipe pipe;
    char one[] = "one", two[] = " two";
    iovec out[] = { { one, 3 }, { two, 4 } };
    EXPECT_EQ(::vmsplice(pipe.write_end, out, 2, 0), 7);
    char buffer[7];
    iovec in[] = { { buffer, 2 }, { buffer + 2, 5 } };
    EXPECT_EQ(::vmsplice(pipe.read_end, in, 2, 0), 7);
    EXPECT_EQ(std::string(buffer, 7), "one two");
    EXPECT_ERROR(::vmsplice(0x7fff, out, 2, 0), EBADF);
}

TEST(SplicePipes, errors)
{
    Pipe a, b;
    loff_t offset = 0;
    EXPECT_ERROR(::splice(a.read_end, &offset, b.write_end, nullptr, 1, 0), ESPIPE);
    EXPECT_ERROR(::splice(a.write_end, nullptr, b.write_end, nullptr, 1, 0), EBADF);
    EXPECT_ERROR(::splice(a.read_end, nullptr, b.write_end, nullptr, 1, 64), EINVAL);
    int pair[2];
    ASSERT_OK(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    Fd first = pair[0], second = pair[1];
    EXPECT_ERROR(::splice(first, nullptr, second, nullptr, 1, 0), EINVAL) << "no pipe in it";
}

TEST(SplicePipes, through_a_socket)
{
    Pipe pipe;
    int pair[2];
    ASSERT_OK(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    Fd first = pair[0], second = pair[1];
    ASSERT_EQ(::write(pipe.write_end, "bytes", 5), 5);
    EXPECT_EQ(::splice(pipe.read_end, nullptr, first, nullptr, 100, 0), 5);
    EXPECT_EQ(::splice(second, nullptr, pipe.write_end, nullptr, 100, 0), 5);
    EXPECT_EQ(take(pipe.read_end), "bytes");
}

TEST(SplicePipes, a_blocked_splice_is_woken)
{
    Pipe a, b;
    pid_t child = start([&] { EXPECT_EQ(::splice(a.read_end, nullptr, b.write_end, nullptr, 10, 0), 2); });
    wait_until_sleeping(child);
    ASSERT_EQ(::write(a.write_end, "go", 2), 2);
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_EQ(take(b.read_end), "go");
}

TEST(SplicePipes, without_readers)
{
    Pipe a, b;
    ASSERT_EQ(::write(a.write_end, "x", 1), 1);
    b.read_end.reset();
    set_handler(SIGPIPE, SIG_IGN);
    EXPECT_ERROR(::splice(a.read_end, nullptr, b.write_end, nullptr, 1, 0), EPIPE);
}

TEST(SplicePipes, files_of_records_refuse_at_once)
{
    Pipe p;
    sigset_t none = signals({});
    Fd event = ::eventfd(1, 0), timer = ::timerfd_create(CLOCK_MONOTONIC, 0),
       signal = ::signalfd(-1, &none, 0), inotify = ::inotify_init1(0), epoll = ::epoll_create1(0),
       pid = int(raw(SYS_pidfd_open, ::getpid(), 0));
    for (int fd : { int(event), int(timer), int(signal), int(inotify), int(epoll), int(pid) }) {
        EXPECT_ERROR(::splice(fd, nullptr, p.write_end, nullptr, 8, 0), EINVAL);
        int const wrong = fd == inotify ? EBADF : EINVAL; // which is open for reading only
        EXPECT_ERROR(::splice(p.read_end, nullptr, fd, nullptr, 8, 0), wrong);
    }
    Fd directory = ::open("/", O_RDONLY | O_DIRECTORY);
    EXPECT_ERROR(::splice(directory, nullptr, p.write_end, nullptr, 8, 0), EINVAL);
}

TEST(SplicePipes, into_devices_that_take_everything)
{
    for (char const* name : { "/dev/null", "/dev/zero" }) {
        Pipe p;
        std::string const bytes(1000, 'x');
        ASSERT_EQ(::write(p.write_end, bytes.data(), bytes.size()), 1000);
        Fd device = ::open(name, O_WRONLY);
        long const moved = ::splice(p.read_end, nullptr, device, nullptr, 1000, 0);
        if (moved == -1 && errno == EINVAL)
            SKIP_AS_HOST_LACKS("splice to " + std::string(name)); // before Linux 6.7
        EXPECT_EQ(moved, 1000) << name;
    }
}

} // namespace
} // namespace abi_test
