// SPDX-License-Identifier: GPL-2.0-or-later
// The system-call table as text: for the trace, `umbra syscalls` and the command line. Needs none of the
// handlers.
#pragma once

#include <string_view>

#include "core/base/types.h"

namespace umbra {

struct SyscallText {
    std::string_view name;
    std::string_view level; ///< "full", "partial" or "missing"
    std::string_view note;
    std::string_view arguments; ///< the row's types, separated by ", "
};

/// Null for a number that Linux does not have.
SyscallText const* syscall_text(i64 number);
/// The number of a name, or -1.
i64 syscall_number(std::string_view name);
/// Numbers from here on are in no row.
constexpr i64 kSyscallNumberLimit = 463;

} // namespace umbra
