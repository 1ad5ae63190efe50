// SPDX-License-Identifier: GPL-2.0-or-later
// Cgroup namespaces (cgroup_namespaces(7)): the group that its members see as the root of the tree.
#pragma once

#include "core/cgroup/cgroup.h"
#include "core/vfs/namespace.h"

namespace umbra::cgroup {

struct CgroupNamespace final : vfs::Namespace {
    CgroupNamespace(vfs::NamespaceOrigin origin, RefPtr<Cgroup> root)
        : Namespace(vfs::NamespaceKind::cgroup, std::move(origin))
        , root(std::move(root))
    {
    }
    RefPtr<Cgroup> const root; ///< null: the hierarchy's, of the first namespace
};

CgroupNamespace& namespace_of(Task const& task);
Cgroup& root_of(CgroupNamespace const& space, Hierarchy& hierarchy);
/// What the task sees as "/".
Cgroup& visible_root(Task const& task);

} // namespace umbra::cgroup
