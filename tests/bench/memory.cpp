// SPDX-License-Identifier: GPL-2.0-or-later
// Page faults.
#include "bench.h"

namespace bench {
namespace {

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

} // namespace

Benchmarks memory()
{
    return {
        { "page-fault", page_fault },
        { "scattered-fault", scattered_fault },
        { "copy-on-write", copy_on_write },
    };
}

} // namespace bench
