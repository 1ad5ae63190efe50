// SPDX-License-Identifier: GPL-2.0-or-later
// Arithmetic with times, for the tests about clocks and timers.
#pragma once

#include "abi-test.h"

#include <time.h>

namespace abi_test {

constexpr long kMillisecond = 1'000'000;
constexpr long kSecond = 1'000'000'000;

inline long nanoseconds(timespec const& t) { return t.tv_sec * kSecond + t.tv_nsec; }
inline timespec plus(timespec t, long ns)
{
    long total = nanoseconds(t) + ns;
    return { total / kSecond, total % kSecond };
}
inline timespec now(clockid_t clock)
{
    timespec t {};
    EXPECT_EQ(::clock_gettime(clock, &t), 0);
    return t;
}

/// Uses CPU time until the test ends.
inline void spin_for_ever()
{
    for (;;)
        asm volatile("pause");
}

} // namespace abi_test
