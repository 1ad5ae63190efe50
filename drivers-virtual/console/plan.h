// SPDX-License-Identifier: GPL-2.0-or-later
// What to do with stdin, stdout and stderr: which of them the guest's console stands for, and how the host's
// terminal is used. Decided once, for each descriptor on its own.
#pragma once

#include <array>

namespace umbra::drivers {

enum class TerminalUse : unsigned char {
    none, ///< no descriptor is a terminal
    /// stdin and stdout both are: the session is interactive, and the terminal is the guest's from the start.
    from_start,
    /// Some are, as in `umbra run -- ls | less`: the terminal may be in another program's use. It is left
    /// alone, its line editing and signals too, until the guest reads from it or changes its settings.
    when_wanted,
};

struct ConsolePlan {
    TerminalUse use = TerminalUse::none;
    std::array<bool, 3>
        is_console {}; ///< descriptors for which the guest gets the console; others are passed through
    int input = -1, output = -1; ///< descriptors of the terminal; -1: none allows that
};

/// Looks at descriptors 0, 1 and 2. Terminals other than the first one found are passed through like files.
ConsolePlan plan_console();

} // namespace umbra::drivers
