// SPDX-License-Identifier: GPL-2.0-or-later
// The first process's stdin, stdout and stderr where they are no terminals: the host's descriptors passed
// through as they are, pipes, files, sockets and devices alike. fstat shows the host's type; /dev/stdin and
// /proc/self/fd/N open them again. Made by the composition.
#pragma once

#include "core/vfs/file.h"
#include "drivers-virtual/host-io.h"
#include "hostabi/host-result.h"

namespace umbra::drivers {

/// Whom the guest sees as the owner of a passed-through descriptor: the first process's ids.
struct StdioOwner {
    u32 uid = 0, gid = 0;
};

/// A guest file for the host's descriptor `host_fd`, of which it keeps a duplicate. EBADF: not open.
hostabi::HostResult<Ref<vfs::File>> make_stdio_file(
    Kernel& kernel, HostIo& io, int host_fd, StdioOwner owner);

} // namespace umbra::drivers
