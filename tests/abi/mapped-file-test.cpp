// SPDX-License-Identifier: GPL-2.0-or-later
// Files in memory: private and shared file mappings, msync(2), memfd_create(2), shared memory over processes.
#include "abi-test.h"

#include <sys/mman.h>

namespace abi_test {
namespace {

constexpr int kReadWrite = PROT_READ | PROT_WRITE;

class MappedFile : public InScratchDirectory { };

Fd file_of_pages(char const* path, size_t pages)
{
    Fd fd = new_file(path);
    std::string page(kPage, ' ');
    for (size_t i = 0; i < pages; i++) {
        page.assign(kPage, char('A' + i));
        EXPECT_EQ(::write(fd, page.data(), page.size()), ssize_t(page.size()));
    }
    return fd;
}

TEST_F(MappedFile, private_mapping_reads_the_file)
{
    Fd fd = file_of_pages("f", 3);
    Mapping all(3 * kPage, PROT_READ, MAP_PRIVATE, fd);
    EXPECT_EQ(all[0], 'A');
    EXPECT_EQ(all[kPage], 'B');
    EXPECT_EQ(all[3 * kPage - 1], 'C');
    Mapping second(kPage, PROT_READ, MAP_PRIVATE, fd, off_t(kPage));
    EXPECT_EQ(second[0], 'B');
}

TEST_F(MappedFile, mapping_outlives_the_descriptor_and_the_name)
{
    Fd fd = file_of_pages("f", 1);
    Mapping page(kPage, PROT_READ, MAP_PRIVATE, fd);
    fd.reset();
    ASSERT_EQ(::unlink("f"), 0);
    EXPECT_EQ(page[0], 'A');
}

TEST_F(MappedFile, private_writes_stay_private)
{
    Fd fd = file_of_pages("f", 2);
    Mapping pages(2 * kPage, kReadWrite, MAP_PRIVATE, fd);
    pages[0] = 'x';
    char c = 0;
    ASSERT_EQ(::pread(fd, &c, 1, 0), 1);
    EXPECT_EQ(c, 'A');
    Mapping other(kPage, PROT_READ, MAP_PRIVATE, fd);
    EXPECT_EQ(other[0], 'A');
    EXPECT_EQ(pages[1], 'A');
}

TEST_F(MappedFile, private_writes_all_over_a_large_file)
{
    constexpr size_t pages = 1024, last = 4 * pages / 5;
    Fd fd = file_of_pages("f", pages);
    auto of_file = [](size_t i) { return char('A' + i); };
    Mapping mapping(pages * kPage, kReadWrite, MAP_PRIVATE, fd);
    // Some blocks densely, some with one page, some read before, some not at all; backwards and forwards.
    auto is_written = [](size_t i) { return i < last && (i % 64 < 16 ? i % 3 == 0 : i % 64 == 40); };
    for (size_t i = 0; i < pages; i += 5)
        EXPECT_EQ(mapping[i * kPage], of_file(i));
    auto write_half = [&](size_t half) {
        for (size_t i = 0; i < pages; ++i) {
            size_t const page = half ? pages - 1 - i : i;
            if (is_written(page) && page / 32 % 2 == half) mapping[page * kPage + 9] = 'x';
        }
    };
    write_half(0);
    in_child([&] {
        write_half(1);
        mapping[0] = 'y';
        for (size_t i = 0; i < pages; ++i)
            EXPECT_EQ(mapping[i * kPage + 9], is_written(i) ? 'x' : of_file(i)) << i;
    });
    EXPECT_EQ(mapping[0], 'A');
    write_half(1);
    for (size_t i = 0; i < pages; ++i) {
        EXPECT_EQ(mapping[i * kPage + 8], of_file(i)) << i;
        EXPECT_EQ(mapping[i * kPage + 9], is_written(i) ? 'x' : of_file(i)) << i;
        char c = 0;
        ASSERT_EQ(::pread(fd, &c, 1, off_t(i * kPage + 9)), 1);
        EXPECT_EQ(c, of_file(i));
    }
    ASSERT_EQ(::ftruncate(fd, 2 * kPage), 0); // takes private copies as well
    EXPECT_EQ(wait_for(start([&] { mapping[3 * kPage + 9] = 'z'; })), killed_by(SIGBUS));
}

TEST_F(MappedFile, dontneed_of_a_private_copy_shows_the_file_again)
{
    Fd fd = file_of_pages("f", 1);
    Mapping page(kPage, kReadWrite, MAP_PRIVATE, fd);
    page[0] = 'x';
    ASSERT_EQ(::madvise(page.data(), kPage, MADV_DONTNEED), 0);
    EXPECT_EQ(page[0], 'A');
}

TEST_F(MappedFile, shared_writes_reach_the_file_and_other_mappings)
{
    Fd fd = file_of_pages("f", 1);
    Mapping one(kPage, kReadWrite, MAP_SHARED, fd), two(kPage, PROT_READ, MAP_SHARED, fd);
    one[10] = 'x';
    EXPECT_EQ(two[10], 'x');
    char c = 0;
    ASSERT_EQ(::pread(fd, &c, 1, 10), 1);
    EXPECT_EQ(c, 'x');
}

TEST_F(MappedFile, file_writes_reach_shared_mappings)
{
    Fd fd = file_of_pages("f", 1);
    Mapping page(kPage, PROT_READ, MAP_SHARED, fd);
    EXPECT_EQ(page[5], 'A');
    ASSERT_EQ(::pwrite(fd, "w", 1, 5), 1);
    EXPECT_EQ(page[5], 'w');
}

TEST_F(MappedFile, shared_mapping_is_shared_between_processes)
{
    Fd fd = file_of_pages("f", 1);
    in_child([] {
        Fd own = ::open("f", O_RDWR);
        Mapping page(kPage, kReadWrite, MAP_SHARED, own);
        page[0] = 'c';
    });
    Mapping page(kPage, PROT_READ, MAP_SHARED, fd);
    EXPECT_EQ(page[0], 'c');
}

TEST_F(MappedFile, private_copies_are_copied_again_over_fork)
{
    Fd fd = file_of_pages("f", 2);
    Mapping pages(2 * kPage, kReadWrite, MAP_PRIVATE, fd);
    pages[0] = 'p';
    in_child([&] {
        EXPECT_EQ(pages[0], 'p');
        pages[0] = 'c';
        pages[kPage] = 'c';
    });
    EXPECT_EQ(pages[0], 'p');
    EXPECT_EQ(pages[kPage], 'B');
}

TEST_F(MappedFile, permissions_follow_the_descriptor)
{
    file_of_pages("f", 1);
    Fd read_only = ::open("f", O_RDONLY), write_only = ::open("f", O_WRONLY);
    EXPECT_EQ(::mmap(nullptr, kPage, kReadWrite, MAP_SHARED, read_only, 0), MAP_FAILED);
    EXPECT_EQ(errno, EACCES);
    EXPECT_EQ(::mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, write_only, 0), MAP_FAILED);
    EXPECT_EQ(errno, EACCES);
    Mapping page(kPage, kReadWrite, MAP_PRIVATE, read_only);
    page[0] = 'x';
    Mapping shared(kPage, PROT_READ, MAP_SHARED, read_only);
    EXPECT_ERROR(::mprotect(shared.data(), kPage, kReadWrite), EACCES);
}

TEST_F(MappedFile, what_cannot_be_mapped)
{
    Fd directory = ::open(".", O_RDONLY | O_DIRECTORY);
    EXPECT_EQ(::mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, directory, 0), MAP_FAILED);
    EXPECT_EQ(errno, ENODEV);
    Pipe pipe;
    EXPECT_EQ(::mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, pipe.read_end, 0), MAP_FAILED);
    EXPECT_EQ(errno, ENODEV);
    Fd path_only = ::open(".", O_PATH);
    EXPECT_EQ(::mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, path_only, 0), MAP_FAILED);
    EXPECT_EQ(errno, EBADF);
}

