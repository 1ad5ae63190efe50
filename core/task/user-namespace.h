// SPDX-License-Identifier: GPL-2.0-or-later
// User namespaces (user_namespaces(7)): a numbering of users and groups, and the place where capabilities count. Every
// other namespace has one that owns it, and so has every file-system instance. Credentials hold the one that they are of;
// a namespace holds its parent.
#pragma once

#include <array>
#include <map>

#include "core/task/id-map.h"
#include "core/vfs/namespace.h"

namespace umbra {

class UserNamespace final : public vfs::Namespace {
public:
    static constexpr u32 kMaxLevel = 32;

    /// The first one, in which every id is itself. `quota`: namespaces of each kind that one user may have.
    explicit UserNamespace(u64 quota);
    /// A child of the origin's owner, without maps; uid and gid are the effective ones of who makes it.
    UserNamespace(vfs::NamespaceOrigin origin, u32 gid);

    UserNamespace* parent() const { return owner(); } ///< null of the first one
    bool is_first() const { return !owner(); }
    u32 level() const { return level_; }
    u32 owner_uid() const { return maker_uid(); }
    u32 owner_gid() const { return owner_gid_; }
    /// Whether this is `other` or one of its descendants.
    bool is_within(UserNamespace const& other) const;

    /// From ids as this namespace has them to the kernel's; nothing for one that it does not know.
    std::optional<u32> uid_in(u32 uid) const { return uids.to_outside(uid); }
    std::optional<u32> gid_in(u32 gid) const { return gids.to_outside(gid); }
    /// From the kernel's ids to its own; what it does not know is shown as the overflow id.
    u32 uid_out(u32 uid) const { return uids.to_inside(uid).value_or(kOverflowId); }
    u32 gid_out(u32 gid) const { return gids.to_inside(gid).value_or(kOverflowId); }
    bool knows(u32 uid, u32 gid) const { return uids.to_inside(uid) && gids.to_inside(gid); }

    IdMap uids, gids, projects; ///< outside: the kernel's ids
    bool setgroups_allowed = true; ///< /proc/PID/setgroups; children begin with their parent's
    bool maker_could_setfcap = false; ///< whether its maker may map the parent's root

    /// How many namespaces of one kind a user may have in this one and those below it, and how many there are.
    struct Quota {
        u64 limit;
        std::map<u32, u64> used; ///< by uid
    };
    Quota& quota(vfs::NamespaceKind kind) { return quotas_[size_t(kind)]; }

private:
    u32 level_ = 0, owner_gid_ = 0;
    std::array<Quota, vfs::kNamespaceKinds> quotas_;
};

} // namespace umbra
