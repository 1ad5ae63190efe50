// SPDX-License-Identifier: GPL-2.0-or-later
// What the end of a session's leader means to its terminal (credentials(7), termios(3)). Called by exit.
#pragma once

namespace umbra {
class Process;
}

namespace umbra::tty {

/// Disassociates the controlling terminal: SIGHUP and SIGCONT to its foreground group, the terminal is free.
void session_leader_exits(Process& leader);

} // namespace umbra::tty