TEST_F(MappedFile, last_page_is_filled_with_zeros)
{
    Fd fd = new_file("f");
    ASSERT_EQ(::write(fd, "abc", 3), 3);
    Mapping page(kPage, kReadWrite, MAP_SHARED, fd);
    EXPECT_EQ(page[2], 'c');
    EXPECT_EQ(page[3], 0);
    // Written beyond the end, it does not make the file longer.
    page[3] = 'd';
    ASSERT_EQ(::msync(page.data(), kPage, MS_SYNC), 0);
    EXPECT_EQ(status_of("f").st_size, 3);
}

TEST_F(MappedFile, growth_becomes_visible)
{
    Fd fd = new_file("f");
    Mapping pages(2 * kPage, PROT_READ, MAP_SHARED, fd);
    ASSERT_EQ(::ftruncate(fd, 2 * kPage), 0);
    EXPECT_EQ(pages[kPage], 0);
    ASSERT_EQ(::pwrite(fd, "z", 1, kPage), 1);
    EXPECT_EQ(pages[kPage], 'z');
}

TEST_F(MappedFile, truncation_zeroes_the_rest_of_the_page)
{
    Fd fd = file_of_pages("f", 1);
    Mapping page(kPage, PROT_READ, MAP_SHARED, fd);
    EXPECT_EQ(page[100], 'A');
    ASSERT_EQ(::ftruncate(fd, 50), 0);
    EXPECT_EQ(page[49], 'A');
    EXPECT_EQ(page[50], 0);
    ASSERT_EQ(::ftruncate(fd, kPage), 0);
    EXPECT_EQ(page[100], 0);
}

