// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/host-connection.h"

#include <poll.h>

#include "core/kernel.h"
#include "core/task/scheduler.h"
#include "drivers-virtual/net/host-errors.h"

namespace umbra::drivers {

namespace {
constexpr u64 kPiece = 16 << 10, kLargePiece = 64 << 10; ///< bytes that are asked for at once
constexpr u64 kMostInARow = 1 << 20; ///< then others get their turn
} // namespace

HostConnection::HostConnection(Kernel& kernel, HostIo& io, hostabi::HostSocket socket, Ref<net::TcpEnd> far,
    net::InterfaceCounters& counters)
    : kernel_(kernel)
    , socket_(std::move(socket))
    , far_(std::move(far))
    , counters_(counters)
    , readable_(io, *this)
    , writable_(io, *this)
{
    socket_.send_at_once();
    far_->waiters.add(*this);
    far_->outlet = this;
    ref(); // until end()
}

void HostConnection::begin(Kernel& kernel, HostIo& io, hostabi::HostSocket socket, net::TcpEnd& near,
    net::InterfaceCounters& counters)
{
    Ref<HostConnection> made(
        *new HostConnection(kernel, io, std::move(socket), near.begin_outside(), counters), AdoptTag::adopt);
    made->is_connecting_ = true;
    made->writable_.wait_for(made->socket_.fd(), POLLOUT);
}

void HostConnection::take(Kernel& kernel, HostIo& io, hostabi::HostSocket socket, Ref<net::TcpEnd> far,
    net::InterfaceCounters& counters)
{
    Ref<HostConnection> made(
        *new HostConnection(kernel, io, std::move(socket), std::move(far), counters), AdoptTag::adopt);
    made->pump();
}

void HostConnection::ready(HostWatch&, u32)
{
    if (is_over_) return;
    if (is_connecting_) return host_connected();
    pump();
}

void HostConnection::notify(u32)
{
    if (!is_over_ && !is_connecting_) return pump();
    if (is_connecting_ && !far_->peer) end(true); // the guest does not want it any more
}

void HostConnection::host_connected()
{
    if (!far_->peer) return end(true);
    i32 const error = socket_.error();
    if (error) {
        far_->refuse_outside(guest_error(hostabi::HostErrno { error }));
        return end(false);
    }
    is_connecting_ = false;
    far_->accept_outside();
    pump();
}

void HostConnection::pump()
{
    // What is done here wakes queues, this one's as well.
    must_pump_ = true;
    if (std::exchange(is_pumping_, true)) return;
    while (std::exchange(must_pump_, false) && !is_over_) {
        if (far_->state == net::TcpEnd::State::closed) {
            end(far_->error.has_value()); // nobody listens, or the listener has gone
            break;
        }
        if (far_->state == net::TcpEnd::State::connecting) break; // in a listener's queue
        send_to_host();
        if (!is_over_) receive_from_host();
        if (is_over_ || far_->peer) continue;
        // The guest has closed its end: with a reset, or after all that it sent has gone out.
        if (far_->error)
            end(true);
        else if (far_->queued == 0)
            end(false);
    }
    is_pumping_ = false;
}

void HostConnection::send_to_host()
{
    while (far_->queued > 0) {
        auto const sent = socket_.send(far_->unread());
        if (sent.is_error()) {
            if (!is_not_now(sent.error())) return end(true); // to the guest a connection that broke was reset
            return writable_.wait_for(socket_.fd(), POLLOUT);
        }
        counters_.count_sent(sent.value());
        far_->consume(sent.value());
    }
    if (far_->finished && far_->peer && !std::exchange(told_host_, true)) (void)socket_.finish_sending();
    if (told_host_ && host_finished_) end(false);
}

u64 HostConnection::send_now(std::span<u8 const> bytes)
{
    if (is_over_ || is_connecting_ || far_->state == net::TcpEnd::State::connecting) return 0;
    auto const sent = socket_.send(bytes);
    if (sent.is_error()) return 0; // the queue's turn, which meets it as well
    counters_.count_sent(sent.value());
    return sent.value();
}

void HostConnection::receive_from_host()
{
    if (host_finished_) return;
    for (u64 moved = 0; far_->peer && far_->send_space() > 0;) {
        auto const room
            = far_->room_at_peer(std::min(far_->send_space(), comes_fast_ ? kLargePiece : kPiece));
        if (room.is_error()) {
            // The kernel's memory is used up. Goes on when the guest has read; with nothing to read it would hang.
            if (far_->peer->queued == 0) end(true);
            return;
        }
        auto const received = socket_.receive(room.value());
        if (received.is_error()) {
            far_->give_back_room();
            if (!is_not_now(received.error())) return end(true);
            return readable_.wait_for(socket_.fd(), POLLIN | POLLRDHUP);
        }
        if (received.value() == 0) {
            far_->give_back_room();
            host_finished_ = true;
            far_->finish_sending();
            if (told_host_) end(false);
            return;
        }
        comes_fast_ = received.value() >= std::min(room.value().size(), kPiece);
        counters_.count_received(received.value());
        far_->send_from_room(received.value());
        moved += received.value();
        if (moved >= kMostInARow) return readable_.wait_for(socket_.fd(), POLLIN | POLLRDHUP);
    }
}

void HostConnection::end(bool abort)
{
    if (std::exchange(is_over_, true)) return;
    is_connecting_ = false;
    far_->outlet = nullptr;
    readable_.stop();
    writable_.stop();
    if (abort) socket_.reset_on_close();
    socket_.close();
    far_->close(abort);
    // Not here: the queue that tells this one may be at work on it.
    kernel_.scheduler().active().run_soon([this] {
        unlink();
        unref();
    });
}

} // namespace umbra::drivers
