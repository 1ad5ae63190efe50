// SPDX-License-Identifier: GPL-2.0-or-later
// eventfd(2): a 64-bit counter as a file. Made by the eventfd2 system call.
#pragma once

#include "core/vfs/file.h"

namespace umbra::ipc {

constexpr u32 efd_semaphore = 1;

/// `flags`: EFD_SEMAPHORE and O_NONBLOCK.
Ref<vfs::File> make_eventfd(Kernel& kernel, u64 initial, u32 flags);

bool is_eventfd(vfs::File const& file);
/// Adds one to the counter of an eventfd; a counter that is full stays so. For the kernel: never blocks.
void signal_eventfd(vfs::File& file);

} // namespace umbra::ipc
