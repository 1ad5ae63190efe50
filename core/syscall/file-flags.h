// SPDX-License-Identifier: GPL-2.0-or-later
// The flags of files that chattr(1) and lsattr(1) know: ioctl_iflags(2), and FS_IOC_FSGETXATTR with its kin.
#pragma once

#include <optional>

#include "core/syscall/syscall.h"

namespace umbra {

/// Nothing: the command is another, or the file system keeps no flags. EPERM, EROFS, EOPNOTSUPP for flags it does not keep.
std::optional<SyscallResult> file_flags_ioctl(Task& task, vfs::File& file, u32 command, u64 argument);

} // namespace umbra
