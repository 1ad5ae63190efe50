// SPDX-License-Identifier: GPL-2.0-or-later
// The table of mounts and their numbers.
#include "core/vfs/mount-table.h"

#include <algorithm>

namespace umbra::vfs {

u32 NumberPool::take()
{
    if (free_.empty()) return ++last_;
    u32 number = *free_.begin();
    free_.erase(free_.begin());
    return number;
}

MountTable::MountTable(u64 memory)
    : most_(std::max<u64>(memory >> 14, 16384))
{
}

Mount* MountTable::find(Mount const& parent, Dentry const& place) const
{
    auto it = mounted_.find({ &parent, &place });
    return it == mounted_.end() ? nullptr : it->second;
}

void MountTable::insert(Mount const& parent, Dentry const& place, Mount& mount)
{
    mounted_[{ &parent, &place }] = &mount;
}

void MountTable::erase(Mount const& parent, Dentry const& place) { mounted_.erase({ &parent, &place }); }

} // namespace umbra::vfs
