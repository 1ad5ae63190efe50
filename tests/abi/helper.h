// SPDX-License-Identifier: GPL-2.0-or-later
// Small programs within abi-tests: what the tests about exec(2) run. `abi-tests --helper NAME ARGS...`.
#pragma once

namespace abi_test {

/// argv[2] is the helper's name. Returns the exit status.
int run_helper(int argc, char** argv);

} // namespace abi_test
