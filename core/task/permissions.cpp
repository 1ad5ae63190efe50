// SPDX-License-Identifier: GPL-2.0-or-later
// Capabilities within user namespaces; kill(2)'s and ptrace(2)'s permission rules.
#include "core/task/permissions.h"

namespace umbra {

bool is_capable(Credentials const& who, UserNamespace const& space, Capability capability)
{
    UserNamespace const& own = *who.user_namespace;
    for (UserNamespace const* at = &space; at; at = at->parent()) {
        if (at == &own) return who.holds(capability);
        if (at->level() <= own.level()) return false;
        if (at->parent() == &own && at->owner_uid() == who.euid) return true;
    }
    return false;
}

Result<void> check_may_signal(Task const& sender, Process const& target, int signal)
{
    Credentials const& mine = sender.credentials();
    if (&sender.process() == &target) return {};
    if (signal == abi::sigcont && target.group && target.group->session == sender.process().group->session)
        return {};
    // Credentials are a thread's; those of one that lives stand for the process.
    Task const* member = target.any_thread();
    if (!member) member = target.leader();
    if (!member) { // it waits for its parent
        bool const may
            = mine.euid == target.last_uid || mine.uid == target.last_uid || mine.has(Capability::kill);
        return may ? Result<void>() : err::perm;
    }
    Credentials const& theirs = member->credentials();
    for (u32 id : { mine.euid, mine.uid })
        if (id == theirs.suid || id == theirs.uid) return {};
    if (is_capable(mine, *theirs.user_namespace, Capability::kill)) return {};
    return err::perm;
}

Result<void> signal_as(
    Task const& sender, Process& target, abi::SigInfo const& info, int signal, Audience audience)
{
    TRY(check_may_signal(sender, target, signal));
    if (signal) return send_signal(target, info, audience);
    return {};
}

Result<void> signal_each_as(
    Task const& sender, std::vector<Ref<Process>> const& targets, abi::SigInfo const& info, int signal)
{
    bool any = false;
    Errno last = err::srch;
    for (auto const& target : targets) {
        auto sent = signal_as(sender, *target, info, signal, Audience::several);
        if (sent.ok())
            any = true;
        else
            last = sent.error();
    }
    return any ? Result<void>() : last;
}

std::vector<Ref<Process>> members_of(ProcessGroup const& group)
{
    std::vector<Ref<Process>> members;
    for (Process* member : group.members)
        members.push_back(Ref<Process>(*member));
    return members;
}

Result<void> check_may_inspect(Task const& task, Task const& target)
{
    if (&task.process() == &target.process()) return {};
    Credentials const& mine = task.credentials();
    Credentials const& theirs = target.credentials();
    if (is_capable(mine, *theirs.user_namespace, Capability::sys_ptrace)) return {};
    bool same_user = mine.uid == theirs.euid && mine.uid == theirs.suid && mine.uid == theirs.uid;
    bool same_group = mine.gid == theirs.egid && mine.gid == theirs.sgid && mine.gid == theirs.gid;
    bool subset = mine.user_namespace == theirs.user_namespace && (theirs.permitted & ~mine.permitted) == 0;
    if (same_user && same_group && subset && target.process().dumpable) return {};
    return err::perm;
}

} // namespace umbra
