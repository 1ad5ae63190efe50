// SPDX-License-Identifier: GPL-2.0-or-later
// What goes out of one end of a connection: into the peer's queue, at once or when there is more.
#include <cstring>

#include "core/abi/inet.h"
#include "core/mm/user.h"
#include "core/net/capture/capture.h"
#include "core/net/inet/tcp-cork.h"

namespace umbra::net {

namespace {
constexpr u64 kSmallChunk = 2 << 10, kChunk = 16 << 10, kLargeChunk = 64 << 10; ///< bytes
constexpr u32 kReadable = abi::pollin | abi::pollrdnorm;
} // namespace

u64 TcpEnd::send_space() const
{
    if (!peer) return 0;
    u64 const limit = send_limit + peer->receive_limit;
    u64 const used = peer->queued + held();
    return limit > used ? limit - used : 0;
}

bool TcpEnd::is_writable() const { return !peer || send_space() * 3 >= send_limit + peer->receive_limit; }

Result<TcpEnd::Chunk*> TcpEnd::tail(u64 wanted)
{
    if (!queue_.empty() && queue_.back().end < queue_.back().room) return &queue_.back();
    u64 const room = wanted <= kSmallChunk ? kSmallChunk : wanted <= kChunk ? kChunk : kLargeChunk;
    if (!Network::has_room(kernel, room)) return err::nobufs;
    queue_.push_back({ std::unique_ptr<u8[]>(new u8[room]), room });
    return &queue_.back();
}

u64 TcpEnd::held() const { return cork_ ? cork_->bytes.size() : 0; }

void TcpEnd::push()
{
    if (held()) cork_->release(0);
}

/// Puts bytes into the peer's queue; how many found room in the kernel's memory.
u64 TcpEnd::deliver(std::span<u8 const> bytes)
{
    RefPtr<TcpEnd> const to = peer;
    u64 done = 0;
    while (done < bytes.size()) {
        auto chunk = to->tail(bytes.size() - done);
        if (chunk.is_error()) break;
        Chunk& last = *chunk.value();
        u64 const piece = std::min(bytes.size() - done, last.room - last.end);
        std::memcpy(last.data.get() + last.end, bytes.data() + done, piece);
        last.end += piece, done += piece;
        to->account(i64(piece));
    }
    if (done == 0) return 0;
    if (space->capture) [[unlikely]]
        space->capture->tcp_sends(*this, bytes.first(done));
    to->waiters.wake_all(kReadable);
    return done;
}

/// The same for a whole buffer, which becomes a part of that queue. ENOBUFS.
Result<u64> TcpEnd::deliver_whole(std::unique_ptr<u8[]> bytes, u64 count)
{
    if (!Network::has_room(kernel, count)) return err::nobufs;
    RefPtr<TcpEnd> const to = peer;
    if (space->capture) [[unlikely]]
        space->capture->tcp_sends(*this, { bytes.get(), count });
    to->queue_.push_back({ .data = std::move(bytes), .room = count, .end = count });
    to->account(i64(count));
    to->waiters.wake_all(kReadable);
    return count;
}

Result<u64> TcpEnd::hold(std::span<u8 const> bytes, u64 segment)
{
    if (!Network::has_room(kernel, bytes.size())) return err::nobufs;
    if (!cork_) cork_ = std::make_unique<Cork>(*this);
    cork_->add(bytes);
    cork_->release(segment);
    return bytes.size();
}

/// Out of the guest's memory to the host, where nothing is to go before it: many bytes that are there.
u64 TcpEnd::send_directly(IoBuffer& data, u64 size)
{
    bool const can = peer && peer->outlet && peer->queued == 0 && !held() && !space->capture;
    if (!can || size < kChunk) return 0;
    u64 const sent
        = data.offer_present(size, [&](std::span<u8 const> bytes) { return peer->outlet->send_now(bytes); });
    if (peer) peer->position_ += sent;
    return sent;
}

Result<u64> TcpEnd::send(IoBuffer& data, u64 size, u64 segment)
{
    if (u64 const sent = segment ? 0 : send_directly(data, size)) return sent;
    // The copy may wait, and meanwhile the peer may read, others write, or all end: the bytes are ours until they are in.
    u64 const count = std::min(size, kLargeChunk);
    u8 small[kSmallChunk];
    std::unique_ptr<u8[]> large(count > sizeof small ? new u8[count] : nullptr);
    u8* const bytes = large ? large.get() : small;
    TRY(data.take_all(bytes, count));
    if (!peer) { // to nobody: what comes next tells
        if (space->capture && was_connected) [[unlikely]]
            space->capture->tcp_sends(*this, { bytes, count });
        return count;
    }
    Result<u64> sent = segment || held() ? hold({ bytes, count }, segment)
        : count >= kChunk                ? deliver_whole(std::move(large), count)
                                         : Result<u64>(deliver({ bytes, count }));
    u64 const done = sent.ok() ? sent.value() : 0;
    data.rewind(count - done);
    return done || !count ? Result<u64>(done) : Result<u64>(err::nobufs);
}

Result<std::span<u8>> TcpEnd::room_at_peer(u64 wanted)
{
    Chunk& last = *TRY(peer->tail(wanted));
    return std::span(last.data.get() + last.end, std::min(wanted, last.room - last.end));
}

void TcpEnd::send_from_room(u64 count)
{
    RefPtr<TcpEnd> const to = peer;
    Chunk& last = to->queue_.back();
    if (space->capture) [[unlikely]]
        space->capture->tcp_sends(*this, { last.data.get() + last.end, count });
    last.end += count;
    to->account(i64(count));
    to->waiters.wake_all(kReadable);
}

void TcpEnd::give_back_room()
{
    auto& queue = peer->queue_;
    if (!queue.empty() && queue.back().begin == queue.back().end) queue.pop_back();
}

} // namespace umbra::net
