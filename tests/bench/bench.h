// SPDX-License-Identifier: GPL-2.0-or-later
// What the benchmarks share: how a figure is taken, and the parts by subject.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace bench {

constexpr size_t kPage = 4096;
constexpr int kRounds = 15; ///< short ones: fewer are hit by what else the machine does
constexpr int kLongRounds = 3; ///< of what takes a second

extern char const* own_path;
extern char const* file_path;

[[noreturn]] void fail(char const* what);
/// The result of a host call, or the end of the program.
long check(long result, char const* what);
double now(); ///< ns
double median(std::vector<double> values);
/// Nanoseconds for one call of `work`, of `count` in a row.
double each(int count, std::function<void()> const& work, int round_count = kRounds);
/// The same in a child that is pinned to one CPU: with its partner it takes turns there.
double each_on_one_cpu(std::function<double()> const& measure);
char* map_anonymous(size_t size, int flags = MAP_PRIVATE);
void touch(char* start, size_t size); ///< writes to each page
void wait_for(pid_t child);
pid_t fork_or_fail();

struct Benchmark {
    char const* name;
    double (*run)();
};
using Benchmarks = std::vector<Benchmark>;
Benchmarks calls(); ///< calls.cpp: one system call, or two, of one task
Benchmarks memory(); ///< memory.cpp: faults
Benchmarks tasks(); ///< tasks.cpp: processes, threads, signals
Benchmarks communication(); ///< communication.cpp: two tasks that talk
Benchmarks outside(); ///< outside.cpp: with a program of the host's, which `serve` is
bool set_peer(char const* text); ///< where that program is; false if the text is no ADDRESS:PORT
[[noreturn]] void serve(); ///< prints its port, and lives as long as its parent

} // namespace bench
