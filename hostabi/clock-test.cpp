// SPDX-License-Identifier: GPL-2.0-or-later
#include "hostabi/clock.h"

#include <gtest/gtest.h>

#include "hostabi/process.h"

namespace umbra::hostabi {
namespace {

TEST(Clock, of_a_process_that_works_goes_on)
{
    i32 const self = process::own_pid();
    Nanoseconds const before = process_cpu_time(self);
    while (process_cpu_time(self) == before) { }
    EXPECT_GT(process_cpu_time(self), before);
}

TEST(Clock, of_no_process_stands_still)
{
    constexpr i32 nobody = INT32_MAX / 8;
    EXPECT_EQ(process_cpu_time(nobody), 0);
}

} // namespace
} // namespace umbra::hostabi
