// SPDX-License-Identifier: GPL-2.0-or-later
// The program that a core_pattern "|..." names (core(5), "Piping core dumps to a program").
#pragma once

#include "core/task/process.h"
#include "core/vfs/file.h"

namespace umbra {

struct CoreHelper {
    Ref<Process> process;
    Ref<vfs::File> input; ///< the writing end of its standard input
};
/// Starts it as root, as a child of the first process and where that one is, for a thread that dies of `signal`, and
/// waits until it runs. ENOENT for a pattern without a program; what execve(2) says; EINTR if the dump was abandoned.
Result<CoreHelper> start_core_helper(Task& dying, int signal);

} // namespace umbra
