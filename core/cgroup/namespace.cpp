// SPDX-License-Identifier: GPL-2.0-or-later
// Whose tree begins where.
#include "core/cgroup/namespace.h"

#include "core/kernel.h"
#include "core/task/namespaces.h"
#include "core/task/task.h"

namespace umbra::cgroup {

CgroupNamespace& namespace_of(Task const& task)
{
    // NamespaceSet's member of that name is of that kind.
    return static_cast<CgroupNamespace&>(*task.namespaces().cgroup);
}

Cgroup& root_of(CgroupNamespace const& space, Hierarchy& hierarchy)
{
    return space.root ? *space.root : hierarchy.root();
}

Cgroup& visible_root(Task const& task) { return root_of(namespace_of(task), task.kernel().cgroups()); }

} // namespace umbra::cgroup
