// SPDX-License-Identifier: GPL-2.0-or-later
// Mounts that no namespace shows: where files live that have no name in any directory. Owned by the Kernel.
#pragma once

#include "core/vfs/path.h"

namespace umbra::vfs {

struct InternalMounts {
    Ref<Mount> anonymous; ///< of Kernel::anonymous_files(): anon_inodes, pipes, sockets
    Ref<Mount> shared_memory; ///< an unlimited tmpfs: memfd_create, shared anonymous memory, SysV segments
};

/// The file system behind Kernel::anonymous_files().
Ref<FileSystem> make_anonymous_file_system(Kernel& kernel);
/// Makes both mounts; `anonymous` is Kernel::anonymous_files().
InternalMounts make_internal_mounts(Kernel& kernel, Ref<FileSystem> anonymous);

} // namespace umbra::vfs
