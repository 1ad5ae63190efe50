// SPDX-License-Identifier: GPL-2.0-or-later
// Calls on stream sockets: connect(2), accept(2), send(2), recv(2), shutdown(2), poll(2).
#include "core/net/inet/tcp-socket.h"

#include "core/abi/inet.h"
#include "core/abi/ioctl.h"
#include "core/kernel.h"
#include "core/net/network-namespace.h"
#include "core/net/unix/endpoint.h"
#include "core/task/task.h"

namespace umbra::net {

TcpSocket::TcpSocket(vfs::Path path, u32 flags, Ref<TcpEnd> end)
    : InetSocket(*end->space, std::move(path), flags, end->family, abi::sock_stream, abi::ipproto_tcp)
    , end_(std::move(end))
{
    end_->file = this;
}

TcpSocket::~TcpSocket()
{
    end_->file = nullptr;
    bool const abort = linger().on && linger().seconds == 0;
    end_->close(abort);
}

PortTable& TcpSocket::ports() const { return space().tcp_ports; }

Result<void> TcpSocket::listen(Task& task, i32 backlog)
{
    if (end_->state != State::closed && end_->state != State::listening) return err::inval;
    if (end_->was_connected) return err::inval;
    if (!end_->is_bound()) TRY(bind_for(task, end_->local));
    return end_->listen(u32(std::min<u64>(u32(backlog), u64(space().settings.most_pending))));
}

Result<void> TcpSocket::start_connecting(Task& task, SocketAddress const& address)
{
    InetName const to = TRY(destination(address));
    if (to.port == 0) return err::connrefused;
    Way const way = TRY(way_for(to.address));
    if (way == Way::nowhere) return err::timedout; // at once, instead of after two minutes
    TRY(bind_for(task, to));
    end_->error.reset();
    end_->remote = to;
    told_in_progress_ = true;
    if (way == Way::outside) {
        auto begun = space().uplink->connect(*end_);
        if (begun.is_error()) {
            told_in_progress_ = false;
            end_->close(false);
        }
        return begun;
    }
    if (TcpEnd* listener = TcpEnd::find_listener(space(), to, way_in()))
        end_->connect_to(*listener);
    else
        end_->be_refused();
    return {};
}

Result<void> TcpSocket::finish_connecting(Task& task)
{
    if (end_->state == State::connecting) {
        Nanoseconds const limit = wait_limit(abi::pollout);
        Nanoseconds deadline = kNever;
        if (limit != kNever) deadline = task.kernel().platform().now(platform::HostClock::monotonic) + limit;
        auto waited = end_->waiters.wait_until([&] { return end_->state != State::connecting; }, deadline);
        if (waited.is_error()) return waited.error() == err::timedout ? err::inprogress : waited.error();
    }
    told_in_progress_ = false;
    if (end_->state == State::connected) return {};
    auto refused = pending_error();
    end_->close(false);
    return refused.is_error() ? refused : err::connaborted;
}

Result<void> TcpSocket::connect(Task& task, SocketAddress const& address)
{
    if (address.length < sizeof(u16)) return err::inval;
    if (address.family() == abi::af_unspec) {
        MutexLock lock(end_->receive_mutex); // nobody reads what goes away
        end_->close(true);
        told_in_progress_ = false;
        return {};
    }
    if (told_in_progress_) {
        if (end_->state == State::connecting && is_nonblocking()) return err::already;
        return finish_connecting(task);
    }
    if (end_->state != State::closed || end_->was_connected) return err::isconn;
    TRY(start_connecting(task, address));
    // As on Linux, where the answer comes back while the socket is still locked: what does not wait never learns it here.
    if (is_nonblocking()) return err::inprogress;
    return finish_connecting(task);
}

Result<Ref<Socket>> TcpSocket::accept(u32 flags)
{
    if (end_->state != State::listening) return err::inval;
    auto next = end_->accept();
    if (!next) return err::again;
    auto socket = make_ref<TcpSocket>(make_socket_path(end_->kernel), flags, Ref<TcpEnd>(*next));
    socket->take_over_options(*this);
    return Ref<Socket>(socket);
}

Result<SocketAddress> TcpSocket::peer_address()
{
    return end_->is_alive() ? InetSocket::peer_address() : err::notconn;
}

Result<void> TcpSocket::shutdown(i32 how)
{
    if (how < abi::shut_rd || how > abi::shut_rdwr) return err::inval;
    bool const receive = how != abi::shut_wr, send = how != abi::shut_rd;
    if (end_->state == State::listening) {
        if (receive) end_->shut_receiving();
        return {};
    }
    if (end_->state == State::connecting) {
        end_->close(true);
        end_->error = err::connreset; // for who waits in connect(2), or asks for it
        told_in_progress_ = false;
        return {};
    }
    if (!end_->is_alive()) return err::notconn;
    if (receive) end_->shut_receiving();
    if (send) end_->finish_sending();
    return {};
}

i32 TcpSocket::take_error()
{
    auto error = std::exchange(end_->error, std::nullopt);
    return error ? i32(*error) : 0;
}

Result<void> TcpSocket::pending_error()
{
    i32 const error = take_error();
    return error ? Result<void>(Errno(error)) : Result<void>();
}

Result<u64> TcpSocket::send(Task& task, IoBuffer& data, SendRequest& request)
{
    u64 moved = 0;
    while (data.remaining() > 0 || moved == 0) {
        if (end_->state == State::connecting) return err::again;
        auto failed = pending_error();
        if (failed.is_error() && failed.error() != err::pipe) return failed.error();
        if (failed.is_error() || end_->send_shut || end_->state != State::connected) {
            if (data.transferred() == 0 && !(request.flags & abi::msg_nosignal))
                (void)send_signal(task, user_signal(abi::sigpipe, task)); // the error says it anyway
            return err::pipe;
        }
        if (data.remaining() == 0) return 0;
        u64 const space = end_->peer ? end_->send_space() : data.remaining();
        if (space == 0) return err::again;
        bool const to_nobody = !end_->peer;
        bool const more = request.flags & abi::msg_more || option(abi::ipproto_tcp, abi::tcp_cork);
        moved += TRY(end_->send(data, std::min(space, data.remaining()), more ? u64(segment_size()) : 0));
        if (!to_nobody) {
            if (request.flags & abi::msg_oob && data.remaining() == 0) end_->mark_urgent();
            continue;
        }
        // Sent after the peer has closed: its answer is a reset.
        end_->error = err::pipe;
        end_->was_reset = true;
        end_->receive_shut = end_->send_shut = true;
        end_->waiters.wake_all();
        return moved;
    }
    return moved;
}

Result<u64> TcpSocket::nothing_to_receive()
{
    if (end_->finished) return 0;
    TRY(pending_error());
    if (end_->receive_shut) return 0;
    if (end_->state == State::connecting) return err::again;
    return end_->state == State::connected ? err::again : Result<u64>(err::notconn);
}

/// Linux's errors (tcp_recv_urg): none, or one that is in the stream, is EINVAL.
Result<u64> TcpSocket::receive_urgent(IoBuffer& data, ReceiveRequest& request)
{
    if (end_->urgent != TcpEnd::Urgent::waiting || end_->urgent_in_line) return err::inval;
    u8 const byte = *end_->urgent_byte();
    request.result_flags |= abi::msg_oob;
    if (data.remaining() == 0) {
        request.result_flags |= abi::msg_trunc;
        return 0;
    }
    if (!(request.flags & abi::msg_trunc)) TRY(data.put_all(&byte, 1));
    if (!(request.flags & abi::msg_peek) && end_->urgent == TcpEnd::Urgent::waiting)
        end_->urgent = TcpEnd::Urgent::read;
    return 1;
}

Result<u64> TcpSocket::receive(Task&, IoBuffer& data, ReceiveRequest& request)
{
    if (request.flags & abi::msg_errqueue) return err::again;
    if (end_->state == State::listening) return err::notconn;
    MutexLock lock(end_->receive_mutex);
    if (request.flags & abi::msg_oob) return receive_urgent(data, request);
    bool const peek = request.flags & abi::msg_peek;
    if (data.remaining() == 0) return 0;
    TcpEnd::Reading how { .peek = peek, .drop = bool(request.flags & abi::msg_trunc) };
    bool ends_at_mark = false;
    if (end_->urgent != TcpEnd::Urgent::none) {
        u64 const before = end_->before_urgent();
        // Bytes before the mark and behind it are never read together.
        if (before == 0 && data.transferred() > 0 && !peek) return 0;
        ends_at_mark = before > 0 && before <= data.remaining();
        if (before > 0)
            how.most = before;
        else if (!end_->urgent_in_line && peek)
            how.skip = 1;
        else if (!end_->urgent_in_line)
            end_->pass_urgent();
    }
    u64 const moved = TRY(end_->receive(data, how));
    bool const over = end_->finished || end_->receive_shut || end_->error || ends_at_mark;
    if (moved == 0) return nothing_to_receive();
    if (!over && wants_more(request, data.transferred(), data.remaining())) return err::again;
    return moved;
}

u32 TcpSocket::readiness()
{
    TcpEnd& end = *end_;
    if (end.state == State::listening) return end.receive_queue_bytes() ? abi::pollin | abi::pollrdnorm : 0;
    u32 ready = end.error ? abi::pollerr : 0;
    bool const receives_no_more = end.finished || end.receive_shut;
    if ((receives_no_more && end.send_shut) || end.state == State::closed) ready |= abi::pollhup;
    if (receives_no_more) ready |= abi::pollin | abi::pollrdnorm | abi::pollrdhup;
    if (end.state == State::connecting) return ready;
    // An urgent byte that is next is not for those who read the stream.
    bool const is_at_mark
        = end.urgent != TcpEnd::Urgent::none && !end.urgent_in_line && end.before_urgent() == 0;
    // Where no more fits, what is wanted can never come.
    bool const is_full = end.peer && end.peer->send_space() == 0;
    if (end.queued >= receive_low_water() + is_at_mark || is_full) ready |= abi::pollin | abi::pollrdnorm;
    if (end.urgent == TcpEnd::Urgent::waiting) ready |= abi::pollpri;
    if (end.send_shut || end.is_writable()) ready |= abi::pollout | abi::pollwrnorm;
    return ready;
}

Result<i64> TcpSocket::ioctl(Task& task, u32 command, u64 argument)
{
    i32 value = 0;
    if (command == abi::siocinq || command == abi::siocoutq) {
        if (is_listening()) return err::inval;
        bool const to_mark = end_->urgent != TcpEnd::Urgent::none && !end_->urgent_in_line;
        if (command == abi::siocinq) value = i32(to_mark ? end_->before_urgent() : end_->queued);
        if (command == abi::siocoutq && end_->peer) value = i32(end_->peer->queued + end_->held());
    } else if (command == abi::siocatmark) {
        value = end_->urgent != TcpEnd::Urgent::none && end_->before_urgent() == 0;
    } else {
        return InetSocket::ioctl(task, command, argument);
    }
    TRY(UserOut<i32> { GuestAddr(argument) }.copy_out(task, value));
    return 0;
}

} // namespace umbra::net
