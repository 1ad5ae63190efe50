// SPDX-License-Identifier: GPL-2.0-or-later
// O_ASYNC (Linux: fasync): a pipe, socket or terminal signals its owner when it may be read or written. Made by fcntl(2)
// F_SETFL and ioctl(2) FIOASYNC.
#pragma once

#include "core/vfs/file.h"

namespace umbra::vfs {

/// Sets or clears O_ASYNC of a file that has a wait queue. Signals name `fd`, the descriptor it was set by.
void set_async(File& file, i32 fd, bool on);

} // namespace umbra::vfs
