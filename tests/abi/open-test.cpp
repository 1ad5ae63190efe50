// SPDX-License-Identifier: GPL-2.0-or-later
// open(2) and its flags, reading, writing, seeking, truncating and allocating regular files.
#include "abi-test.h"

#include <climits>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

namespace abi_test {
namespace {

class Open : public InScratchDirectory { };
class ReadWrite : public InScratchDirectory { };

TEST_F(Open, creates_with_mode_and_umask)
{
    ::umask(027);
    Fd fd = ::open("f", O_CREAT | O_RDWR, 0777);
    ASSERT_OK(fd);
    EXPECT_EQ(mode_of("f"), 0750u);
    EXPECT_EQ(status_of("f").st_size, 0);
    EXPECT_EQ(status_of("f").st_uid, ::geteuid());
}

TEST_F(Open, created_read_only_file_can_be_written_through_the_first_descriptor)
{
    Fd fd = ::open("f", O_CREAT | O_RDWR, 0000);
    ASSERT_OK(fd);
    EXPECT_EQ(::write(fd, "x", 1), 1);
}

TEST_F(Open, missing_file) { EXPECT_ERROR(::open("none", O_RDONLY), ENOENT); }

TEST_F(Open, exclusive_creation)
{
    new_file("f");
    EXPECT_ERROR(::open("f", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    ASSERT_EQ(::symlink("nowhere", "dangling"), 0);
    EXPECT_ERROR(::open("dangling", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    ASSERT_EQ(::mkdir("d", 0700), 0);
    EXPECT_ERROR(::open("d", O_CREAT | O_EXCL | O_RDONLY, 0600), EEXIST);
}

TEST_F(Open, creation_follows_a_dangling_link)
{
    ASSERT_EQ(::symlink("target", "link"), 0);
    Fd fd = ::open("link", O_CREAT | O_RDWR, 0600);
    ASSERT_OK(fd);
    EXPECT_TRUE(S_ISREG(status_of("target").st_mode));
}

TEST_F(Open, truncates)
{
    write_file("f", "content");
    Fd fd = ::open("f", O_RDWR | O_TRUNC);
    ASSERT_OK(fd);
    EXPECT_EQ(status_of("f").st_size, 0);
}

TEST_F(Open, append_writes_at_the_end)
{
    write_file("f", "abc");
    Fd fd = ::open("f", O_RDWR | O_APPEND);
    ASSERT_EQ(::lseek(fd, 0, SEEK_SET), 0);
    ASSERT_EQ(::write(fd, "d", 1), 1);
    EXPECT_EQ(::lseek(fd, 0, SEEK_CUR), 4);
    // pwrite appends too: BUGS in pwrite(2).
    ASSERT_EQ(::pwrite(fd, "e", 1, 0), 1);
    EXPECT_EQ(read_file("f"), "abcde");
}

TEST_F(Open, two_appenders_do_not_overwrite_each_other)
{
    new_file("f");
    in_child([] {
        Fd fd = ::open("f", O_WRONLY | O_APPEND);
        pid_t other = start([] {
            Fd own = ::open("f", O_WRONLY | O_APPEND);
            for (int i = 0; i < 100; i++)
                ASSERT_EQ(::write(own, "bb\n", 3), 3);
        });
        for (int i = 0; i < 100; i++)
            ASSERT_EQ(::write(fd, "aa\n", 3), 3);
        EXPECT_EQ(wait_for(other), exited(0));
    });
    std::string text = read_file("f");
    ASSERT_EQ(text.size(), 600u);
    for (size_t i = 0; i < text.size(); i += 3)
        EXPECT_TRUE(text.compare(i, 3, "aa\n") == 0 || text.compare(i, 3, "bb\n") == 0);
}

TEST_F(Open, directory_flag)
{
    new_file("f");
    EXPECT_ERROR(::open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
    Fd here = ::open(".", O_RDONLY | O_DIRECTORY);
    EXPECT_OK(here);
}

TEST_F(Open, directories_cannot_be_written)
{
    EXPECT_ERROR(::open(".", O_WRONLY), EISDIR);
    EXPECT_ERROR(::open(".", O_RDWR), EISDIR);
    EXPECT_ERROR(::open(".", O_RDONLY | O_CREAT, 0600), EISDIR);
    Fd here = ::open(".", O_RDONLY);
    char c;
    EXPECT_ERROR(::read(here, &c, 1), EISDIR);
    EXPECT_ERROR(::write(here, &c, 1), EBADF);
}

TEST_F(Open, nofollow)
{
    new_file("f");
    ASSERT_EQ(::symlink("f", "link"), 0);
    EXPECT_ERROR(::open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    EXPECT_ERROR(::open("link", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
    Fd fd = ::open("f", O_RDONLY | O_NOFOLLOW);
    EXPECT_OK(fd);
}

TEST_F(Open, nofollow_concerns_the_last_component_only)
{
    ASSERT_EQ(::mkdir("d", 0700), 0);
    new_file("d/f");
    ASSERT_EQ(::symlink("d", "link"), 0);
    Fd fd = ::open("link/f", O_RDONLY | O_NOFOLLOW);
    EXPECT_OK(fd);
}

TEST_F(Open, path_descriptor_names_but_does_not_read)
{
    write_file("f", "x", 0000);
    Fd fd = ::open("f", O_PATH);
    ASSERT_OK(fd);
    char c;
    EXPECT_ERROR(::read(fd, &c, 1), EBADF);
    EXPECT_ERROR(::write(fd, &c, 1), EBADF);
    EXPECT_ERROR(::fchmod(fd, 0600), EBADF);
    EXPECT_ERROR(::lseek(fd, 0, SEEK_SET), EBADF);
    EXPECT_ERROR(::ftruncate(fd, 0), EBADF);
    EXPECT_EQ(raw(SYS_ioctl, int(fd), 0, 0), -EBADF);
    struct stat info;
    EXPECT_EQ(::fstat(fd, &info), 0);
    EXPECT_TRUE(S_ISREG(info.st_mode));
    EXPECT_EQ(::fcntl(fd, F_GETFL) & O_PATH, O_PATH);
    Fd copy = ::dup(fd);
    EXPECT_OK(copy);
}

TEST_F(Open, path_descriptor_of_a_symlink)
{
    ASSERT_EQ(::symlink("nowhere", "link"), 0);
    Fd fd = ::open("link", O_PATH | O_NOFOLLOW);
    ASSERT_OK(fd);
    struct stat info;
    ASSERT_EQ(::fstat(fd, &info), 0);
    EXPECT_TRUE(S_ISLNK(info.st_mode));
    char target[32] = {};
    EXPECT_EQ(::readlinkat(fd, "", target, sizeof target), 7);
    EXPECT_STREQ(target, "nowhere");
}

TEST_F(Open, temporary_file_has_no_name)
{
    Fd fd = ::open(".", O_TMPFILE | O_RDWR, 0600);
    if (fd < 0 && errno == EOPNOTSUPP) SKIP_AS_HOST_LACKS("O_TMPFILE here");
    ASSERT_OK(fd);
    struct stat info;
    ASSERT_EQ(::fstat(fd, &info), 0);
    EXPECT_EQ(info.st_nlink, 0u);
    ASSERT_EQ(::write(fd, "tmp", 3), 3);
    std::string self = "/proc/self/fd/" + std::to_string(int(fd));
    ASSERT_EQ(::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0);
    EXPECT_EQ(read_file("named"), "tmp");
    Fd sealed = ::open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
    self = "/proc/self/fd/" + std::to_string(int(sealed));
    EXPECT_ERROR(::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, "other", AT_SYMLINK_FOLLOW), ENOENT);
    EXPECT_ERROR(::open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
}

TEST_F(Open, status_flags_are_kept)
{
    Fd fd = ::open("f", O_CREAT | O_EXCL | O_RDWR | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0600);
    int flags = ::fcntl(fd, F_GETFL);
    EXPECT_EQ(flags & O_ACCMODE, O_RDWR);
    EXPECT_EQ(flags & (O_APPEND | O_NONBLOCK), O_APPEND | O_NONBLOCK);
    // Creation flags are not.
    EXPECT_EQ(flags & (O_CREAT | O_EXCL), 0);
    EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(::fcntl(fd, F_SETFL, O_RDONLY), 0);
    EXPECT_EQ(::fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_RDWR);
}

TEST_F(Open, access_mode_is_enforced)
{
    write_file("f", "abc");
    Fd reader = ::open("f", O_RDONLY), writer = ::open("f", O_WRONLY);
    char c;
    EXPECT_ERROR(::write(reader, "x", 1), EBADF);
    EXPECT_ERROR(::read(writer, &c, 1), EBADF);
    EXPECT_ERROR(::ftruncate(reader, 0), EINVAL);
}

TEST_F(Open, openat_relative_to_a_directory)
{
    ASSERT_EQ(::mkdir("d", 0700), 0);
    write_file("d/f", "inside");
    Fd directory = ::open("d", O_RDONLY | O_DIRECTORY), file = ::open("d/f", O_RDONLY);
    Fd fd = ::openat(directory, "f", O_RDONLY);
    EXPECT_EQ(read_all(fd), "inside");
    EXPECT_ERROR(::openat(file, "f", O_RDONLY), ENOTDIR);
    EXPECT_ERROR(::openat(999, "f", O_RDONLY), EBADF);
    Fd absolute = ::openat(999, (scratch_.path() + "/d/f").c_str(), O_RDONLY);
    EXPECT_OK(absolute);
    EXPECT_ERROR(::openat(directory, "", O_RDONLY), ENOENT);
}

struct OpenHow {
    uint64_t flags, mode, resolve;
};

TEST_F(Open, openat2_resolution_limits)
{
    ASSERT_EQ(::mkdir("d", 0700), 0);
    write_file("d/f", "x");
    ASSERT_EQ(::symlink("f", "d/link"), 0);
    ASSERT_EQ(::symlink("../d/f", "d/out"), 0);
    Fd directory = ::open("d", O_RDONLY);
    auto attempt = [&](char const* path, uint64_t resolve) {
        OpenHow how { O_RDONLY, 0, resolve };
        long fd = raw(SYS_openat2, int(directory), path, &how, sizeof how);
        if (fd >= 0) ::close(int(fd));
        return fd;
    };
    constexpr uint64_t kNoSymlinks = 4, kBeneath = 8, kInRoot = 16;
    EXPECT_GE(attempt("f", kBeneath), 0);
    EXPECT_GE(attempt("link", kBeneath), 0);
    EXPECT_EQ(attempt("link", kNoSymlinks), -ELOOP);
    EXPECT_EQ(attempt("../d/f", kBeneath), -EXDEV);
    EXPECT_EQ(attempt("out", kBeneath), -EXDEV);
    EXPECT_GE(attempt("/f", kInRoot), 0);
    EXPECT_GE(attempt("../../f", kInRoot), 0);
    EXPECT_EQ(attempt("f", 0x1000), -EINVAL);
    OpenHow bad { O_RDONLY, 0600, 0 };
    EXPECT_EQ(raw(SYS_openat2, int(directory), "f", &bad, sizeof bad), -EINVAL);
    EXPECT_EQ(raw(SYS_openat2, int(directory), "f", &bad, 8), -EINVAL);
}

TEST_F(Open, text_busy)
{
    // A file that is being written cannot run, one that runs cannot be written.
    write_file("program", read_file("/proc/self/exe"), 0755);
    {
        Fd writer = ::open("program", O_WRONLY);
        in_child([] {
            ::execl("./program", "program", "--helper", "exit", "0", nullptr);
            EXPECT_EQ(errno, ETXTBSY);
        });
    }
    Pipe input;
    pid_t child = start([&] {
        ::dup2(input.read_end, STDIN_FILENO);
        input.write_end.reset();
        ::execl("./program", "program", "--helper", "wait-for-input", nullptr);
    });
    std::string exe = "/proc/" + std::to_string(child) + "/exe";
    char target[PATH_MAX] = {};
    while (::readlink(exe.c_str(), target, sizeof target - 1) > 0 && !std::strstr(target, "/program"))
        ::usleep(1000);
    EXPECT_ERROR(::open("program", O_WRONLY), ETXTBSY);
    input.write_end.reset();
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(ReadWrite, offset_moves)
{
    write_file("f", "abcdef");
    Fd fd = ::open("f", O_RDWR);
    char buffer[8] = {};
    EXPECT_EQ(::read(fd, buffer, 2), 2);
    EXPECT_EQ(::write(fd, "XY", 2), 2);
    EXPECT_EQ(::read(fd, buffer, 8), 2);
    EXPECT_EQ(::read(fd, buffer, 8), 0);
    EXPECT_EQ(read_file("f"), "abXYef");
}

TEST_F(ReadWrite, pread_and_pwrite_leave_the_offset)
{
    write_file("f", "abcdef");
    Fd fd = ::open("f", O_RDWR);
    char c = 0;
    EXPECT_EQ(::pread(fd, &c, 1, 3), 1);
    EXPECT_EQ(c, 'd');
    EXPECT_EQ(::pwrite(fd, "Z", 1, 5), 1);
    EXPECT_EQ(::lseek(fd, 0, SEEK_CUR), 0);
    EXPECT_EQ(::pread(fd, &c, 1, 100), 0);
    EXPECT_ERROR(::pread(fd, &c, 1, -1), EINVAL);
    EXPECT_ERROR(::pwrite(fd, &c, 1, -1), EINVAL);
}

TEST_F(ReadWrite, vectors)
{
    Fd fd = new_file("f");
    char one[] = "abc", two[] = "", three[] = "defg";
    iovec out[] = { { one, 3 }, { two, 0 }, { three, 4 } };
    EXPECT_EQ(::writev(fd, out, 3), 7);
    char left[5] = {}, right[10] = {};
    iovec in[] = { { left, 4 }, { right, 9 } };
    EXPECT_EQ(::preadv(fd, in, 2, 1), 6);
    EXPECT_STREQ(left, "bcde");
    EXPECT_STREQ(right, "fg");
    EXPECT_EQ(::pwritev(fd, out, 1, 7), 3);
    EXPECT_EQ(::readv(fd, in, 2), 3);
    EXPECT_EQ(::writev(fd, out, 0), 0);
    EXPECT_ERROR(::writev(fd, out, -1), EINVAL);
    EXPECT_ERROR(::writev(fd, out, IOV_MAX + 1), EINVAL);
    iovec negative { one, size_t(-1) };
    EXPECT_EQ(raw(SYS_writev, int(fd), &negative, 1), -EINVAL);
}

TEST_F(ReadWrite, preadv2_flags)
{
    write_file("f", "abcdef");
    Fd fd = ::open("f", O_RDWR);
    char buffer[4] = {};
    iovec in { buffer, 3 };
    // An offset of -1 means the current one, which then moves.
    EXPECT_EQ(::preadv2(fd, &in, 1, -1, 0), 3);
    EXPECT_EQ(::lseek(fd, 0, SEEK_CUR), 3);
    EXPECT_EQ(::pwritev2(fd, &in, 1, 0, RWF_APPEND), 3);
    EXPECT_EQ(read_file("f"), "abcdefabc");
    EXPECT_ERROR(::preadv2(fd, &in, 1, 0, 0x4000'0000), EOPNOTSUPP);
}

TEST_F(ReadWrite, seeking)
{
    write_file("f", "0123456789");
    Fd fd = ::open("f", O_RDWR);
    EXPECT_EQ(::lseek(fd, -3, SEEK_END), 7);
    EXPECT_EQ(::lseek(fd, 1, SEEK_CUR), 8);
    EXPECT_EQ(::lseek(fd, 100, SEEK_SET), 100);
    EXPECT_ERROR(::lseek(fd, -1, SEEK_SET), EINVAL);
    EXPECT_ERROR(::lseek(fd, -200, SEEK_CUR), EINVAL);
    EXPECT_ERROR(::lseek(fd, 0, 99), EINVAL);
    ASSERT_EQ(::write(fd, "x", 1), 1);
    EXPECT_EQ(status_of("f").st_size, 101);
    char c = 'q';
    EXPECT_EQ(::pread(fd, &c, 1, 50), 1);
    EXPECT_EQ(c, 0);
    Pipe pipe;
    EXPECT_ERROR(::lseek(pipe.read_end, 0, SEEK_SET), ESPIPE);
    EXPECT_ERROR(::pread(pipe.read_end, &c, 1, 0), ESPIPE);
}

TEST_F(ReadWrite, seek_data_and_hole)
{
    Fd fd = new_file("f");
    constexpr off_t kMiB = 1 << 20;
    ASSERT_EQ(::pwrite(fd, "x", 1, kMiB), 1);
    ASSERT_EQ(::ftruncate(fd, 2 * kMiB), 0);
    off_t data = ::lseek(fd, 0, SEEK_DATA);
    // Without support the whole file counts as data.
    EXPECT_TRUE(data == 0 || data == kMiB) << data;
    off_t hole = ::lseek(fd, kMiB, SEEK_HOLE);
    EXPECT_TRUE(hole == kMiB + off_t(kPage) || hole == 2 * kMiB) << hole;
    EXPECT_ERROR(::lseek(fd, 2 * kMiB, SEEK_DATA), ENXIO);
    EXPECT_ERROR(::lseek(fd, 3 * kMiB, SEEK_HOLE), ENXIO);
}

TEST_F(ReadWrite, truncate_both_ways)
{
    write_file("f", "abcdef");
    ASSERT_EQ(::truncate("f", 3), 0);
    EXPECT_EQ(read_file("f"), "abc");
    ASSERT_EQ(::truncate("f", 5), 0);
    EXPECT_EQ(read_file("f"), std::string("abc\0\0", 5));
    EXPECT_ERROR(::truncate("f", -1), EINVAL);
    EXPECT_ERROR(::truncate(".", 0), EISDIR);
    EXPECT_ERROR(::truncate("none", 0), ENOENT);
    Pipe pipe;
    EXPECT_ERROR(::ftruncate(pipe.write_end, 0), EINVAL);
}

TEST_F(ReadWrite, truncated_data_does_not_come_back)
{
    Fd fd = new_file("f");
    std::string page(kPage, 'x');
    ASSERT_EQ(::write(fd, page.data(), page.size()), ssize_t(page.size()));
    ASSERT_EQ(::ftruncate(fd, 10), 0);
    ASSERT_EQ(::ftruncate(fd, kPage), 0);
    char buffer[kPage];
    ASSERT_EQ(::pread(fd, buffer, kPage, 0), ssize_t(kPage));
    EXPECT_EQ(buffer[9], 'x');
    for (size_t i = 10; i < kPage; i++)
        ASSERT_EQ(buffer[i], 0);
}

TEST_F(ReadWrite, fallocate_modes)
{
    Fd fd = new_file("f");
    if (::fallocate(fd, 0, 0, 10000) != 0 && errno == EOPNOTSUPP) SKIP_AS_HOST_LACKS("fallocate here");
    EXPECT_EQ(status_of("f").st_size, 10000);
    ASSERT_EQ(::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 50000), 0);
    EXPECT_EQ(status_of("f").st_size, 10000);
    ASSERT_EQ(::pwrite(fd, "abcd", 4, 4096), 4);
    ASSERT_EQ(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 2), 0);
    char buffer[4] = {};
    ASSERT_EQ(::pread(fd, buffer, 4, 4096), 4);
    EXPECT_EQ(std::string(buffer, 4), std::string("\0\0cd", 4));
    EXPECT_ERROR(::fallocate(fd, 0, -1, 10), EINVAL);
    EXPECT_ERROR(::fallocate(fd, 0, 0, 0), EINVAL);
    EXPECT_ERROR(::fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10), EOPNOTSUPP);
    Fd reader = ::open("f", O_RDONLY);
    EXPECT_ERROR(::fallocate(reader, 0, 0, 10), EBADF);
    Pipe pipe;
    EXPECT_ERROR(::fallocate(pipe.write_end, 0, 0, 10), ESPIPE);
}

TEST_F(ReadWrite, file_size_limit_gives_sigxfsz_and_efbig)
{
    in_child([] {
        Fd fd = new_file("f");
        rlimit limit { 100, 100 };
        ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
        set_handler(SIGXFSZ, SIG_IGN);
        std::string much(150, 'x');
        EXPECT_EQ(::write(fd, much.data(), much.size()), 100);
        EXPECT_ERROR(::write(fd, "x", 1), EFBIG);
        EXPECT_ERROR(::ftruncate(fd, 200), EFBIG);
        pid_t child = start([&] {
            set_handler(SIGXFSZ, SIG_DFL);
            (void)!::write(fd, "x", 1);
        });
        EXPECT_EQ(wait_for(child), killed_by(SIGXFSZ));
    });
}

TEST_F(ReadWrite, zero_length)
{
    write_file("f", "abc");
    Fd fd = ::open("f", O_RDWR);
    EXPECT_EQ(::read(fd, nullptr, 0), 0);
    EXPECT_EQ(::write(fd, nullptr, 0), 0);
    EXPECT_ERROR(::read(999, nullptr, 0), EBADF);
}

TEST_F(ReadWrite, four_mebibytes_in_odd_pieces)
{
    Fd fd = new_file("f");
    std::string data;
    for (size_t i = 0; data.size() < (4 << 20); i++)
        data += std::to_string(i * 7919);
    for (size_t at = 0; at < data.size();) {
        ssize_t n = ::write(fd, data.data() + at, std::min<size_t>(77'777, data.size() - at));
        ASSERT_GT(n, 0);
        at += size_t(n);
    }
    EXPECT_TRUE(read_file("f") == data);
}

TEST_F(ReadWrite, unlinked_file_lives_until_closed)
{
    Fd fd = new_file("f");
    ASSERT_EQ(::write(fd, "alive", 5), 5);
    ASSERT_EQ(::unlink("f"), 0);
    ASSERT_EQ(::lseek(fd, 0, SEEK_SET), 0);
    EXPECT_EQ(read_all(fd), "alive");
    struct stat info;
    ASSERT_EQ(::fstat(fd, &info), 0);
    EXPECT_EQ(info.st_nlink, 0u);
}

TEST_F(ReadWrite, sync_family)
{
    Fd fd = new_file("f");
    EXPECT_EQ(::fsync(fd), 0);
    EXPECT_EQ(::fdatasync(fd), 0);
    EXPECT_EQ(::sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE), 0);
    EXPECT_EQ(::syncfs(fd), 0);
    Pipe pipe;
    EXPECT_ERROR(::fsync(pipe.read_end), EINVAL);
    EXPECT_ERROR(::fsync(999), EBADF);
}

TEST_F(ReadWrite, advice_is_taken)
{
    Fd fd = new_file("f");
    EXPECT_EQ(::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
    EXPECT_EQ(::posix_fadvise(fd, 0, 0, 77), EINVAL);
    Pipe pipe;
    EXPECT_EQ(::posix_fadvise(pipe.read_end, 0, 0, POSIX_FADV_NORMAL), ESPIPE);
    EXPECT_EQ(::readahead(fd, 0, 4096), 0);
}

} // namespace
} // namespace abi_test