TEST_F(MappedFile, msync_flags)
{
    Fd fd = file_of_pages("f", 1);
    Mapping page(kPage, kReadWrite, MAP_SHARED, fd);
    page[0] = 'x';
    EXPECT_EQ(::msync(page.data(), kPage, MS_SYNC), 0);
    EXPECT_EQ(::msync(page.data(), kPage, MS_ASYNC), 0);
    EXPECT_ERROR(::msync(page.data(), kPage, MS_SYNC | MS_ASYNC), EINVAL);
    EXPECT_ERROR(::msync(page.data() + 1, kPage, MS_SYNC), EINVAL);
    EXPECT_ERROR(::msync(page.data(), kPage, 0x100), EINVAL);
    ASSERT_EQ(::munmap(page.data(), kPage), 0);
    EXPECT_ERROR(::msync(page.data(), kPage, MS_SYNC), ENOMEM);
}

TEST_F(MappedFile, maps_names_the_file)
{
    Fd fd = file_of_pages("named-file", 2);
    Mapping page(kPage, PROT_READ, MAP_PRIVATE, fd, off_t(kPage));
    std::string maps = read_file("/proc/self/maps");
    size_t at = maps.find("/named-file\n");
    ASSERT_NE(at, std::string::npos);
    size_t line = maps.rfind('\n', at) + 1;
    EXPECT_NE(maps.substr(line, at - line).find(" r--p 00001000 "), std::string::npos);
}

TEST_F(MappedFile, read_into_a_mapping_of_the_same_file)
{
    Fd fd = file_of_pages("f", 2);
    Mapping pages(2 * kPage, kReadWrite, MAP_SHARED, fd);
    ASSERT_EQ(::pread(fd, pages.data(), kPage, kPage), ssize_t(kPage));
    EXPECT_EQ(pages[0], 'B');
    ASSERT_EQ(::pwrite(fd, pages.data(), kPage, kPage), ssize_t(kPage));
    EXPECT_EQ(pages[kPage], 'B');
}

TEST_F(MappedFile, device_zero_gives_anonymous_memory)
{
    Fd zero = ::open("/dev/zero", O_RDWR);
    Mapping page(kPage, kReadWrite, MAP_PRIVATE, zero);
    EXPECT_EQ(page[0], 0);
    page[0] = 1;
    Mapping shared(kPage, kReadWrite, MAP_SHARED, zero);
    in_child([&] { shared[0] = 5; });
    EXPECT_EQ(shared[0], 5);
}

TEST(MemFd, is_a_file_in_memory)
{
    Fd fd = ::memfd_create("note", MFD_CLOEXEC);
    ASSERT_OK(fd);
    EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(::write(fd, "hello", 5), 5);
    struct stat info;
    ASSERT_EQ(::fstat(fd, &info), 0);
    EXPECT_TRUE(S_ISREG(info.st_mode));
    EXPECT_EQ(info.st_size, 5);
    EXPECT_EQ(info.st_nlink, 0u);
    char target[64] = {};
    ASSERT_GT(::readlink(("/proc/self/fd/" + std::to_string(int(fd))).c_str(), target, sizeof target - 1), 0);
    EXPECT_STREQ(target, "/memfd:note (deleted)");
    Mapping page(kPage, kReadWrite, MAP_SHARED, fd);
    EXPECT_EQ(std::string(page.data(), 5), "hello");
}

TEST(MemFd, seals_are_kept)
{
    Fd fd = ::memfd_create("sealed", MFD_ALLOW_SEALING);
    ASSERT_OK(fd);
    ASSERT_EQ(::ftruncate(fd, 100), 0);
    EXPECT_EQ(::fcntl(fd, F_GET_SEALS), 0);
    ASSERT_EQ(::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    EXPECT_ERROR(::ftruncate(fd, 50), EPERM);
    EXPECT_ERROR(::ftruncate(fd, 200), EPERM);
    EXPECT_EQ(::pwrite(fd, "x", 1, 0), 1);
    EXPECT_ERROR(::pwrite(fd, "x", 1, 100), EPERM);
    ASSERT_EQ(::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    EXPECT_ERROR(::pwrite(fd, "x", 1, 0), EPERM);
    EXPECT_EQ(::mmap(nullptr, kPage, kReadWrite, MAP_SHARED, fd, 0), MAP_FAILED);
    ASSERT_EQ(::fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
    EXPECT_ERROR(::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
}

TEST(MemFd, write_seal_is_refused_while_mapped)
{
    Fd fd = ::memfd_create("busy", MFD_ALLOW_SEALING);
    ASSERT_EQ(::ftruncate(fd, kPage), 0);
    {
        Mapping page(kPage, kReadWrite, MAP_SHARED, fd);
        EXPECT_ERROR(::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    }
    EXPECT_EQ(::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
}

TEST(MemFd, errors)
{
    EXPECT_ERROR(::memfd_create("x", 0x8000), EINVAL);
    EXPECT_EQ(raw(SYS_memfd_create, 8, 0), -EFAULT);
    EXPECT_ERROR(::memfd_create(std::string(250, 'x').c_str(), 0), EINVAL);
    Fd plain = ::memfd_create("x", 0);
    EXPECT_EQ(::fcntl(plain, F_GET_SEALS), F_SEAL_SEAL);
}

} // namespace
} // namespace abi_test
