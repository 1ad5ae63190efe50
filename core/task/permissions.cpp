// SPDX-License-Identifier: GPL-2.0-or-later
// kill(2)'s and ptrace(2)'s permission rules.
#include "core/task/permissions.h"

namespace umbra {

Result<void> check_may_signal(Task const& sender, Process const& target, int signal)
{
    Credentials const& mine = sender.credentials();
    if (&sender.process() == &target || mine.has(Capability::kill)) return {};
    // Credentials are a thread's; the leader's stand for the process. A process without threads is beyond
    // harm.
    Task const* leader = target.leader();
    if (!leader) return {};
    Credentials const& theirs = leader->credentials();
    for (u32 id : { mine.euid, mine.uid })
        if (id == theirs.suid || id == theirs.uid) return {};
    if (signal == abi::sigcont && &sender.process().session() == &target.session()) return {};
    return err::perm;
}

Result<void> check_may_inspect(Task const& task, Task const& target)
{
    if (&task.process() == &target.process()) return {};
    Credentials const& mine = task.credentials();
    if (mine.has(Capability::sys_ptrace)) return {};
    Credentials const& theirs = target.credentials();
    bool same_user = mine.uid == theirs.euid && mine.uid == theirs.suid && mine.uid == theirs.uid;
    bool same_group = mine.gid == theirs.egid && mine.gid == theirs.sgid && mine.gid == theirs.gid;
    bool subset = (theirs.permitted & ~mine.permitted) == 0;
    if (same_user && same_group && subset && target.process().dumpable) return {};
    return err::perm;
}

} // namespace umbra
