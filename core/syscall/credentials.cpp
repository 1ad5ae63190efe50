// SPDX-License-Identifier: GPL-2.0-or-later
// User and group ids and capabilities: the set*id rules of credentials(7) and capabilities(7).
#include <algorithm>

#include "core/syscall/syscall.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"

namespace umbra {

namespace {

constexpr u32 kUnchanged = kNoId;

UserNamespace const& ids(Task const& task) { return *task.credentials().user_namespace; }

/// The kernel's id of one that a guest gave; kUnchanged stays. EINVAL: the task's user namespace has no such one.
Result<u32> user(Task const& task, u32 uid)
{
    auto const known = uid == kUnchanged ? uid : ids(task).uid_in(uid);
    return known ? Result<u32>(*known) : err::inval;
}
Result<u32> group(Task const& task, u32 gid)
{
    auto const known = gid == kUnchanged ? gid : ids(task).gid_in(gid);
    return known ? Result<u32>(*known) : err::inval;
}
constexpr u32 kNoSetuidFixup = 1 << 2, kKeepCaps = 1 << 4;

/// capabilities(7): what changing user ids does to the sets.
void fix_capabilities(Credentials const& old, Credentials& now)
{
    if (now.securebits & kNoSetuidFixup) return;
    auto const root = now.user_namespace->uid_in(0);
    bool had_root = old.uid == root || old.euid == root || old.suid == root;
    bool has_root = now.uid == root || now.euid == root || now.suid == root;
    if (had_root && !has_root) {
        if (!(now.securebits & kKeepCaps)) now.permitted = now.effective = 0;
        now.ambient = 0;
    }
    if (old.euid == root && now.euid != root) now.effective = 0;
    if (old.euid != root && now.euid == root) now.effective = now.permitted;
}

constexpr u64 kFsCapabilities = 0x800001f | (u64 { 1 } << unsigned(Capability::linux_immutable));

SyscallResult commit(Task& task, Ref<Credentials> now, bool user_ids)
{
    auto const& old = task.credentials();
    bool changed = old.euid != now->euid || old.egid != now->egid || old.fsuid != now->fsuid
        || old.fsgid != now->fsgid;
    if (user_ids) fix_capabilities(old, *now);
    if (changed) {
        task.process().dumpable = false;
        task.parent_death_signal = 0;
    }
    task.set_credentials(std::move(now));
    return 0;
}

} // namespace

SyscallResult sys_getuid(Task& task) { return ids(task).uid_out(task.credentials().uid); }

SyscallResult sys_geteuid(Task& task) { return ids(task).uid_out(task.credentials().euid); }

SyscallResult sys_getgid(Task& task) { return ids(task).gid_out(task.credentials().gid); }

SyscallResult sys_getegid(Task& task) { return ids(task).gid_out(task.credentials().egid); }

SyscallResult sys_getresuid(Task& task, UserOut<u32> ruid, UserOut<u32> euid, UserOut<u32> suid)
{
    auto const& c = task.credentials();
    TRY(ruid.copy_out(task, ids(task).uid_out(c.uid)));
    TRY(euid.copy_out(task, ids(task).uid_out(c.euid)));
    TRY(suid.copy_out(task, ids(task).uid_out(c.suid)));
    return 0;
}

SyscallResult sys_getresgid(Task& task, UserOut<u32> rgid, UserOut<u32> egid, UserOut<u32> sgid)
{
    auto const& c = task.credentials();
    TRY(rgid.copy_out(task, ids(task).gid_out(c.gid)));
    TRY(egid.copy_out(task, ids(task).gid_out(c.egid)));
    TRY(sgid.copy_out(task, ids(task).gid_out(c.sgid)));
    return 0;
}

SyscallResult sys_setuid(Task& task, u32 uid)
{
    if (uid == kUnchanged) return err::inval;
    uid = TRY(user(task, uid));
    auto const& old = task.credentials();
    auto now = old.clone();
    if (old.holds(Capability::setuid))
        now->uid = now->suid = uid;
    else if (uid != old.uid && uid != old.suid)
        return err::perm;
    now->euid = now->fsuid = uid;
    return commit(task, std::move(now), true);
}

SyscallResult sys_setgid(Task& task, u32 gid)
{
    if (gid == kUnchanged) return err::inval;
    gid = TRY(group(task, gid));
    auto const& old = task.credentials();
    auto now = old.clone();
    if (old.holds(Capability::setgid))
        now->gid = now->sgid = gid;
    else if (gid != old.gid && gid != old.sgid)
        return err::perm;
    now->egid = now->fsgid = gid;
    return commit(task, std::move(now), false);
}

SyscallResult sys_setreuid(Task& task, u32 ruid, u32 euid)
{
    ruid = TRY(user(task, ruid)), euid = TRY(user(task, euid));
    auto const& old = task.credentials();
    bool capable = old.holds(Capability::setuid);
    auto now = old.clone();
    if (ruid != kUnchanged) {
        if (ruid != old.uid && ruid != old.euid && !capable) return err::perm;
        now->uid = ruid;
    }
    if (euid != kUnchanged) {
        if (euid != old.uid && euid != old.euid && euid != old.suid && !capable) return err::perm;
        now->euid = euid;
    }
    if (ruid != kUnchanged || (euid != kUnchanged && euid != old.uid)) now->suid = now->euid;
    now->fsuid = now->euid;
    return commit(task, std::move(now), true);
}

SyscallResult sys_setregid(Task& task, u32 rgid, u32 egid)
{
    rgid = TRY(group(task, rgid)), egid = TRY(group(task, egid));
    auto const& old = task.credentials();
    bool capable = old.holds(Capability::setgid);
    auto now = old.clone();
    if (rgid != kUnchanged) {
        if (rgid != old.gid && rgid != old.egid && !capable) return err::perm;
        now->gid = rgid;
    }
    if (egid != kUnchanged) {
        if (egid != old.gid && egid != old.egid && egid != old.sgid && !capable) return err::perm;
        now->egid = egid;
    }
    if (rgid != kUnchanged || (egid != kUnchanged && egid != old.gid)) now->sgid = now->egid;
    now->fsgid = now->egid;
    return commit(task, std::move(now), false);
}

SyscallResult sys_setresuid(Task& task, u32 ruid, u32 euid, u32 suid)
{
    ruid = TRY(user(task, ruid)), euid = TRY(user(task, euid)), suid = TRY(user(task, suid));
    auto const& old = task.credentials();
    auto allowed = [&](u32 id) {
        return id == kUnchanged || id == old.uid || id == old.euid || id == old.suid
            || old.holds(Capability::setuid);
    };
    if (!allowed(ruid) || !allowed(euid) || !allowed(suid)) return err::perm;
    auto now = old.clone();
    if (ruid != kUnchanged) now->uid = ruid;
    if (euid != kUnchanged) now->euid = euid;
    if (suid != kUnchanged) now->suid = suid;
    now->fsuid = now->euid;
    return commit(task, std::move(now), true);
}

SyscallResult sys_setresgid(Task& task, u32 rgid, u32 egid, u32 sgid)
{
    rgid = TRY(group(task, rgid)), egid = TRY(group(task, egid)), sgid = TRY(group(task, sgid));
    auto const& old = task.credentials();
    auto allowed = [&](u32 id) {
        return id == kUnchanged || id == old.gid || id == old.egid || id == old.sgid
            || old.holds(Capability::setgid);
    };
    if (!allowed(rgid) || !allowed(egid) || !allowed(sgid)) return err::perm;
    auto now = old.clone();
    if (rgid != kUnchanged) now->gid = rgid;
    if (egid != kUnchanged) now->egid = egid;
    if (sgid != kUnchanged) now->sgid = sgid;
    now->fsgid = now->egid;
    return commit(task, std::move(now), false);
}

SyscallResult sys_setfsuid(Task& task, u32 given)
{
    auto const& old = task.credentials();
    u32 const before = ids(task).uid_out(old.fsuid), uid = ids(task).uid_in(given).value_or(kUnchanged);
    bool allowed = uid == old.uid || uid == old.euid || uid == old.suid || uid == old.fsuid
        || old.holds(Capability::setuid);
    if (uid == kUnchanged || !allowed) return before;
    auto now = old.clone();
    now->fsuid = uid;
    if (!(now->securebits & kNoSetuidFixup)) {
        auto const root = ids(task).uid_in(0);
        if (old.fsuid == root && uid != root) now->effective &= ~kFsCapabilities;
        if (old.fsuid != root && uid == root) now->effective |= now->permitted & kFsCapabilities;
    }
    task.set_credentials(std::move(now));
    return before;
}

SyscallResult sys_setfsgid(Task& task, u32 given)
{
    auto const& old = task.credentials();
    u32 const before = ids(task).gid_out(old.fsgid), gid = ids(task).gid_in(given).value_or(kUnchanged);
    bool allowed = gid == old.gid || gid == old.egid || gid == old.sgid || gid == old.fsgid
        || old.holds(Capability::setgid);
    if (gid == kUnchanged || !allowed) return before;
    auto now = old.clone();
    now->fsgid = gid;
    task.set_credentials(std::move(now));
    return before;
}

namespace {
constexpr i32 kMaxGroups = 65536;
}

SyscallResult sys_getgroups(Task& task, i32 size, UserOut<u32> out)
{
    auto const& groups = task.credentials().groups;
    if (size < 0) return err::inval;
    if (size == 0) return i64(groups.size());
    if (u64(size) < groups.size()) return err::inval;
    auto shown = groups;
    for (u32& gid : shown)
        gid = ids(task).gid_out(gid);
    TRY(out.copy_out_array(task, shown));
    return i64(groups.size());
}

SyscallResult sys_setgroups(Task& task, i32 size, UserIn<u32> in)
{
    // Without a map of groups, and where /proc/PID/setgroups denies it, nobody may: it could drop a group that keeps him out.
    if (!task.credentials().holds(Capability::setgid) || !ids(task).gids.is_set()
        || !ids(task).setgroups_allowed)
        return err::perm;
    if (size < 0 || size > kMaxGroups) return err::inval;
    auto now = task.credentials().clone();
    now->groups = TRY(in.copy_in_array(task, u64(size)));
    for (u32& gid : now->groups) {
        if (gid == kNoId) return err::inval;
        gid = TRY(group(task, gid));
    }
    std::sort(now->groups.begin(), now->groups.end());
    task.set_credentials(std::move(now));
    return 0;
}

namespace {

struct CapHeader {
    u32 version;
    i32 pid;
};
struct CapData {
    u32 effective, permitted, inheritable;
};
constexpr u32 kVersion1 = 0x19980330, kVersion2 = 0x20071026, kVersion3 = 0x20080522;

/// Words of capability data for the header's version; an unknown one is answered with ours.
Result<u32> capability_words(Task& task, GuestAddr header_at, CapHeader& header)
{
    header = TRY((UserIn<CapHeader> { header_at }.copy_in(task)));
    if (header.version == kVersion1) return 1;
    if (header.version == kVersion2 || header.version == kVersion3) return 2;
    TRY((UserOut<u32> { header_at }.copy_out(task, kVersion3)));
    return err::inval;
}

} // namespace

SyscallResult sys_capget(Task& task, GuestAddr header_at, GuestAddr data_at)
{
    CapHeader header;
    auto words = capability_words(task, header_at, header);
    if (words.is_error())
        return words.error() == err::inval && data_at.is_null() ? SyscallResult(0) : words.error();
    if (header.pid < 0) return err::inval;
    if (data_at.is_null()) return 0;
    Task* t = header.pid == 0 ? &task : task.kernel().processes().find_task(pid_in(task, header.pid));
    if (!t) return err::srch;
    Ref<Credentials const> const kept = t->credentials_ref();
    Credentials const& c = *kept;
    for (u32 i = 0; i < words.value(); ++i) {
        CapData d { u32(c.effective >> 32 * i), u32(c.permitted >> 32 * i), u32(c.inheritable >> 32 * i) };
        TRY((UserOut<CapData> { data_at }.copy_out(task, d, i)));
    }
    return 0;
}

SyscallResult sys_capset(Task& task, GuestAddr header_at, GuestAddr data_at)
{
    CapHeader header;
    u32 words = TRY(capability_words(task, header_at, header));
    if (header.pid != 0 && pid_in(task, header.pid) != task.tid()) return err::perm;
    u64 effective = 0, permitted = 0, inheritable = 0;
    for (u32 i = 0; i < words; ++i) {
        auto d = TRY((UserIn<CapData> { data_at }.copy_in(task, i)));
        effective |= u64(d.effective) << 32 * i;
        permitted |= u64(d.permitted) << 32 * i;
        inheritable |= u64(d.inheritable) << 32 * i;
    }
    effective &= kAllCapabilities, permitted &= kAllCapabilities, inheritable &= kAllCapabilities;
    auto const& old = task.credentials();
    if (permitted & ~old.permitted) return err::perm;
    if (effective & ~permitted) return err::perm;
    if (!old.holds(Capability::setpcap) && (inheritable & ~(old.inheritable | old.permitted)))
        return err::perm;
    if (inheritable & ~(old.inheritable | old.bounding)) return err::perm;
    auto now = old.clone();
    now->effective = effective, now->permitted = permitted, now->inheritable = inheritable;
    now->ambient &= permitted & inheritable;
    task.set_credentials(std::move(now));
    return 0;
}

} // namespace umbra
