// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/ethernet/connection.h"

#include "core/kernel.h"
#include "core/task/scheduler.h"
#include "drivers-virtual/net/ethernet/lwip-address.h"
#include "lwip/priv/tcp_priv.h"

namespace umbra::drivers {

namespace {

constexpr u64 kPiece = 32 << 10; ///< bytes that are moved at once

Errno errno_of_begin(err_t error)
{
    switch (error) {
    case ERR_USE: // the same connection, not long ago
        return err::addrnotavail;
    case ERR_RTE:
    case ERR_VAL:
        return err::netunreach;
    default:
        return err::nobufs;
    }
}

} // namespace

StackConnection::StackConnection(IpStack& stack, tcp_pcb* pcb, Ref<net::TcpEnd> far)
    : stack_(stack)
    , pcb_(pcb)
    , far_(std::move(far))
{
    tcp_arg(pcb, this);
    tcp_recv(pcb, received);
    tcp_sent(pcb, acknowledged);
    tcp_err(pcb, failed);
    tcp_nagle_disable(pcb);
    far_->waiters.add(*this);
    stack_.enlist(*this);
    ref(); // until end()
}

StackConnection::~StackConnection() = default;

Result<void> StackConnection::begin(IpStack& stack, net::TcpEnd& near)
{
    return stack.run([&]() -> Result<void> {
        tcp_pcb* const pcb = tcp_new_ip_type(near.remote.address.is_v4() ? IPADDR_TYPE_V4 : IPADDR_TYPE_V6);
        if (!pcb) return err::nobufs;
        // The guest's ports are looked after by the kernel; what is left of an earlier connection is not in the way.
        ip_set_option(pcb, SOF_REUSEADDR);
        ip_addr_t const own = lwip_address(stack.address(near.remote.address.is_v4())),
                        there = lwip_address(near.remote.address);
        err_t error = tcp_bind(pcb, &own, near.local.port);
        if (error == ERR_OK) error = tcp_connect(pcb, &there, near.remote.port, connected);
        if (error != ERR_OK) {
            tcp_abort(pcb);
            return errno_of_begin(error);
        }
        Ref<StackConnection> made(*new StackConnection(stack, pcb, near.begin_outside()), AdoptTag::adopt);
        made->is_connecting_ = true;
        return {};
    });
}

void StackConnection::take(IpStack& stack, tcp_pcb* pcb, Ref<net::TcpEnd> far)
{
    Ref<StackConnection> made(*new StackConnection(stack, pcb, std::move(far)), AdoptTag::adopt);
    stack.note(*made);
}

err_t StackConnection::connected(void* self, tcp_pcb*, err_t)
{
    auto& connection = *static_cast<StackConnection*>(self);
    connection.is_connected_ = true;
    connection.stack_.note(connection);
    return ERR_OK;
}

err_t StackConnection::received(void* self, tcp_pcb*, pbuf* data, err_t)
{
    auto& connection = *static_cast<StackConnection*>(self);
    if (data) {
        connection.inbox_.push_back(data);
    } else {
        connection.peer_finished_ = true;
        // Both have finished: the library forgets it without a word when it has waited long enough.
        if (connection.told_peer_) connection.detach();
    }
    connection.stack_.note(connection);
    return ERR_OK;
}

err_t StackConnection::acknowledged(void* self, tcp_pcb*, u16_t)
{
    auto& connection = *static_cast<StackConnection*>(self);
    connection.stack_.note(connection);
    return ERR_OK;
}

void StackConnection::failed(void* self, err_t error)
{
    auto& connection = *static_cast<StackConnection*>(self);
    connection.pcb_ = nullptr;
    connection.error_ = error;
    connection.stack_.note(connection);
}

void StackConnection::notify(u32)
{
    if (!is_over_) pump();
}

void StackConnection::pump()
{
    // What is done here wakes queues, this one's as well.
    must_pump_ = true;
    if (std::exchange(is_pumping_, true)) return;
    Ref<StackConnection> const alive(*this);
    stack_.run([&] {
        while (std::exchange(must_pump_, false) && !is_over_) {
            if (is_connecting_ && !pump_connecting()) break;
            if (far_->state == net::TcpEnd::State::closed) {
                end(far_->error.has_value()); // nobody listens, or the listener has gone
                break;
            }
            // In a listener's queue it has time.
            if (far_->state == net::TcpEnd::State::connecting && pcb_) break;
            move_out();
            move_in();
            look_for_the_end();
        }
    });
    is_pumping_ = false;
}

/// False: it goes on connecting, or there is nothing more to do.
bool StackConnection::pump_connecting()
{
    if (!far_->peer) { // the guest does not want it any more
        end(true);
    } else if (is_connected_ && (pcb_ || !inbox_.empty() || peer_finished_)) {
        is_connecting_ = false;
        far_->accept_outside();
        return true;
    } else if (!pcb_) {
        far_->refuse_outside(error_ == ERR_RST         ? err::connrefused
                : stack_.is_found(far_->local.address) ? err::timedout
                                                       : err::hostunreach);
        end(false);
    }
    return false;
}

void StackConnection::move_out()
{
    bool has_written = false;
    while (pcb_ && far_->queued > 0 && !told_peer_) {
        auto const data = far_->unread();
        u64 const count = std::min<u64>({ data.size(), tcp_sndbuf(pcb_), kPiece });
        // Full: what is acknowledged makes room.
        if (count == 0 || tcp_write(pcb_, data.data(), u16_t(count), TCP_WRITE_FLAG_COPY) != ERR_OK) break;
        has_written = true;
        stack_.counters().count_sent(count);
        far_->consume(count);
    }
    if (pcb_ && has_written) tcp_output(pcb_);
    bool const tells = pcb_ && far_->finished && far_->peer && far_->queued == 0;
    if (tells && !std::exchange(told_peer_, true)) tcp_shutdown(pcb_, 0, 1);
}

void StackConnection::move_in()
{
    while (!inbox_.empty() && far_->peer && far_->send_space() > 0) {
        pbuf* const first = inbox_.front();
        auto const room = far_->room_at_peer(std::min({ far_->send_space(), kPiece, u64(first->tot_len) }));
        if (room.is_error()) {
            // The kernel's memory is used up. Goes on when the guest has read; with nothing to read it would hang.
            if (far_->peer->queued == 0) end(true);
            return;
        }
        u16_t const count = pbuf_copy_partial(first, room.value().data(), u16_t(room.value().size()), 0);
        stack_.counters().count_received(count);
        inbox_.front() = pbuf_free_header(first, count);
        if (!inbox_.front()) inbox_.pop_front();
        far_->send_from_room(count);
        if (pcb_) tcp_recved(pcb_, count);
    }
    if (inbox_.empty() && peer_finished_ && far_->peer && !std::exchange(told_guest_, true))
        far_->finish_sending();
}

void StackConnection::look_for_the_end()
{
    if (is_over_) return;
    if (!far_->peer) {
        // The guest has closed its end: with a reset, or after all that it sent has gone out.
        if (far_->error || !pcb_)
            end(true);
        else if (far_->queued == 0)
            end(false);
    } else if (told_guest_ && told_peer_) {
        end(false);
    } else if (!pcb_ && inbox_.empty() && (!told_guest_ || far_->queued > 0)) {
        end(true); // to the guest a connection that broke was reset
    }
}

void StackConnection::detach()
{
    if (!pcb_) return;
    tcp_arg(pcb_, nullptr);
    tcp_recv(pcb_, nullptr);
    tcp_sent(pcb_, nullptr);
    tcp_err(pcb_, nullptr);
    pcb_ = nullptr;
}

void StackConnection::end(bool abort)
{
    if (std::exchange(is_over_, true)) return;
    is_connecting_ = false;
    if (tcp_pcb* const pcb = pcb_) {
        detach();
        // Where it can only break it off it does; with data that nobody has read it breaks it off by itself, as Linux does.
        if (abort || tcp_close(pcb) != ERR_OK) tcp_abort(pcb);
    }
    for (pbuf* const data : std::exchange(inbox_, {}))
        pbuf_free(data);
    far_->close(abort);
    stack_.forget(*this);
    // Not here: the queue that tells this one may be at work on it.
    stack_.kernel().scheduler().active().run_soon([this] {
        unlink();
        unref();
    });
}

} // namespace umbra::drivers
