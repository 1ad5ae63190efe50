// SPDX-License-Identifier: GPL-2.0-or-later
// The tie between sessions and terminals.
#include "core/tty/session.h"

#include "core/task/process.h"

namespace umbra::tty {

void session_leader_exits(Process& leader)
{
    Session& session = leader.session();
    session.terminal = nullptr;
    session.terminal_ref = nullptr;
}

} // namespace umbra::tty
