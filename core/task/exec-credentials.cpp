// SPDX-License-Identifier: GPL-2.0-or-later
// The rules by which a program gives privileges to whoever runs it. Names as in capabilities(7): P before, P' after, F the
// file's.
#include "core/task/exec-credentials.h"

#include <algorithm>

#include "core/task/permissions.h"
#include "core/task/ptrace.h"
#include "core/vfs/file-capabilities.h"

namespace umbra {

using namespace abi;

namespace {

/// The program's file can give privileges: its mount allows it, and its file system is not of a namespace below or beside.
bool may_give_privileges(Credentials const& who, vfs::File& program)
{
    return !(program.path()->mount->flags() & vfs::kMountNoSuid)
        && who.user_namespace->is_within(program.inode().file_system().user_namespace());
}

void take_ids(Task const& task, Credentials& c, vfs::File& program)
{
    auto const& a = program.inode().attributes();
    if (task.no_new_privileges || !may_give_privileges(c, program)) return;
    if (!c.user_namespace->knows(a.uid, a.gid)) return;
    if (a.mode & s_isuid) c.euid = a.uid;
    if ((a.mode & (s_isgid | s_ixgrp)) == (s_isgid | s_ixgrp)) c.egid = a.gid;
}

/// What comes of the file: P'(permitted) without the ambient set, and whether it becomes effective.
struct Gain {
    bool from_file = false; ///< the file has capabilities
    bool effective = false;
};

/// EPERM. An attribute that is none counts as none.
Result<Gain> take_file_capabilities(Credentials& c, vfs::File& program)
{
    c.permitted = 0;
    if (!may_give_privileges(c, program)) return Gain {};
    auto found = vfs::file_capabilities(program.inode(), *c.user_namespace);
    if (found.is_error() || !found.value()) return Gain {};
    auto const& file = *found.value();
    c.permitted = (c.bounding & file.permitted) | (c.inheritable & file.inheritable);
    // A program that cannot tell would believe that it has them.
    if (file.effective && (file.permitted & ~c.permitted)) return err::perm;
    return Gain { true, file.effective };
}

/// Root's programs have all capabilities, as if their files did.
void take_roots_privileges(Credentials& c, Gain& gain)
{
    if (c.securebits & kSecureNoRoot) return;
    auto const root = c.user_namespace->uid_in(0);
    bool const is_real = c.uid == root, is_effective = c.euid == root;
    // Of a set-user-ID-root file that has capabilities those count, unless root itself runs it.
    if (gain.from_file && is_effective && !is_real) return;
    if (is_real || is_effective) c.permitted = c.bounding | c.inheritable;
    if (is_effective) gain.effective = true;
}

/// A tracer without the right to trace the new program, or a promise to gain nothing, takes gains back.
void take_back_gains(Task const& task, Credentials const& old, Credentials& c, bool changes_ids)
{
    bool const grows = c.permitted & ~old.permitted;
    bool const watched = task.tracee
        && !is_capable(task.tracee->tracer->credentials(), *c.user_namespace, Capability::sys_ptrace);
    auto const& threads = task.process().threads;
    auto const ours
        = std::ranges::count_if(threads, [&](Task* t) { return t->has_fs() && &t->fs() == &task.fs(); });
    bool const shared = task.fs().ref_count() > size_t(ours);
    if (!(changes_ids || grows) || !(watched || shared || task.no_new_privileges)) return;
    if (!old.holds(Capability::setuid) || task.no_new_privileges) c.euid = c.uid, c.egid = c.gid;
    c.permitted &= old.permitted;
}

} // namespace

Result<ExecCredentials> credentials_after_exec(Task& task, vfs::File& program)
{
    Credentials const& old = task.credentials();
    auto c = old.clone();
    take_ids(task, *c, program);
    Gain gain = TRY(take_file_capabilities(*c, program));
    take_roots_privileges(*c, gain);
    bool const changes_ids = c->euid != old.uid || c->egid != old.gid;
    take_back_gains(task, old, *c, changes_ids);
    c->suid = c->fsuid = c->euid;
    c->sgid = c->fsgid = c->egid;
    if (gain.from_file || changes_ids) c->ambient = 0;
    c->permitted |= c->ambient;
    c->effective = gain.effective ? c->permitted : c->ambient;
    c->securebits &= ~kSecureKeepCaps;
    bool const is_root = c->uid == c->user_namespace->uid_in(0);
    bool const grew = gain.effective || (c->permitted & ~c->ambient);
    return ExecCredentials { std::move(c), changes_ids || (!is_root && grew) };
}

} // namespace umbra
