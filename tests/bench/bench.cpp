// SPDX-License-Identifier: GPL-2.0-or-later
// What a program pays for common work, in nanoseconds: one line "NAME NANOSECONDS" for each benchmark named
// on the command line. Static, so that the same file runs on the host and in any guest; compare.py runs it on
// both and sets the two beside each other. Each figure is the median of a few rounds.
//   bench --list | bench --file FILE NAME.. | bench --nothing
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace {

constexpr size_t kPage = 4096;
constexpr int kRounds = 15; ///< short ones: fewer are hit by what else the machine does
constexpr int kLongRounds = 3; ///< of what takes a second

char const* own_path;
char const* file_path;

[[noreturn]] void fail(char const* what)
{
    perror(what);
    exit(1);
}

long check(long result, char const* what)
{
    if (result < 0) fail(what);
    return result;
}

double now()
{
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return double(t.tv_sec) * 1e9 + double(t.tv_nsec);
}

double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// Nanoseconds for one call of `work`, of `count` in a row.
double each(int count, std::function<void()> const& work, int round_count = kRounds)
{
    std::vector<double> rounds;
    for (int round = 0; round < round_count; ++round) {
        double const start = now();
        for (int i = 0; i < count; ++i)
            work();
        rounds.push_back((now() - start) / count);
    }
    return median(rounds);
}

char* map_anonymous(size_t size, int flags = MAP_PRIVATE)
{
    void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) fail("mmap");
    // Pages of one size on both sides: a guest does not have the host's huge ones.
    madvise(p, size, MADV_NOHUGEPAGE);
    return static_cast<char*>(p);
}

void touch(char* start, size_t size)
{
    for (size_t at = 0; at < size; at += kPage)
        *static_cast<char volatile*>(start + at) = 1;
}

void wait_for(pid_t child)
{
    int status;
    check(waitpid(child, &status, 0), "waitpid");
    if (status != 0) {
        fprintf(stderr, "a child ended with wait status %#x\n", unsigned(status));
        exit(1);
    }
}

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

/// Per page, with the share of mmap and munmap.
double page_fault()
{
    constexpr size_t kPages = 8192, kSize = kPages * kPage;
    return each(1, [] {
        char* p = map_anonymous(kSize);
        touch(p, kSize);
        munmap(p, kSize);
    }) / double(kPages);
}

/// Per touched page of a large region, in an order that has no pattern to go by: a heap, not a stream.
double scattered_fault()
{
    constexpr size_t kPages = 1 << 13, kTouches = 1 << 9, kStep = 2'741; // odd: visits each page once
    return each(1, [] {
        char* p = map_anonymous(kPages * kPage);
        for (size_t i = 0; i < kTouches; ++i)
            touch(p + i * kStep % kPages * kPage, 1);
        munmap(p, kPages * kPage);
    }) / double(kTouches);
}

/// Per page: a child writes to what it shares with its parent.
double copy_on_write()
{
    constexpr size_t kPages = 4096, kSize = kPages * kPage;
    char* memory = map_anonymous(kSize);
    auto* result = reinterpret_cast<double*>(map_anonymous(kPage, MAP_SHARED));
    std::vector<double> rounds;
    for (int round = 0; round < 5; ++round) {
        touch(memory, kSize);
        pid_t const child = fork();
        if (child == 0) {
            double const start = now();
            touch(memory, kSize);
            *result = (now() - start) / double(kPages);
            _exit(0);
        }
        wait_for(pid_t(check(child, "fork")));
        rounds.push_back(*result);
    }
    munmap(memory, kSize);
    munmap(result, kPage);
    return median(rounds);
}

double fork_exit()
{
    return each(20, [] {
        pid_t const child = fork();
        if (child == 0) _exit(0);
        wait_for(pid_t(check(child, "fork")));
    });
}

void run(char const* path, std::vector<char const*> arguments)
{
    arguments.push_back(nullptr);
    pid_t const child = fork();
    if (child == 0) {
        execv(path, const_cast<char* const*>(arguments.data()));
        _exit(127);
    }
    wait_for(pid_t(check(child, "fork")));
}

double fork_exec()
{
    return each(10, [] { run(own_path, { own_path, "--nothing" }); });
}

double bash_loop()
{
    return each(
        1,
        [] {
            run("/bin/bash", { "bash", "-c", "for ((i = 0; i < 200; i++)); do /bin/true; done" });
        },
        kLongRounds);
}

void pin_to_first_cpu()
{
    cpu_set_t set;
    check(sched_getaffinity(0, sizeof set, &set), "sched_getaffinity");
    int cpu = 0;
    while (!CPU_ISSET(cpu, &set))
        ++cpu;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    check(sched_setaffinity(0, sizeof set, &set), "sched_setaffinity");
}

double pipe_round_trip_pinned()
{
    int there[2], back[2];
    check(pipe(there), "pipe");
    check(pipe(back), "pipe");
    pin_to_first_cpu();
    pid_t const child = fork();
    if (child == 0) {
        close(there[1]);
        char byte;
        while (read(there[0], &byte, 1) == 1)
            if (write(back[1], &byte, 1) != 1) _exit(1);
        _exit(0);
    }
    check(child, "fork");
    double const result = each(500, [&] {
        char byte = 0;
        check(write(there[1], &byte, 1), "write");
        check(read(back[0], &byte, 1), "read");
    });
    for (int fd : { there[0], there[1], back[0], back[1] })
        close(fd);
    wait_for(child);
    return result;
}

/// The pinning must not outlive the benchmark.
double pipe_round_trip()
{
    auto* result = reinterpret_cast<double*>(map_anonymous(kPage, MAP_SHARED));
    pid_t const child = fork();
    if (child == 0) {
        *result = pipe_round_trip_pinned();
        _exit(0);
    }
    wait_for(pid_t(check(child, "fork")));
    return *result;
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

struct Benchmark {
    char const* name;
    double (*run)();
};

constexpr Benchmark kBenchmarks[] = {
    { "getppid", null_call },
    { "clock_gettime", clock_read },
    { "read-zero", read_zero },
    { "stat", stat_file },
    { "open-close", open_close },
    { "mmap-munmap", map_unmap },
    { "page-fault", page_fault },
    { "scattered-fault", scattered_fault },
    { "copy-on-write", copy_on_write },
    { "fork-exit", fork_exit },
    { "fork-exec", fork_exec },
    { "pipe-round-trip", pipe_round_trip },
    { "file-read-64k", file_read },
    { "bash-200-true", bash_loop },
};

void run_named(std::string const& name)
{
    for (auto const& benchmark : kBenchmarks) {
        if (name != benchmark.name) continue;
        printf("%s %.1f\n", benchmark.name, benchmark.run());
        fflush(stdout);
        return;
    }
    fprintf(stderr, "bench: no benchmark %s\n", name.c_str());
    exit(2);
}

} // namespace

int main(int argc, char** argv)
{
    own_path = argv[0];
    if (argc > 1 && !strcmp(argv[1], "--nothing")) return 0;
    if (argc > 1 && !strcmp(argv[1], "--list")) {
        for (auto const& benchmark : kBenchmarks)
            puts(benchmark.name);
        return 0;
    }
    if (argc < 4 || strcmp(argv[1], "--file") != 0) {
        fprintf(stderr, "usage: bench --list | bench --file FILE NAME.. | bench --nothing\n");
        return 2;
    }
    file_path = argv[2];
    for (int i = 3; i < argc; ++i)
        run_named(argv[i]);
    return 0;
}
