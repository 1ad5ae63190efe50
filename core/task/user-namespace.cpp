// SPDX-License-Identifier: GPL-2.0-or-later
// The tree of user namespaces.
#include "core/task/user-namespace.h"

#include <cstdint>

namespace umbra {

using vfs::NamespaceKind;

UserNamespace::UserNamespace(u64 quota)
    : Namespace(NamespaceKind::user, { vfs::info_of(NamespaceKind::user).first_number, nullptr })
    , uids(IdMap::identity())
    , gids(IdMap::identity())
    , projects(IdMap::identity())
    , maker_could_setfcap(true)
{
    quotas_.fill({ quota, {} });
}

UserNamespace::UserNamespace(vfs::NamespaceOrigin origin, u32 gid)
    : Namespace(NamespaceKind::user, std::move(origin))
    , setgroups_allowed(parent()->setgroups_allowed)
    , level_(parent()->level() + 1)
    , owner_gid_(gid)
{
    quotas_.fill({ INT32_MAX, {} }); // those above limit it
}

bool UserNamespace::is_within(UserNamespace const& other) const
{
    UserNamespace const* at = this;
    while (at && at->level_ > other.level_)
        at = at->parent();
    return at == &other;
}

} // namespace umbra
