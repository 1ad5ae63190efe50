// SPDX-License-Identifier: GPL-2.0-or-later
// MOUNT_ATTR_* of fsmount(2), mount_setattr(2) and statmount(2), and the flags of mount(2) that they stand for.
#pragma once

#include "core/base/error.h"
#include "core/base/types.h"

namespace umbra {

class Task;
namespace vfs {
class FileSystem;
}

/// Who rules the mounts of the namespace he is in.
bool may_mount(Task& task);
/// Who may change the file system itself.
bool rules(Task& task, vfs::FileSystem& fs);
/// The flags of a new mount. EINVAL.
Result<u32> mount_flags_of_attributes(u64 attributes);
u64 attributes_of_mount_flags(u32 flags);

} // namespace umbra
