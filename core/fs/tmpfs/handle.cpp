// SPDX-License-Identifier: GPL-2.0-or-later
// Finding an object of a tmpfs by its number: a search of the tree. Handles are rare here, and so nothing is kept
// for them: no index costs memory, and no handle keeps a deleted file alive.
#include "core/fs/tmpfs/tmpfs-inode.h"

namespace umbra::fs {

Result<std::vector<std::string>> TmpfsFileSystem::names_of(u64 inode_number) const
{
    struct Level {
        TmpfsDirectory const* directory;
        i64 position = 0;
    };
    std::vector<std::string> names;
    if (root_->number() == inode_number) return names;
    // A loop, since a tree may be deeper than a kernel stack.
    std::vector<Level> levels { { root_.get() } };
    while (!levels.empty()) {
        auto child = levels.back().directory->child_from(levels.back().position);
        if (!child) {
            levels.pop_back();
            if (!names.empty()) names.pop_back();
            continue;
        }
        levels.back().position = child->next;
        auto const* directory = dynamic_cast<TmpfsDirectory const*>(child->inode);
        bool const found = child->inode->number() == inode_number;
        if (found || directory) names.emplace_back(child->name);
        if (found) return names;
        if (directory) levels.push_back({ directory });
    }
    return err::stale;
}

} // namespace umbra::fs
