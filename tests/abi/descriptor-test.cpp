// SPDX-License-Identifier: GPL-2.0-or-later
// Descriptors: dup(2), fcntl(2), close(2), close_range(2), their limit, and EBADF wherever a wrong number can
// go.
#include "abi-test.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <vector>

namespace abi_test {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(Descriptor, lowest_free_number_is_used)
{
    int one = ::open("/dev/null", O_RDONLY), two = ::open("/dev/null", O_RDONLY);
    ASSERT_LT(one, two);
    ASSERT_EQ(::close(one), 0);
    EXPECT_EQ(::dup(two), one);
}

TEST(Descriptor, dup_shares_offset_and_flags_but_not_cloexec)
{
    ScratchDirectory scratch;
    write_file("f", "abc");
    Fd one = ::open("f", O_RDONLY | O_CLOEXEC), two = ::dup(one);
    EXPECT_EQ(::fcntl(two, F_GETFD), 0);
    char c;
    ASSERT_EQ(::read(one, &c, 1), 1);
    EXPECT_EQ(::lseek(two, 0, SEEK_CUR), 1);
    ASSERT_EQ(::fcntl(one, F_SETFL, O_NONBLOCK), 0);
    EXPECT_TRUE(::fcntl(two, F_GETFL) & O_NONBLOCK);
}

TEST(Descriptor, separate_opens_are_separate)
{
    ScratchDirectory scratch;
    write_file("f", "abc");
    Fd one = ::open("f", O_RDONLY), two = ::open("f", O_RDONLY);
    char c;
    ASSERT_EQ(::read(one, &c, 1), 1);
    EXPECT_EQ(::lseek(two, 0, SEEK_CUR), 0);
}

TEST(Descriptor, dup2_replaces)
{
    Pipe pipe;
    Fd null = ::open("/dev/null", O_RDWR);
    EXPECT_EQ(::dup2(null, pipe.read_end), int(pipe.read_end));
    // The old read end is gone: nobody reads.
    set_handler(SIGPIPE, SIG_IGN);
    EXPECT_ERROR(::write(pipe.write_end, "x", 1), EPIPE);
    EXPECT_EQ(::dup2(null, null), int(null));
    EXPECT_EQ(::dup2(null, 200), 200);
    EXPECT_TRUE(is_open(200));
}

TEST(Descriptor, dup2_errors)
{
    Fd null = ::open("/dev/null", O_RDWR);
    EXPECT_ERROR(::dup2(999, 5), EBADF);
    EXPECT_ERROR(::dup2(999, 999), EBADF);
    EXPECT_ERROR(::dup2(null, -1), EBADF);
    EXPECT_ERROR(::dup2(null, 0x7fff'ffff), EBADF);
    EXPECT_ERROR(::dup3(null, null, 0), EINVAL);
    EXPECT_ERROR(::dup3(null, 200, O_NONBLOCK), EINVAL);
    EXPECT_EQ(::dup3(null, 200, O_CLOEXEC), 200);
    EXPECT_EQ(::fcntl(200, F_GETFD), FD_CLOEXEC);
}

TEST(Descriptor, dupfd_starts_at_a_number)
{
    Fd null = ::open("/dev/null", O_RDWR);
    EXPECT_EQ(::fcntl(null, F_DUPFD, 100), 100);
    EXPECT_EQ(::fcntl(null, F_DUPFD, 100), 101);
    EXPECT_EQ(::fcntl(null, F_DUPFD_CLOEXEC, 100), 102);
    EXPECT_EQ(::fcntl(102, F_GETFD), FD_CLOEXEC);
    EXPECT_ERROR(::fcntl(null, F_DUPFD, -1), EINVAL);
    EXPECT_ERROR(::fcntl(null, F_DUPFD, 0x7fff'ffff), EINVAL);
}

TEST(Descriptor, unknown_fcntl_is_refused)
{
    Fd null = ::open("/dev/null", O_RDWR);
    EXPECT_ERROR(::fcntl(null, 9999), EINVAL);
    EXPECT_ERROR(::fcntl(999, F_GETFD), EBADF);
}

TEST(Descriptor, close_twice)
{
    int fd = ::open("/dev/null", O_RDONLY);
    EXPECT_EQ(::close(fd), 0);
    EXPECT_ERROR(::close(fd), EBADF);
    EXPECT_ERROR(::close(-1), EBADF);
}

TEST(Descriptor, close_range_closes_a_range)
{
    Fd null = ::open("/dev/null", O_RDWR);
    for (int fd = 100; fd < 110; fd++)
        ASSERT_EQ(::dup2(null, fd), fd);
    EXPECT_EQ(raw(SYS_close_range, 102, 105, 0), 0);
    for (int fd = 100; fd < 110; fd++)
        EXPECT_EQ(is_open(fd), fd < 102 || fd > 105) << fd;
    EXPECT_EQ(raw(SYS_close_range, 100, ~0u, 1 << 2), 0); // CLOSE_RANGE_CLOEXEC
    EXPECT_EQ(::fcntl(109, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(raw(SYS_close_range, 5, 4, 0), -EINVAL);
    EXPECT_EQ(raw(SYS_close_range, 100, ~0u, 0x80), -EINVAL);
    EXPECT_EQ(raw(SYS_close_range, 100, ~0u, 0), 0);
    EXPECT_FALSE(is_open(109));
}

TEST(Descriptor, limit_gives_emfile)
{
    rlimit few { 64, 64 };
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    std::vector<int> open;
    int fd;
    while ((fd = ::open("/dev/null", O_RDONLY)) >= 0)
        open.push_back(fd);
    EXPECT_EQ(errno, EMFILE);
    ASSERT_FALSE(open.empty());
    EXPECT_EQ(open.back(), 63);
    int ends[2];
    EXPECT_ERROR(::pipe(ends), EMFILE);
    EXPECT_ERROR(::dup(0), EMFILE);
    EXPECT_ERROR(::dup2(0, 64), EBADF);
    // With room for one end only, pipe takes none.
    ASSERT_EQ(::close(open.back()), 0);
    EXPECT_ERROR(::pipe(ends), EMFILE);
    EXPECT_GE(::open("/dev/null", O_RDONLY), 0);
}

TEST(Descriptor, descriptors_above_a_lowered_limit_stay)
{
    Fd null = ::open("/dev/null", O_RDONLY);
    ASSERT_EQ(::dup2(null, 200), 200);
    rlimit few { 64, 64 };
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    EXPECT_TRUE(is_open(200));
    EXPECT_EQ(::close(200), 0);
}

TEST(Descriptor, a_thousand_at_once)
{
    rlimit limit;
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    int last = -1;
    for (int i = 0; i < 1000; i++)
        ASSERT_OK(last = ::open("/dev/null", O_RDONLY));
    EXPECT_GE(last, 1000);
    in_child([=] { EXPECT_TRUE(is_open(last)); });
}

TEST(Descriptor, bad_number_gives_ebadf_everywhere)
{
    char buffer[256] = {};
    iovec part { buffer, 1 };
    epoll_event event {};
    itimerspec never {};
    Pipe pipe;
    for (long bad : { -1L, 999L }) {
        struct Call {
            char const* name;
            long result;
        } const calls[] = {
            { "read", raw(SYS_read, bad, buffer, 1) },
            { "write", raw(SYS_write, bad, buffer, 1) },
            { "pread", raw(SYS_pread64, bad, buffer, 1, 0) },
            { "pwrite", raw(SYS_pwrite64, bad, buffer, 1, 0) },
            { "readv", raw(SYS_readv, bad, &part, 1) },
            { "writev", raw(SYS_writev, bad, &part, 1) },
            { "fstat", raw(SYS_fstat, bad, buffer) },
            { "lseek", raw(SYS_lseek, bad, 0, 0) },
            { "ioctl", raw(SYS_ioctl, bad, TCGETS, buffer) },
            { "fcntl", raw(SYS_fcntl, bad, F_GETFL) },
            { "flock", raw(SYS_flock, bad, LOCK_EX) },
            { "fsync", raw(SYS_fsync, bad) },
            { "ftruncate", raw(SYS_ftruncate, bad, 0) },
            { "fallocate", raw(SYS_fallocate, bad, 0, 0, 1) },
            { "getdents64", raw(SYS_getdents64, bad, buffer, sizeof buffer) },
            { "fchdir", raw(SYS_fchdir, bad) },
            { "fchmod", raw(SYS_fchmod, bad, 0600) },
            { "fchown", raw(SYS_fchown, bad, -1, -1) },
            { "fstatfs", raw(SYS_fstatfs, bad, buffer) },
            { "openat", raw(SYS_openat, bad, "x", O_RDONLY) },
            { "mkdirat", raw(SYS_mkdirat, bad, "x", 0700) },
            { "unlinkat", raw(SYS_unlinkat, bad, "x", 0) },
            { "renameat", raw(SYS_renameat, bad, "x", bad, "y") },
            { "linkat", raw(SYS_linkat, bad, "x", bad, "y", 0) },
            { "symlinkat", raw(SYS_symlinkat, "x", bad, "y") },
            { "readlinkat", raw(SYS_readlinkat, bad, "x", buffer, sizeof buffer) },
            { "dup", raw(SYS_dup, bad) },
            { "sendfile", raw(SYS_sendfile, bad, bad, 0, 1) },
            { "splice", raw(SYS_splice, bad, 0, int(pipe.write_end), 0, 1, 0) },
            { "tee", raw(SYS_tee, bad, int(pipe.write_end), 1, 0) },
            { "epoll_ctl", raw(SYS_epoll_ctl, bad, EPOLL_CTL_ADD, 0, &event) },
            { "epoll_wait", raw(SYS_epoll_wait, bad, &event, 1, 0) },
            { "fgetxattr", raw(SYS_fgetxattr, bad, "user.x", buffer, 1) },
            { "futimens", raw(SYS_utimensat, bad, 0, 0, 0) },
            { "mmap", raw(SYS_mmap, 0, kPage, 1, 2, bad, 0) },
            { "timerfd_settime", raw(SYS_timerfd_settime, bad, 0, &never, 0) },
            { "getsockname", raw(SYS_getsockname, bad, buffer, buffer) },
            { "bind", raw(SYS_bind, bad, buffer, 16) },
            { "sendto", raw(SYS_sendto, bad, buffer, 1, 0, 0, 0) },
        };
        for (auto const& call : calls)
            EXPECT_EQ(call.result, -EBADF) << call.name << "(" << bad << ")";
    }
}

TEST(Descriptor, nonblocking_by_ioctl)
{
    Pipe pipe;
    int on = 1;
    ASSERT_EQ(::ioctl(pipe.read_end, FIONBIO, &on), 0);
    char c;
    EXPECT_ERROR(::read(pipe.read_end, &c, 1), EAGAIN);
    ASSERT_EQ(::ioctl(pipe.read_end, FIOCLEX), 0);
    EXPECT_EQ(::fcntl(pipe.read_end, F_GETFD), FD_CLOEXEC);
    ASSERT_EQ(::ioctl(pipe.read_end, FIONCLEX), 0);
    EXPECT_EQ(::fcntl(pipe.read_end, F_GETFD), 0);
}

TEST(Descriptor, not_a_terminal)
{
    Pipe pipe;
    char buffer[256];
    EXPECT_EQ(raw(SYS_ioctl, int(pipe.read_end), TCGETS, buffer), -ENOTTY);
    EXPECT_FALSE(::isatty(pipe.read_end));
    Fd null = ::open("/dev/null", O_RDWR);
    EXPECT_EQ(raw(SYS_ioctl, int(null), TCGETS, buffer), -ENOTTY);
}

TEST(Descriptor, passed_over_a_socket)
{
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    Fd left = ends[0], right = ends[1];
    Pipe pipe;
    char control[CMSG_SPACE(sizeof(int))] = {}, byte = 'x';
    iovec part { &byte, 1 };
    msghdr message {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    int sent = pipe.write_end;
    std::memcpy(CMSG_DATA(header), &sent, sizeof sent);
    ASSERT_EQ(::sendmsg(left, &message, 0), 1);
    pipe.write_end.reset();
    std::memset(control, 0, sizeof control);
    ASSERT_EQ(::recvmsg(right, &message, MSG_CMSG_CLOEXEC), 1);
    int received = -1;
    std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
    Fd owned = received;
    EXPECT_EQ(::fcntl(received, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(::write(received, "y", 1), 1);
    char c = 0;
    EXPECT_EQ(::read(pipe.read_end, &c, 1), 1);
    EXPECT_EQ(c, 'y');
}

TEST(Device, null_zero_full_random)
{
    Fd null = ::open("/dev/null", O_RDWR), zero = ::open("/dev/zero", O_RDWR),
       full = ::open("/dev/full", O_RDWR);
    char buffer[64];
    EXPECT_EQ(::read(null, buffer, sizeof buffer), 0);
    EXPECT_EQ(::write(null, buffer, sizeof buffer), ssize_t(sizeof buffer));
    std::memset(buffer, 1, sizeof buffer);
    EXPECT_EQ(::read(zero, buffer, sizeof buffer), ssize_t(sizeof buffer));
    EXPECT_EQ(buffer[63], 0);
    EXPECT_EQ(::write(zero, buffer, 10), 10);
    EXPECT_EQ(::read(full, buffer, 10), 10);
    EXPECT_ERROR(::write(full, buffer, 10), ENOSPC);
    for (char const* name : { "/dev/random", "/dev/urandom" }) {
        Fd fd = ::open(name, O_RDONLY);
        char one[32] = {}, two[32] = {};
        EXPECT_EQ(::read(fd, one, 32), 32);
        EXPECT_EQ(::read(fd, two, 32), 32);
        EXPECT_NE(std::memcmp(one, two, 32), 0);
    }
}

TEST(Device, standard_links)
{
    char target[64] = {};
    EXPECT_GT(::readlink("/dev/fd", target, sizeof target), 0);
    EXPECT_STREQ(target, "/proc/self/fd");
    Pipe pipe;
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    struct stat status;
    ASSERT_EQ(::fstat(pipe.write_end, &status), 0);
    EXPECT_EQ(status.st_uid, ::geteuid());
    EXPECT_EQ(status.st_gid, ::getegid());
    std::string name = "/dev/fd/" + std::to_string(int(pipe.read_end));
    Fd again = ::open(name.c_str(), O_RDONLY);
    char c;
    EXPECT_EQ(::read(again, &c, 1), 1);
    EXPECT_ERROR(::open("/dev/tty", O_RDWR), ENXIO);
}

using DescriptorOfFile = InScratchDirectory;

TEST_F(DescriptorOfFile, who_created_the_file)
{
    constexpr int kCreatedQuery = 1028;
    Fd null = ::open("/dev/null", O_RDONLY);
    if (::fcntl(null, kCreatedQuery, 0) == -1 && errno == EINVAL) SKIP_AS_HOST_LACKS("F_CREATED_QUERY");
    EXPECT_EQ(::fcntl(null, kCreatedQuery, 0), 0);
    Fd made = ::open("new", O_CREAT | O_RDONLY, 0600), again = ::open("new", O_CREAT | O_RDONLY, 0600);
    EXPECT_EQ(::fcntl(made, kCreatedQuery, 0), 1);
    EXPECT_EQ(::fcntl(again, kCreatedQuery, 0), 0);
    Fd copy = ::dup(made);
    EXPECT_EQ(::fcntl(copy, kCreatedQuery, 0), 1);
}

TEST(Descriptor, devices_without_content_have_no_places)
{
    for (char const* name : { "/dev/null", "/dev/zero", "/dev/full", "/dev/urandom" }) {
        Fd device = ::open(name, O_RDWR);
        for (off_t offset : { off_t(5), off_t(-7), off_t(INT64_MIN) })
            for (int whence : { SEEK_SET, SEEK_CUR, SEEK_END })
                EXPECT_EQ(::lseek(device, offset, whence), 0) << name << " " << offset << " " << whence;
        char c = 0;
        EXPECT_OK(::read(device, &c, 1));
        EXPECT_OK(::pread(device, &c, 1, 1 << 20));
        EXPECT_EQ(::lseek(device, 0, SEEK_CUR), 0) << name;
    }
}

} // namespace
} // namespace abi_test
