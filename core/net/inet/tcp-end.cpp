// SPDX-License-Identifier: GPL-2.0-or-later
// The life of a connection: asked for, made, used, closed or reset.
#include "core/net/inet/tcp-end.h"

#include "core/abi/inet.h"
#include "core/kernel.h"
#include "core/net/capture/capture.h"
#include "core/net/inet/tcp-cork.h"
#include "core/net/inet/tcp-socket.h"
#include "core/net/network-namespace.h"
#include "core/net/unix/endpoint.h"

namespace umbra::net {

namespace {

constexpr u64 kDefaultSend = 87380, kDefaultReceive = 131072; ///< net.ipv4.tcp_wmem, tcp_rmem
constexpr u64 kEndOverhead = 1024; ///< what an end counts: a listener's queue has some without a descriptor
constexpr u32 kReadable = abi::pollin | abi::pollrdnorm;
constexpr u32 kWritable = abi::pollout | abi::pollwrnorm;

} // namespace

TcpEnd::TcpEnd(NetworkNamespace& space, i32 family)
    : PortUser(family)
    , space(space)
    , kernel(space.kernel)
    , send_limit(kDefaultSend)
    , receive_limit(kDefaultReceive)
{
    Network::of(kernel).queued_bytes += kEndOverhead;
}

TcpEnd::~TcpEnd()
{
    drop_queue();
    Network::of(kernel).queued_bytes -= kEndOverhead;
    space->tcp_ports.release(*this);
}

u32 TcpEnd::state_number() const
{
    switch (state) {
    case State::listening:
        return abi::tcp_listen;
    case State::connecting:
        return abi::tcp_syn_sent;
    case State::closed:
        return abi::tcp_close;
    case State::connected:
        break;
    }
    if (!is_alive()) return abi::tcp_close;
    if (finished) return abi::tcp_close_wait;
    return send_shut ? abi::tcp_fin_wait2 : abi::tcp_established;
}

u64 TcpEnd::receive_queue_bytes() const { return state == State::listening ? pending_.size() : queued; }

u64 TcpEnd::inode_number() const { return file ? file->inode().number() : 0; }

Result<void> TcpEnd::listen(u32 backlog)
{
    if (state != State::listening && space->tcp_ports.has_other_listener(*this)) return err::addrinuse;
    backlog_ = backlog;
    state = State::listening;
    is_listening = true;
    admit_waiting();
    return {};
}

TcpEnd* TcpEnd::find_listener(NetworkNamespace const& space, InetName const& name, i32 interface)
{
    TcpEnd* found = nullptr;
    int best = -1;
    auto [first, last] = space.tcp_ports.users().equal_range(name.port);
    for (auto at = first; at != last; ++at) {
        PortUser& user = *at->second;
        if (!user.is_listening || !user.covers(name.address) || !user.hears(interface)) continue;
        int const score = 2 * (user.local.address == name.address) + (user.only_interface != 0);
        if (score > best) found = static_cast<TcpEnd*>(&user), best = score;
    }
    return found;
}

void TcpEnd::connect_to(TcpEnd& listener)
{
    if (!Network::has_room(kernel, kEndOverhead)) return fail(err::nobufs);
    state = State::connecting;
    if (space->capture) [[unlikely]]
        space->capture->tcp_asks(*this);
    if (listener.has_backlog_room()) {
        establish(listener);
    } else {
        listener.connecting_.push_back(Ref<TcpEnd>(*this));
        asked_ = &listener;
    }
}

void TcpEnd::stop_asking()
{
    if (TcpEnd* listener = std::exchange(asked_, nullptr))
        std::erase_if(listener->connecting_, [&](auto const& end) { return end == this; });
}

void TcpEnd::establish(TcpEnd& listener)
{
    auto server = make_ref<TcpEnd>(*space, listener.family);
    space->tcp_ports.share(*server, listener, remote);
    server->remote = local;
    server->send_limit = listener.send_limit, server->receive_limit = listener.receive_limit;
    server->peer = this;
    peer = server;
    for (TcpEnd* end : { this, server.get() }) {
        end->state = State::connected;
        end->was_connected = true;
        end->receive_shut = end->send_shut = end->finished = end->was_reset = false;
    }
    if (space->capture) [[unlikely]]
        space->capture->tcp_answers(*server);
    listener.pending_.push_back(std::move(server));
    listener.waiters.wake_all(kReadable);
    waiters.wake_all();
}

Ref<TcpEnd> TcpEnd::begin_outside()
{
    auto far = make_ref<TcpEnd>(*space, family);
    far->local = remote, far->remote = local;
    far->peer = this;
    peer = far;
    if (space->capture) [[unlikely]]
        space->capture->tcp_asks(*this);
    state = far->state = State::connecting;
    return far;
}

void TcpEnd::accept_outside()
{
    for (TcpEnd* end : { this, peer.get() }) {
        end->state = State::connected;
        end->was_connected = true;
        end->receive_shut = end->send_shut = end->finished = end->was_reset = false;
    }
    if (space->capture) [[unlikely]]
        space->capture->tcp_answers(*this);
    peer->waiters.wake_all();
}

void TcpEnd::refuse_outside(Errno why)
{
    RefPtr<TcpEnd> const near = std::exchange(peer, nullptr);
    state = State::closed;
    if (!near) return;
    near->peer = nullptr;
    if (space->capture && why == err::connrefused) [[unlikely]]
        space->capture->tcp_refuses(*near);
    near->fail(why);
}

void TcpEnd::admit_waiting()
{
    while (!connecting_.empty() && has_backlog_room()) {
        auto next = connecting_.front();
        connecting_.pop_front();
        next->asked_ = nullptr;
        next->establish(*this);
    }
}

RefPtr<TcpEnd> TcpEnd::accept()
{
    if (pending_.empty()) return nullptr;
    auto next = pending_.front();
    pending_.pop_front();
    admit_waiting();
    return next;
}

void TcpEnd::fail(Errno why)
{
    error = why;
    state = State::closed;
    receive_shut = send_shut = true;
    waiters.wake_all();
}

void TcpEnd::be_refused()
{
    if (space->capture) [[unlikely]] {
        space->capture->tcp_asks(*this);
        space->capture->tcp_refuses(*this);
    }
    fail(err::connrefused);
}

void TcpEnd::finish_sending()
{
    if (send_shut) return;
    push();
    bool const is_cut = held() > 0;
    cork_.reset();
    send_shut = true;
    if (space->capture && is_cut) [[unlikely]]
        space->capture->tcp_resets(*this);
    else if (space->capture) [[unlikely]]
        space->capture->tcp_finishes(*this);
    if (peer && is_cut) {
        peer->be_reset(); // rather than an end that hides what it lacks
    } else if (peer) {
        peer->finished = true;
        peer->waiters.wake_all();
    }
    waiters.wake_all();
}

void TcpEnd::shut_receiving()
{
    if (state == State::listening)
        stop_listening();
    else
        receive_shut = true;
    waiters.wake_all();
}

void TcpEnd::stop_listening()
{
    is_listening = false;
    state = State::closed;
    for (auto& connection : std::exchange(pending_, {}))
        connection->close(true);
    for (auto& waiting : std::exchange(connecting_, {})) {
        waiting->asked_ = nullptr;
        if (space->capture) [[unlikely]]
            space->capture->tcp_refuses(*waiting);
        waiting->fail(err::connrefused);
    }
}

void TcpEnd::be_reset()
{
    error = finished ? err::pipe : err::connreset;
    was_reset = true;
    receive_shut = send_shut = true;
    waiters.wake_all();
}

void TcpEnd::close(bool abort)
{
    Ref<TcpEnd> alive(*this); // the peer's reference may be the last
    if (state == State::listening) stop_listening();
    stop_asking();
    if (!abort && !was_reset) push();
    abort |= held() > 0; // what finds no room is lost, and the peer has to know
    cork_.reset();
    if (space->capture) [[unlikely]]
        capture_close(abort);
    if (RefPtr<TcpEnd> other = std::exchange(peer, nullptr)) {
        other->peer = nullptr;
        if (abort || queued > 0)
            other->be_reset();
        else
            other->finished = true;
        other->waiters.wake_all();
    }
    drop_queue();
    space->tcp_ports.release(*this);
    remote = { IpAddress::any(family), 0 };
    state = State::closed;
    was_connected = receive_shut = send_shut = finished = was_reset = false;
    error.reset();
    waiters.wake_all();
}

void TcpEnd::capture_close(bool abort)
{
    if (!was_connected || was_reset) return;
    bool const both_finished = send_shut && finished;
    if ((abort || queued > 0) && !both_finished)
        space->capture->tcp_resets(*this);
    else if (!send_shut)
        space->capture->tcp_finishes(*this);
}

void TcpEnd::account(i64 bytes)
{
    queued += u64(bytes);
    Network::of(kernel).queued_bytes += u64(bytes);
}

Result<u64> TcpEnd::receive(IoBuffer& data, Reading const& how)
{
    u64 moved = 0, skip = how.skip;
    for (size_t index = 0; index < queue_.size() && data.remaining() > 0 && moved < how.most;) {
        Chunk& chunk = queue_[index];
        u64 const there = chunk.end - chunk.begin;
        if (skip >= there) {
            skip -= there, ++index;
            continue;
        }
        u64 const wanted = std::min({ there - skip, data.remaining(), how.most - moved });
        u64 taken = wanted;
        if (how.drop) {
            data.truncate(data.remaining() - wanted);
        } else {
            auto copied = data.put(chunk.data.get() + chunk.begin + std::exchange(skip, 0), wanted);
            if (copied.is_error()) return moved ? Result<u64>(moved) : copied.error();
            taken = copied.value();
        }
        moved += taken;
        // Copying may have waited, and more may have come behind: only a chunk's end has moved.
        if (how.peek)
            ++index;
        else
            advance(taken);
        if (taken < wanted) break;
    }
    if (moved && !how.peek && peer && peer->is_writable()) peer->waiters.wake_all(kWritable);
    return moved;
}

void TcpEnd::advance(u64 count)
{
    Chunk& first = queue_.front();
    first.begin += count;
    position_ += count;
    account(-i64(count));
    if (first.begin == first.end) queue_.pop_front();
    if (urgent != Urgent::none && position_ > urgent_at_) urgent = Urgent::none;
}

void TcpEnd::mark_urgent()
{
    if (!peer) return;
    push();
    TcpEnd& to = *peer;
    // As Linux: an older one is lost where the reader has come to it. One who is reading has come further.
    bool const is_next = to.urgent != Urgent::none && to.before_urgent() == 0;
    if (is_next && !to.urgent_in_line && !to.receive_mutex.is_locked()) to.pass_urgent();
    to.urgent = Urgent::waiting;
    to.urgent_at_ = to.position_ + to.queued - 1;
    if (to.file) (void)vfs::send_urgent(kernel, to.file->async_owner);
    to.waiters.wake_all(kReadable | abi::pollpri);
}

u8 const* TcpEnd::urgent_byte() const
{
    if (urgent == Urgent::none) return nullptr;
    u64 before = before_urgent();
    for (Chunk const& chunk : queue_) {
        u64 const there = chunk.end - chunk.begin;
        if (before < there) return chunk.data.get() + chunk.begin + before;
        before -= there;
    }
    return nullptr;
}

void TcpEnd::pass_urgent() { advance(1); }

std::span<u8 const> TcpEnd::unread() const
{
    if (queue_.empty()) return {};
    Chunk const& first = queue_.front();
    return { first.data.get() + first.begin, first.end - first.begin };
}

void TcpEnd::consume(u64 count)
{
    advance(count);
    if (peer && peer->is_writable()) peer->waiters.wake_all(kWritable);
}

void TcpEnd::drop_queue()
{
    account(-i64(queued));
    queue_.clear();
    urgent = Urgent::none;
}

} // namespace umbra::net
