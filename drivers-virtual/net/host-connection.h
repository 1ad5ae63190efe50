// SPDX-License-Identifier: GPL-2.0-or-later
// One connection of a guest's with the outside: moves bytes between the far end, which stands for the peer, and a socket of the
// host's. It is woken as a socket's user is: by the far end's queue, when the guest has sent, read, shut or closed; and by the
// ring, when the host's socket can go on. Holds itself while it has something to do.
#pragma once

#include "core/net/inet/tcp-end.h"
#include "core/net/interface.h"
#include "drivers-virtual/net/host-watch.h"
#include "hostabi/socket.h"

namespace umbra::drivers {

class HostConnection final : public WatchUser, private Waiter, private net::TcpEnd::Outlet {
public:
    /// The guest asked: `socket` is being connected. `near` is connecting from now on.
    static void begin(Kernel& kernel, HostIo& io, hostabi::HostSocket socket, net::TcpEnd& near,
        net::InterfaceCounters& counters);
    /// Somebody outside asked: `socket` is connected, and `far` asks a listener of the guest's.
    static void take(Kernel& kernel, HostIo& io, hostabi::HostSocket socket, Ref<net::TcpEnd> far,
        net::InterfaceCounters& counters);

private:
    HostConnection(Kernel& kernel, HostIo& io, hostabi::HostSocket socket, Ref<net::TcpEnd> far,
        net::InterfaceCounters& counters);

    void ready(HostWatch& watch, u32 events) override;
    void notify(u32 events) override;
    u64 send_now(std::span<u8 const> bytes) override;
    void host_connected();
    /// Does all that can be done now.
    void pump();
    void send_to_host();
    void receive_from_host();
    void end(bool abort);

    Kernel& kernel_;
    hostabi::HostSocket socket_;
    Ref<net::TcpEnd> far_;
    net::InterfaceCounters& counters_;
    HostWatch readable_, writable_;
    bool is_connecting_ = false; ///< the host's socket
    bool is_pumping_ = false, must_pump_ = false;
    bool host_finished_ = false; ///< the host's peer sends no more
    bool comes_fast_ = false; ///< as much came as was asked for
    bool told_host_ = false; ///< that the guest sends no more
    bool is_over_ = false;
};

} // namespace umbra::drivers
