// SPDX-License-Identifier: GPL-2.0-or-later
// What of a CPU a virtual machine may keep from its guests, without a word: a host in one cannot give it to Umbra, either.
#pragma once

#include <string>
#include <string_view>

namespace abi_test {

constexpr std::string_view kCounterFaults
    = "counter-faults"; ///< rdtsc faults where prctl(PR_SET_TSC) forbids it
constexpr std::string_view kWatchpoints = "watchpoints"; ///< debug registers stop who touches what they watch

/// On the host it is tried. A guest is told by UMBRA_ABI_HOST_LACKS what its host lacks (tests/run.py), and must have the rest.
bool machine_has(std::string_view what);
/// What is lacking, with commas between.
std::string lacking();

#define NEEDS_MACHINE(what)                                                                                  \
    if (!machine_has(what)) GTEST_SKIP() << "the machine lacks " << (what)

} // namespace abi_test
