// SPDX-License-Identifier: GPL-2.0-or-later
// The slow path of notifications: somebody watches.
#include "core/vfs/notify.h"

namespace umbra::vfs {

void notify_watches(Inode& inode, InodeWatch::Event const& event)
{
    // A watch may drop the last reference but this one.
    Ref<Inode> alive(inode);
    for (InodeWatch& watch : inode.watches)
        watch.happened(event);
}

} // namespace umbra::vfs
