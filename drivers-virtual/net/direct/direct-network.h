// SPDX-License-Identifier: GPL-2.0-or-later
// `--net host`: a guest's internet sockets are the host's own, and so are its addresses. What they do the host does; the kernel
// keeps who may have which, and waits in their stead. References: the network knows the sockets that are open, by a number that
// the host's events carry. Under the kernel lock.
#pragma once

#include <unordered_map>

#include "core/net/direct-sockets.h"
#include "core/net/network-namespace.h"
#include "drivers-virtual/net/host-watch.h"
#include "hostabi/interfaces.h"
#include "hostabi/plain-socket.h"

namespace umbra::drivers {

class DirectSocket;

class DirectNetwork final : public net::DirectSockets {
public:
    DirectNetwork(Kernel& kernel, HostIo& io);
    ~DirectNetwork();

    /// Takes the place of the namespace's own sockets, and shows it the host's interfaces. Before the vCPUs run.
    hostabi::HostResult<void> attach(
        net::NetworkNamespace& space, std::vector<hostabi::HostInterface> const& interfaces);
    /// Begins to hear what happens at sockets. On a vCPU.
    void start();

    Result<Ref<net::Socket>> make(
        net::NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 type, i32 protocol) override;

    Kernel& kernel() const { return kernel_; }
    /// ENOBUFS.
    Result<void> enter(DirectSocket& socket);
    void leave(DirectSocket& socket);

private:
    class Ear;

    Kernel& kernel_;
    hostabi::SocketEvents events_;
    Ref<Ear> ear_;
    std::unordered_map<u64, DirectSocket*> sockets_ {};
    u64 last_key_ = 0;
};

} // namespace umbra::drivers
