// SPDX-License-Identifier: GPL-2.0-or-later
// One system call or two of one task.
#include "bench.h"

#include <string>

namespace bench {
namespace {

double null_call()
{
    return each(1'000, [] { syscall(SYS_getppid); });
}

double clock_read()
{
    return each(20'000, [] {
        timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
    });
}

double read_zero()
{
    int const fd = int(check(open("/dev/zero", O_RDONLY), "/dev/zero"));
    double const result = each(1'000, [fd] {
        char byte;
        check(read(fd, &byte, 1), "read");
    });
    close(fd);
    return result;
}

double stat_file()
{
    return each(1'000, [] {
        struct stat s;
        check(stat(file_path, &s), "stat");
    });
}

double open_close()
{
    return each(500, [] { close(int(check(open(file_path, O_RDONLY), "open"))); });
}

double map_unmap()
{
    return each(200, [] { munmap(map_anonymous(16 * kPage), 16 * kPage); });
}

double write_null()
{
    int const fd = int(check(open("/dev/null", O_WRONLY), "/dev/null"));
    double const result = each(1'000, [fd] { check(write(fd, "x", 1), "write"); });
    close(fd);
    return result;
}

/// Beside the file that is read: in a directory of the tree's, not of memory's.
double create_unlink()
{
    std::string const path = std::string(file_path) + "-made";
    return each(200, [&path] {
        close(int(check(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644), "open")));
        check(unlink(path.c_str()), "unlink");
    });
}

/// Per block of 64 KiB of a file that is in the cache.
double file_read()
{
    constexpr size_t kBlock = 64 << 10;
    std::vector<char> buffer(kBlock);
    int const fd = int(check(open(file_path, O_RDONLY), file_path));
    int blocks = 0;
    auto const read_all = [&] {
        blocks = 0;
        check(lseek(fd, 0, SEEK_SET), "lseek");
        while (check(read(fd, buffer.data(), kBlock), "read") > 0)
            ++blocks;
    };
    read_all();
    double const result = each(1, read_all) / blocks;
    close(fd);
    return result;
}

/// No call at all: what the machine itself gives, for a million steps.
double pure_cpu()
{
    return each(
        20,
        [] {
            unsigned long volatile value = 1;
            for (int i = 0; i < 1'000'000; ++i)
                value = value * 6364136223846793005ul + 1442695040888963407ul;
        },
        5);
}

} // namespace

Benchmarks calls()
{
    return {
        { "getppid", null_call },
        { "clock_gettime", clock_read },
        { "read-zero", read_zero },
        { "write-null", write_null },
        { "stat", stat_file },
        { "open-close", open_close },
        { "create-unlink", create_unlink },
        { "mmap-munmap", map_unmap },
        { "file-read-64k", file_read },
        { "cpu", pure_cpu },
    };
}

} // namespace bench
