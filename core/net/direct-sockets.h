// SPDX-License-Identifier: GPL-2.0-or-later
// Where a namespace's internet sockets come from when they are not the kernel's own: the host, of whose network the guest has
// been given the use.
#pragma once

#include "core/net/socket.h"

namespace umbra::net {

class DirectSockets {
public:
    /// AF_INET or AF_INET6; type and protocol belong together, and the caller may have such a socket as far as the kernel is
    /// concerned. EACCES, EPERM, EAFNOSUPPORT: the host's answer. ENFILE, ENOBUFS.
    virtual Result<Ref<Socket>> make(
        NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 type, i32 protocol)
        = 0;

protected:
    ~DirectSockets() = default;
};

} // namespace umbra::net
