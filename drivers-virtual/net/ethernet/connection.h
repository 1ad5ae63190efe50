// SPDX-License-Identifier: GPL-2.0-or-later
// One connection with another machine: moves bytes between the far end, which stands for the peer, and the
// library's connection. It is woken by the far end's queue, when the guest has sent, read, shut or closed, and by the notes that
// the library's callbacks have taken. Holds itself while it has something to do.
#pragma once

#include <deque>

#include "core/net/inet/tcp-end.h"
#include "drivers-virtual/net/ethernet/stack.h"
#include "lwip/tcp.h"

namespace umbra::drivers {

class StackConnection final : public RefCounted, private Waiter {
public:
    /// The guest asks. EADDRINUSE, EADDRNOTAVAIL, ENETUNREACH, ENOBUFS; otherwise `near` is connecting from now on.
    static Result<void> begin(IpStack& stack, net::TcpEnd& near);
    /// Somebody has connected to a listener of the guest's. Inside the library.
    static void take(IpStack& stack, tcp_pcb* pcb, Ref<net::TcpEnd> far);
    ~StackConnection() override;

    /// Does all that can be done now. Outside the library.
    void pump();
    /// The guest has closed it, and not all that he sent is with the library.
    bool is_flushing() const { return !is_over_ && !far_->peer && far_->queued > 0; }

private:
    friend class IpStack;
    StackConnection(IpStack& stack, tcp_pcb* pcb, Ref<net::TcpEnd> far);

    void notify(u32 events) override;
    bool pump_connecting();
    void move_out();
    void move_in();
    void look_for_the_end();
    void detach();
    void end(bool abort);

    static err_t connected(void* self, tcp_pcb* pcb, err_t error);
    static err_t received(void* self, tcp_pcb* pcb, pbuf* data, err_t error);
    static err_t acknowledged(void* self, tcp_pcb* pcb, u16_t count);
    static void failed(void* self, err_t error);

    IpStack& stack_;
    tcp_pcb* pcb_; ///< null: the library has done with it
    Ref<net::TcpEnd> far_;
    std::deque<pbuf*> inbox_; ///< what has come and found no room with the guest
    err_t error_ = ERR_OK;
    bool is_noted_ = false; ///< in the stack's list
    bool is_connecting_ = false, is_connected_ = false;
    bool is_pumping_ = false, must_pump_ = false;
    bool peer_finished_ = false; ///< no more comes
    bool told_guest_ = false; ///< of that
    bool told_peer_ = false; ///< that the guest sends no more
    bool is_over_ = false;
};

} // namespace umbra::drivers
