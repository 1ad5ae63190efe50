// SPDX-License-Identifier: GPL-2.0-or-later
// The backends over which the contract suite runs; old_host: with every newer feature of the host turned off.
#pragma once

#include <string>

#include <gtest/gtest.h>

namespace umbra::test {

inline auto const kAllBackends = testing::Values("seccomp", "seccomp_old_host", "ptrace");
/// Those with more than one vCPU; that ptrace refuses a second one is a test of its own.
inline auto const kParallelBackends = testing::Values("seccomp", "seccomp_old_host");

inline std::string backend_name(testing::TestParamInfo<char const*> const& info) { return info.param; }

} // namespace umbra::test
