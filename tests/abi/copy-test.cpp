// SPDX-License-Identifier: GPL-2.0-or-later
// Moving data without a buffer of one's own: copy_file_range(2), sendfile(2), splice(2), tee(2), vmsplice(2);
// and reading directories: getdents64(2).
#include "abi-test.h"

#include <dirent.h>
#include <set>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <vector>

namespace abi_test {
namespace {

class Copy : public InScratchDirectory { };
class ReadDir : public InScratchDirectory { };

int bytes_in(int pipe)
{
    int count = -1;
    ::ioctl(pipe, FIONREAD, &count);
    return count;
}

TEST_F(Copy, copy_file_range_with_and_without_offsets)
{
    write_file("in", "0123456789");
    Fd in = ::open("in", O_RDONLY), out = new_file("out");
    EXPECT_EQ(::copy_file_range(in, nullptr, out, nullptr, 4, 0), 4);
    EXPECT_EQ(::lseek(in, 0, SEEK_CUR), 4);
    loff_t from = 8, to = 1;
    EXPECT_EQ(::copy_file_range(in, &from, out, &to, 100, 0), 2);
    EXPECT_EQ(from, 10);
    EXPECT_EQ(to, 3);
    EXPECT_EQ(::lseek(in, 0, SEEK_CUR), 4);
    EXPECT_EQ(read_file("out"), "0893");
    EXPECT_EQ(::copy_file_range(in, &from, out, &to, 1, 0), 0);
}

TEST_F(Copy, copy_file_range_errors)
{
    write_file("f", "0123456789");
    Fd reader = ::open("f", O_RDONLY), both = ::open("f", O_RDWR), here = ::open(".", O_RDONLY);
    loff_t from = 0, to = 5;
    EXPECT_ERROR(::copy_file_range(both, &from, reader, &to, 1, 0), EBADF);
    EXPECT_ERROR(::copy_file_range(reader, &from, both, &to, 1, 7), EINVAL);
    EXPECT_ERROR(::copy_file_range(here, &from, both, &to, 1, 0), EISDIR);
    to = 2;
    EXPECT_ERROR(::copy_file_range(both, &from, both, &to, 5, 0), EINVAL) << "overlap";
    Pipe pipe;
    EXPECT_ERROR(::copy_file_range(reader, &from, pipe.write_end, nullptr, 1, 0), EINVAL);
    Fd appender = ::open("f", O_WRONLY | O_APPEND);
    EXPECT_ERROR(::copy_file_range(reader, &from, appender, nullptr, 1, 0), EBADF);
}

TEST_F(Copy, sendfile_to_file_and_pipe)
{
    write_file("in", "0123456789");
    Fd in = ::open("in", O_RDONLY), out = new_file("out");
    EXPECT_EQ(::sendfile(out, in, nullptr, 5), 5);
    off_t offset = 7;
    EXPECT_EQ(::sendfile(out, in, &offset, 100), 3);
    EXPECT_EQ(offset, 10);
    EXPECT_EQ(::lseek(in, 0, SEEK_CUR), 5);
    EXPECT_EQ(read_file("out"), "01234789");
    Pipe pipe;
    EXPECT_EQ(::sendfile(pipe.write_end, in, nullptr, 3), 3);
    char buffer[4] = {};
    EXPECT_EQ(::read(pipe.read_end, buffer, 3), 3);
    EXPECT_STREQ(buffer, "567");
}

TEST_F(Copy, sendfile_errors)
{
    write_file("f", "0123456789");
    Fd reader = ::open("f", O_RDONLY), out = new_file("out");
    Fd appender = ::open("out", O_WRONLY | O_APPEND);
    Pipe pipe;
    EXPECT_ERROR(::sendfile(reader, reader, nullptr, 1), EBADF);
    EXPECT_ERROR(::sendfile(appender, reader, nullptr, 1), EINVAL);
    off_t negative = -1;
    EXPECT_ERROR(::sendfile(out, reader, &negative, 1), EINVAL);
    off_t zero = 0;
    EXPECT_ERROR(::sendfile(out, pipe.read_end, &zero, 1), ESPIPE);
}

TEST_F(Copy, splice_file_to_pipe_to_file)
{
    write_file("in", "0123456789");
    Fd in = ::open("in", O_RDONLY), out = new_file("out");
    Pipe pipe;
    loff_t from = 2;
    EXPECT_EQ(::splice(in, &from, pipe.write_end, nullptr, 5, 0), 5);
    EXPECT_EQ(from, 7);
    EXPECT_EQ(bytes_in(pipe.read_end), 5);
    EXPECT_EQ(::splice(pipe.read_end, nullptr, out, nullptr, 100, 0), 5);
    EXPECT_EQ(read_file("out"), "23456");
}

TEST_F(Copy, splice_between_pipes)
{
    Pipe one, two;
    ASSERT_EQ(::write(one.write_end, "abc", 3), 3);
    EXPECT_EQ(::splice(one.read_end, nullptr, two.write_end, nullptr, 2, 0), 2);
    EXPECT_EQ(bytes_in(one.read_end), 1);
    EXPECT_EQ(bytes_in(two.read_end), 2);
    EXPECT_ERROR(::splice(one.read_end, nullptr, one.write_end, nullptr, 1, 0), EINVAL);
}

TEST_F(Copy, splice_errors_and_nonblocking)
{
    write_file("f", "x");
    Fd fd = ::open("f", O_RDWR);
    Pipe pipe;
    loff_t offset = 0;
    EXPECT_ERROR(::splice(fd, nullptr, fd, nullptr, 1, 0), EINVAL);
    EXPECT_ERROR(::splice(pipe.read_end, &offset, fd, nullptr, 1, 0), ESPIPE);
    EXPECT_ERROR(::splice(pipe.read_end, nullptr, fd, nullptr, 1, SPLICE_F_NONBLOCK), EAGAIN);
    EXPECT_ERROR(::splice(pipe.read_end, nullptr, fd, nullptr, 1, 0x100), EINVAL);
    pipe.write_end.reset();
    EXPECT_EQ(::splice(pipe.read_end, nullptr, fd, nullptr, 1, 0), 0);
}

TEST_F(Copy, tee_duplicates)
{
    Pipe one, two;
    ASSERT_EQ(::write(one.write_end, "abc", 3), 3);
    EXPECT_EQ(::tee(one.read_end, two.write_end, 10, 0), 3);
    EXPECT_EQ(bytes_in(one.read_end), 3);
    EXPECT_EQ(bytes_in(two.read_end), 3);
    EXPECT_ERROR(::tee(one.read_end, one.write_end, 1, 0), EINVAL);
    Pipe empty;
    EXPECT_ERROR(::tee(empty.read_end, two.write_end, 1, SPLICE_F_NONBLOCK), EAGAIN);
}

TEST_F(Copy, vmsplice_fills_a_pipe)
{
    Pipe pipe;
    char text[] = "from memory";
    iovec part { text, sizeof text - 1 };
    ASSERT_EQ(::vmsplice(pipe.write_end, &part, 1, 0), ssize_t(part.iov_len));
    char buffer[32] = {};
    EXPECT_EQ(::read(pipe.read_end, buffer, sizeof buffer), ssize_t(part.iov_len));
    EXPECT_STREQ(buffer, text);
}

struct RawEntry {
    uint64_t ino;
    int64_t off;
    uint16_t reclen;
    uint8_t type;
    char name[];
};

std::vector<std::pair<std::string, int>> entries(int fd, size_t buffer_size = 4096)
{
    std::vector<std::pair<std::string, int>> result;
    std::vector<char> buffer(buffer_size);
    for (;;) {
        long n = raw(SYS_getdents64, fd, buffer.data(), buffer.size());
        EXPECT_GE(n, 0);
        if (n <= 0) return result;
        for (long at = 0; at < n;) {
            auto* entry = reinterpret_cast<RawEntry*>(buffer.data() + at);
            EXPECT_EQ(entry->reclen % 8, 0);
            result.emplace_back(entry->name, entry->type);
            at += entry->reclen;
        }
    }
}

TEST_F(ReadDir, lists_names_with_types)
{
    new_file("f");
    ASSERT_EQ(::mkdir("d", 0700), 0);
    ASSERT_EQ(::symlink("x", "s"), 0);
    ASSERT_EQ(::mkfifo("p", 0600), 0);
    Fd here = ::open(".", O_RDONLY | O_DIRECTORY);
    auto list = entries(here);
    std::set<std::pair<std::string, int>> found(list.begin(), list.end());
    std::set<std::pair<std::string, int>> expected { { ".", DT_DIR }, { "..", DT_DIR }, { "f", DT_REG },
        { "d", DT_DIR }, { "s", DT_LNK }, { "p", DT_FIFO } };
    EXPECT_EQ(found, expected);
    EXPECT_EQ(list.size(), 6u);
}

TEST_F(ReadDir, thousand_entries_through_a_small_buffer)
{
    for (int i = 0; i < 1000; i++)
        new_file("file-" + std::to_string(i));
    Fd here = ::open(".", O_RDONLY | O_DIRECTORY);
    auto list = entries(here, 100);
    std::set<std::string> names;
    for (auto const& [name, type] : list)
        names.insert(name);
    EXPECT_EQ(list.size(), 1002u);
    EXPECT_EQ(names.size(), 1002u);
}

TEST_F(ReadDir, rewinds_and_sees_new_names)
{
    Fd here = ::open(".", O_RDONLY | O_DIRECTORY);
    EXPECT_EQ(entries(here).size(), 2u);
    EXPECT_EQ(entries(here).size(), 0u);
    new_file("f");
    ASSERT_EQ(::lseek(here, 0, SEEK_SET), 0);
    EXPECT_EQ(entries(here).size(), 3u);
}

TEST_F(ReadDir, offsets_can_be_returned_to)
{
    for (int i = 0; i < 20; i++)
        new_file("f" + std::to_string(i));
    DIR* directory = ::opendir(".");
    ASSERT_NE(directory, nullptr);
    for (int i = 0; i < 10; i++)
        ASSERT_NE(::readdir(directory), nullptr);
    long position = ::telldir(directory);
    std::string next = ::readdir(directory)->d_name;
    while (::readdir(directory))
        ;
    ::seekdir(directory, position);
    EXPECT_EQ(::readdir(directory)->d_name, next);
    ::closedir(directory);
}

TEST_F(ReadDir, removing_while_reading_loses_nothing)
{
    for (int i = 0; i < 300; i++)
        new_file("f" + std::to_string(i));
    Fd here = ::open(".", O_RDONLY | O_DIRECTORY);
    char buffer[512];
    size_t seen = 0;
    for (;;) {
        long n = raw(SYS_getdents64, int(here), buffer, sizeof buffer);
        if (n <= 0) break;
        for (long at = 0; at < n;) {
            auto* entry = reinterpret_cast<RawEntry*>(buffer + at);
            if (entry->name[0] == 'f') {
                EXPECT_EQ(::unlink(entry->name), 0) << entry->name;
                seen++;
            }
            at += entry->reclen;
        }
    }
    EXPECT_EQ(seen, 300u);
    EXPECT_EQ(::rmdir(scratch_.path().c_str()), 0);
}

TEST_F(ReadDir, errors)
{
    Fd file = new_file("f");
    char buffer[512];
    EXPECT_EQ(raw(SYS_getdents64, int(file), buffer, sizeof buffer), -ENOTDIR);
    Fd here = ::open(".", O_RDONLY | O_DIRECTORY);
    EXPECT_EQ(raw(SYS_getdents64, int(here), buffer, 1), -EINVAL);
    EXPECT_EQ(raw(SYS_getdents64, int(here), 8, sizeof buffer), -EFAULT);
    EXPECT_EQ(raw(SYS_getdents64, 999, buffer, sizeof buffer), -EBADF);
}

} // namespace
} // namespace abi_test
