// SPDX-License-Identifier: GPL-2.0-or-later
// Whom an open file tells of events (Linux: fown_struct): fcntl(2) F_SETOWN and F_SETSIG. Leases, directory notices and
// urgent data of sockets send through it.
#pragma once

#include "core/base/types.h"

namespace umbra {
class Kernel;
class Task;
} // namespace umbra

namespace umbra::vfs {

class File;

struct AsyncOwner {
    enum Type : u32 { thread = 0, process = 1, group = 2 }; ///< F_OWNER_*
    u32 type = thread;
    i32 id = 0; ///< 0: nobody
    u32 uid = 0, euid = 0; ///< of who set the owner: only whom they might kill(2) is told
    i32 signal = 0; ///< F_SETSIG; 0: SIGIO without more in its siginfo
};

/// What happened, as siginfo's si_code has it.
enum class AsyncEvent : i32 { in = 1, out, message, error, priority, hang_up }; ///< POLL_IN and so on

/// `task` makes somebody the owner; 0 for nobody.
void set_async_owner(File& file, Task& task, u32 type, i32 id);
/// The owner if it still exists, as F_GETOWN shows it: a group is negative.
i32 live_owner(Task const& reader, AsyncOwner const& owner);
/// Tells the owner, if there is one, of an event of descriptor `fd`. Does not wait.
void send_async_event(Kernel& kernel, AsyncOwner const& owner, i32 fd, AsyncEvent event);
/// Sends SIGURG (data out of band); true if there is an owner.
bool send_urgent(Kernel& kernel, AsyncOwner const& owner);

} // namespace umbra::vfs
