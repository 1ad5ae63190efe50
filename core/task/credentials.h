// SPDX-License-Identifier: GPL-2.0-or-later
// Who a task is: ids, groups, capabilities (credentials(7), capabilities(7)). Copied on change, shared otherwise.
#pragma once

#include <algorithm>
#include <vector>

#include "core/base/ref.h"
#include "core/base/types.h"
#include "core/task/user-namespace.h"

namespace umbra {

enum class Capability : u8 {
    chown = 0,
    dac_override = 1,
    dac_read_search = 2,
    fowner = 3,
    fsetid = 4,
    kill = 5,
    setgid = 6,
    setuid = 7,
    setpcap = 8,
    linux_immutable = 9,
    net_bind_service = 10,
    net_broadcast = 11,
    net_admin = 12,
    net_raw = 13,
    ipc_lock = 14,
    ipc_owner = 15,
    sys_module = 16,
    sys_rawio = 17,
    sys_chroot = 18,
    sys_ptrace = 19,
    sys_pacct = 20,
    sys_admin = 21,
    sys_boot = 22,
    sys_nice = 23,
    sys_resource = 24,
    sys_time = 25,
    sys_tty_config = 26,
    mknod = 27,
    lease = 28,
    audit_write = 29,
    audit_control = 30,
    setfcap = 31,
    mac_override = 32,
    mac_admin = 33,
    syslog = 34,
    wake_alarm = 35,
    block_suspend = 36,
    audit_read = 37,
    perfmon = 38,
    bpf = 39,
    checkpoint_restore = 40,
};
/// Securebits (capabilities(7)); each has its lock one bit above.
constexpr u32 kSecureNoRoot = 1 << 0, kSecureNoSetuidFixup = 1 << 2, kSecureKeepCaps = 1 << 4,
              kSecureNoAmbientRaise = 1 << 6;
constexpr u32 kSecureAll = kSecureNoRoot | kSecureNoSetuidFixup | kSecureKeepCaps | kSecureNoAmbientRaise;
constexpr u32 lock_of(u32 securebits) { return securebits << 1; }
constexpr u64 kAllCapabilities = (u64 { 1 } << 41) - 1;

/// Ids are the kernel's: those of the first user namespace. They are translated where a guest gives or sees them.
struct Credentials : RefCounted {
    explicit Credentials(Ref<UserNamespace> space)
        : user_namespace(std::move(space))
    {
    }
    Ref<UserNamespace> user_namespace; ///< the capabilities are held in this one
    u32 uid = 0, euid = 0, suid = 0, fsuid = 0;
    u32 gid = 0, egid = 0, sgid = 0, fsgid = 0;
    std::vector<u32> groups; ///< supplementary, sorted
    u64 permitted = kAllCapabilities, effective = kAllCapabilities, inheritable = 0;
    u64 bounding = kAllCapabilities, ambient = 0;
    u32 securebits = 0;

    /// In the first user namespace: for what belongs to the whole machine. See also is_capable() in permissions.h.
    bool has(Capability c) const { return user_namespace->is_first() && holds(c); }
    /// In its own user namespace, whichever that is.
    bool holds(Capability c) const { return effective >> unsigned(c) & 1; }
    /// gid is the file-system group or one of the supplementary ones.
    bool in_group(u32 g) const { return g == fsgid || std::binary_search(groups.begin(), groups.end(), g); }
    Ref<Credentials> clone() const
    {
        auto c = make_ref<Credentials>(user_namespace);
        c->uid = uid, c->euid = euid, c->suid = suid, c->fsuid = fsuid;
        c->gid = gid, c->egid = egid, c->sgid = sgid, c->fsgid = fsgid;
        c->groups = groups;
        c->permitted = permitted, c->effective = effective, c->inheritable = inheritable;
        c->bounding = bounding, c->ambient = ambient, c->securebits = securebits;
        return c;
    }
};

} // namespace umbra
