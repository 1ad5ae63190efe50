// SPDX-License-Identifier: GPL-2.0-or-later
// SOCK_DGRAM and SOCK_SEQPACKET: one packet a message, whole or not at all.
#include <algorithm>

#include "core/net/unix/unix-socket.h"
#include "core/task/task.h"

namespace umbra::net {

/// Whether the target takes a message from here now.
Result<void> UnixSocket::check_target(UnixEndpoint& target, bool is_peer)
{
    UnixEndpoint& end = *endpoint_;
    if (end.send_shut) return err::pipe;
    if (target.is_closed()) {
        if (is_peer && !end.is_connection_oriented()) {
            end.peer = nullptr;
            end.state = State::unconnected;
        }
        return end.is_connection_oriented() ? err::pipe : err::connrefused;
    }
    if (target.receive_shut) return err::pipe;
    if (target.peer && !(target.peer == &end)) return err::perm;
    if (target.is_queue_full(end)) {
        target.remember_blocked(end);
        return err::again;
    }
    return {};
}

Result<u64> UnixSocket::send_datagram(Task& task, IoBuffer& data, SendRequest& request)
{
    UnixEndpoint& end = *endpoint_;
    bool named = request.to && request.to->length > 0 && !end.is_connection_oriented();
    if (!named && end.state != State::connected) return err::notconn;
    TRY(autobind_for_credentials());
    TRY(prepare_ancillary(task, request.ancillary));
    u64 size = data.remaining();
    if (size + 32 > end.send_limit) return err::msgsize; // Linux: sndbuf - 32
    RefPtr<UnixEndpoint> target = end.peer;
    if (named) target = TRY(find_endpoint(task, space(), TRY(name_of(*request.to)), type()));
    if (!target) return end.send_shut ? err::pipe : err::notconn;

    TRY(check_target(*target, !named));
    if (!end.has_send_space()) return err::again;
    auto packet = TRY(Packet::make(end, size));
    TRY(data.take_all(packet->data(), size));
    // The copy may have waited: things may be different now.
    if (auto still = check_target(*target, !named); still.is_error()) {
        data.rewind(size);
        return still.error();
    }
    packet->sender_name = end.name;
    packet->attach(std::move(request.ancillary));
    target->enqueue(std::move(packet));
    return size;
}

Result<u64> UnixSocket::receive_datagram(IoBuffer& data, ReceiveRequest& request)
{
    UnixEndpoint& end = *endpoint_;
    if (end.is_connection_oriented() && end.state != State::connected) return err::notconn;
    MutexLock lock(end.receive_mutex);
    if (end.queue.empty()) return nothing_to_receive();
    Packet& packet = *end.queue.front();
    u64 size = packet.size(), wanted = std::min(size, data.remaining());
    TRY(data.put_all(packet.data(), wanted));
    if (!packet.sender_name.empty()) request.from = address_of(packet.sender_name);
    if (wanted < size) request.result_flags |= abi::msg_trunc;
    if (type() == abi::sock_seqpacket) request.result_flags |= abi::msg_eor;
    if (request.flags & abi::msg_peek) {
        request.ancillary = packet.ancillary;
    } else {
        request.ancillary = std::move(packet.ancillary);
        Network::of(end.kernel).discard(end.dequeue());
    }
    return request.flags & abi::msg_trunc ? size : wanted;
}

} // namespace umbra::net
