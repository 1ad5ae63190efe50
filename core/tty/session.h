// SPDX-License-Identifier: GPL-2.0-or-later
// Sessions, process groups and their terminal: what setsid(2), setpgid(2), exit and the tty layer do to them.
#pragma once

#include "core/base/error.h"
#include "core/base/types.h"

namespace umbra {

class Process;
class Task;
struct Session;

namespace tty {

class Tty;

/// setsid(2): the process leads a new session and group, without a terminal. EPERM: it leads a group already.
Result<Pid> create_session(Task& task);
/// setpgid(2). Null pid: the caller; null group: the process's own number.
Result<void> set_process_group(Task& task, Pid pid, Pid group);

/// The controlling terminal of the task's session, or null.
Tty* controlling_terminal(Task& task);
/// The leader's exit gives up the terminal: the foreground group gets SIGHUP, a console is hung up (Linux:
/// disassociate_ctty(1)). Called by exit while the process is still in its group.
void session_leader_exits(Process& process);
/// TIOCNOTTY: a leader gives the terminal up for its session (the foreground group gets SIGHUP and SIGCONT),
/// another process for itself.
void give_up_terminal(Process& process);

} // namespace tty
} // namespace umbra
