// SPDX-License-Identifier: GPL-2.0-or-later
// Names and numbers of mounts as their lists show them.
#include "core/vfs/mount-names.h"

namespace umbra::vfs {

bool is_visible(Mount& mount, Path const& root)
{
    return is_below({ Ref<Mount>(mount), mount.root() }, root);
}

std::string mount_point(Mount& mount, Path const& root)
{
    if (!is_visible(mount, root)) return {};
    if (root.mount == &mount) return "/";
    return path_to_string({ Ref<Mount>(*mount.parent()), Ref<Dentry>(mount.mountpoint()) }, root);
}

std::string root_within_file_system(Mount const& mount)
{
    if (!mount.root()->parent() && !mount.root()->name().empty()) return mount.root()->name();
    if (std::string shown = mount.file_system().shown_root(*mount.root()); !shown.empty()) return shown;
    std::string path = mount.root()->is_unlinked() ? "//deleted" : "";
    for (Dentry const* at = mount.root().get(); at->parent(); at = at->parent().get())
        path = "/" + at->name() + path;
    return path.empty() ? "/" : path;
}

u32 dominating_group(Mount const& mount, MountNamespace const& space, Path const& root)
{
    for (auto* group = mount.master(); group; group = group->master())
        for (Mount& peer : group->members)
            if (space.contains(peer) && is_visible(peer, root)) return group->id();
    return 0;
}

} // namespace umbra::vfs
