// SPDX-License-Identifier: GPL-2.0-or-later
// signalfd(2): pending signals as a file. What a read takes are the reading task's own and its process's
// signals.
#pragma once

#include "core/vfs/file.h"

namespace umbra::ipc {

/// `signals`: the set to be read. `flags`: O_NONBLOCK.
Ref<vfs::File> make_signalfd(Kernel& kernel, u64 signals, u32 flags);
/// Gives an existing signalfd another set. EINVAL where `file` is none.
Result<void> set_signalfd_signals(vfs::File& file, u64 signals);

} // namespace umbra::ipc
