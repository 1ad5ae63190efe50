// SPDX-License-Identifier: GPL-2.0-or-later
// What a program pays for common work, in nanoseconds: one line "NAME NANOSECONDS" for each benchmark named
// on the command line. Static, so that the same file runs on the host and in any guest; compare.py runs it on
// both and sets the two beside each other. Each figure is the median of a few rounds.
//   bench --list | bench --file FILE [--peer ADDRESS:PORT] NAME.. | bench --serve | bench --nothing | bench --time COMMAND [ARGUMENT..]
#include "bench.h"

#include <string>

namespace bench {

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
double each(int count, std::function<void()> const& work, int round_count)
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

char* map_anonymous(size_t size, int flags)
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

pid_t fork_or_fail() { return pid_t(check(fork(), "fork")); }

static void pin_to_first_cpu()
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

/// The pinning must not outlive the benchmark.
double each_on_one_cpu(std::function<double()> const& measure)
{
    auto* result = reinterpret_cast<double*>(map_anonymous(kPage, MAP_SHARED));
    pid_t const child = fork_or_fail();
    if (child == 0) {
        pin_to_first_cpu();
        *result = measure();
        _exit(0);
    }
    wait_for(child);
    double const value = *result;
    munmap(result, kPage);
    return value;
}

namespace {

Benchmarks all()
{
    Benchmarks list;
    for (auto part : { calls, memory, tasks, communication, outside })
        for (auto const& benchmark : part())
            list.push_back(benchmark);
    return list;
}

/// One run of a command, whose output goes to standard error.
int time_command(char** command)
{
    double const start = now();
    pid_t const child = fork_or_fail();
    if (child == 0) {
        dup2(2, 1);
        execvp(command[0], command);
        fail(command[0]);
    }
    wait_for(child);
    printf("time %.0f\n", now() - start);
    return 0;
}

void run_named(std::string const& name)
{
    for (auto const& benchmark : all()) {
        if (name != benchmark.name) continue;
        printf("%s %.1f\n", benchmark.name, benchmark.run());
        fflush(stdout);
        return;
    }
    fprintf(stderr, "bench: no benchmark %s\n", name.c_str());
    exit(2);
}

} // namespace
} // namespace bench

int main(int argc, char** argv)
{
    using namespace bench;
    own_path = argv[0];
    if (argc > 1 && !strcmp(argv[1], "--nothing")) return 0;
    if (argc > 1 && !strcmp(argv[1], "--list")) {
        for (auto const& benchmark : all())
            puts(benchmark.name);
        return 0;
    }
    if (argc > 2 && !strcmp(argv[1], "--time")) return time_command(argv + 2);
    if (argc > 1 && !strcmp(argv[1], "--serve")) serve();
    bool const has_peer = argc > 4 && !strcmp(argv[3], "--peer");
    if (argc < 4 || strcmp(argv[1], "--file") != 0 || (has_peer && !set_peer(argv[4]))) {
        fprintf(stderr,
            "usage: bench --list | bench --file FILE [--peer ADDRESS:PORT] NAME.. | bench --nothing\n"
            "       bench --serve | bench --time COMMAND [ARGUMENT..]\n");
        return 2;
    }
    file_path = argv[2];
    for (int i = has_peer ? 5 : 3; i < argc; ++i)
        run_named(argv[i]);
    return 0;
}
