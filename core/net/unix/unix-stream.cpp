// SPDX-License-Identifier: GPL-2.0-or-later
// SOCK_STREAM: bytes in packets of up to 32 KiB. Reads cross packets, except where another sender or
// descriptors begin.
#include <algorithm>

#include "core/net/unix/unix-socket.h"
#include "core/task/task.h"

namespace umbra::net {

namespace {

constexpr u64 kMaxPacket = 32 << 10;

/// Copies the next `size` bytes of a write into a packet. All or EFAULT.
Result<std::unique_ptr<Packet>> fill_packet(UnixEndpoint& sender, IoBuffer& data, u64 size)
{
    auto packet = TRY(Packet::make(sender, size));
    TRY(data.take_all(packet->data(), size));
    packet->sender_name = sender.name;
    return packet;
}

bool same_sender(Ancillary const& a, Ancillary const& b)
{
    return a.credentials->pid == b.credentials->pid && a.credentials->uid == b.credentials->uid
        && a.credentials->gid == b.credentials->gid;
}

} // namespace

Result<u64> UnixSocket::send_stream(Task& task, IoBuffer& data, SendRequest& request)
{
    UnixEndpoint& end = *endpoint_;
    if (request.to && request.to->length > 0)
        return end.state == State::connected ? err::isconn : err::opnotsupp;
    if (end.state != State::connected) return err::notconn;
    bool const is_urgent = request.flags & abi::msg_oob;
    if (is_urgent && data.remaining() == 0) return err::opnotsupp;
    TRY(prepare_ancillary(task, request.ancillary));
    u64 moved = 0;
    while (data.remaining() > 0) {
        if (end.send_shut || !end.peer || end.peer->receive_shut) {
            if (data.transferred() == 0 && !(request.flags & abi::msg_nosignal))
                (void)send_signal(task, user_signal(abi::sigpipe, task)); // the error says it anyway
            return err::pipe;
        }
        if (!end.has_send_space()) return err::again;
        u64 size = std::min({ data.remaining(), kMaxPacket, std::max<u64>(end.send_limit / 2, 1) });
        // What is urgent, the last byte, is a packet for itself.
        if (is_urgent && size == data.remaining() && size > 1) --size;
        auto packet = TRY(fill_packet(end, data, size));
        // The copy may have waited: the peer may be gone.
        if (!end.peer || end.peer->receive_shut) {
            data.rewind(size);
            continue;
        }
        // Descriptors go with the first byte; the identity with each.
        auto credentials = request.ancillary.credentials;
        packet->attach(std::exchange(request.ancillary, {}));
        request.ancillary.credentials = credentials;
        end.peer->enqueue(std::move(packet));
        if (is_urgent && data.remaining() == 0) end.peer->mark_urgent();
        moved += size;
    }
    return moved;
}

Result<u64> UnixSocket::receive_urgent(IoBuffer& data, ReceiveRequest& request)
{
    UnixEndpoint& end = *endpoint_;
    MutexLock lock(end.receive_mutex);
    if (!end.urgent || is_on(abi::so_oobinline)) return err::inval;
    auto const at = std::ranges::find(end.queue, end.urgent, &std::unique_ptr<Packet>::get);
    Packet& packet = **at;
    if (data.remaining() > 0) TRY(data.put_all(packet.data(), 1));
    request.ancillary.credentials = packet.ancillary.credentials;
    request.result_flags |= abi::msg_oob;
    if (!(request.flags & abi::msg_peek)) {
        packet.taken = 1;
        if (end.urgent == &packet) end.urgent = nullptr;
    }
    return 1;
}

UnixSocket::AtMark UnixSocket::look_for_mark(size_t& index, bool has_read, bool peek)
{
    UnixEndpoint& end = *endpoint_;
    Packet const& packet = *end.queue[index];
    bool const was_urgent = packet.size() == 0;
    if (&packet != end.urgent && !was_urgent) return AtMark::none;
    if (has_read && (!was_urgent || !end.urgent)) return AtMark::end;
    if (!was_urgent && is_on(abi::so_oobinline)) {
        if (!peek) end.urgent = nullptr;
        return AtMark::none;
    }
    if (peek)
        ++index;
    else
        Network::of(end.kernel).discard(end.dequeue());
    return AtMark::next;
}

Result<u64> UnixSocket::receive_stream(IoBuffer& data, ReceiveRequest& request)
{
    UnixEndpoint& end = *endpoint_;
    if (end.state != State::connected) return err::inval;
    MutexLock lock(end.receive_mutex);
    bool peek = request.flags & abi::msg_peek;
    u64 moved = 0;
    bool ended = false; // what follows belongs to another message
    size_t index = 0;
    while (index < end.queue.size() && !ended) {
        auto const mark = look_for_mark(index, moved > 0 || data.transferred() > 0, peek);
        ended = mark == AtMark::end;
        if (mark != AtMark::none) continue;
        Packet& packet = *end.queue[index];
        bool first = !request.ancillary.credentials;
        if (!first && wants_credentials() && !same_sender(request.ancillary, packet.ancillary)) break;
        if (data.remaining() == 0) break;
        u64 wanted = std::min(packet.size(), data.remaining());
        auto copied = data.put(packet.data(), wanted);
        if (copied.is_error()) {
            if (moved > 0) break;
            return copied.error();
        }
        moved += copied.value();
        if (first) {
            request.ancillary.credentials = packet.ancillary.credentials;
            if (!packet.sender_name.empty()) request.from = address_of(packet.sender_name);
        }
        auto& files = packet.ancillary.files;
        ended = !files.empty() || copied.value() < wanted;
        if (peek) {
            request.ancillary.files.insert(request.ancillary.files.end(), files.begin(), files.end());
            index++;
            continue;
        }
        std::ranges::move(files, std::back_inserter(request.ancillary.files));
        files.clear();
        packet.taken += copied.value();
        if (packet.size() == 0) Network::of(end.kernel).discard(end.dequeue());
    }
    if (moved == 0 && !ended && index >= end.queue.size()) return nothing_to_receive();
    bool const is_over = ended || !end.queue.empty() || end.receive_shut || end.error;
    if (!is_over && wants_more(request, data.transferred(), data.remaining())) return err::again;
    return moved;
}

} // namespace umbra::net
