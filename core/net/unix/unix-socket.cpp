// SPDX-License-Identifier: GPL-2.0-or-later
// Local sockets: making, connecting, accepting, readiness, closing. Names are in unix-names.cpp, data in
// unix-stream.cpp and unix-datagram.cpp.
#include "core/net/unix/unix-socket.h"

#include <algorithm>

#include "core/abi/inet.h"
#include "core/abi/ioctl.h"
#include "core/kernel.h"
#include "core/task/task.h"

namespace umbra::net {

UnixSocket::UnixSocket(vfs::Path path, u32 flags, Ref<UnixEndpoint> endpoint)
    : Socket(*endpoint->space, std::move(path), flags, abi::af_unix, endpoint->type, 0)
    , endpoint_(std::move(endpoint))
{
    endpoint_->file = this;
    Network& network = Network::of(endpoint_->kernel);
    network.endpoints.push_back(*endpoint_);
    ++network.endpoint_count;
}

UnixSocket::~UnixSocket()
{
    Network& network = Network::of(endpoint_->kernel);
    endpoint_->unlink();
    --network.endpoint_count;
    ++network.closed_since_collection;
    endpoint_->close();
    collect_unreachable_sockets(network);
}

namespace {

Result<i32> check_type(i32 type, i32 protocol)
{
    constexpr i32 pf_unix = abi::af_unix;
    if (protocol != 0 && protocol != pf_unix) return err::protonosupport;
    switch (type) {
    case abi::sock_stream:
    case abi::sock_dgram:
    case abi::sock_seqpacket:
        return type;
    case abi::sock_raw:
        return abi::sock_dgram; // Linux: believe it or not, BSD has AF_UNIX, SOCK_RAW
    default:
        return err::socktnosupport;
    }
}

Ref<UnixSocket> make_file(Kernel& kernel, Ref<UnixEndpoint> endpoint, u32 flags)
{
    return make_ref<UnixSocket>(make_socket_path(kernel), flags, std::move(endpoint));
}

/// Joins two ends; each remembers who the other was at that time.
void join(UnixEndpoint& a, UnixEndpoint& b)
{
    a.peer = &b;
    b.peer = &a;
    a.state = b.state = UnixEndpoint::State::connected;
}

} // namespace

Result<Ref<Socket>> make_unix_socket(Task& task, i32 type, i32 protocol, u32 flags)
{
    type = TRY(check_type(type, protocol));
    Kernel& kernel = task.kernel();
    return Ref<Socket>(make_file(kernel, make_ref<UnixEndpoint>(network_namespace(task), type), flags));
}

Result<SocketPair> make_unix_socket_pair(Task& task, i32 type, i32 protocol, u32 flags)
{
    type = TRY(check_type(type, protocol));
    Kernel& kernel = task.kernel();
    NetworkNamespace& space = network_namespace(task);
    auto first = make_ref<UnixEndpoint>(space, type), second = make_ref<UnixEndpoint>(space, type);
    join(*first, *second);
    for (UnixEndpoint* end : { first.get(), second.get() }) {
        end->peer_credentials = credentials_of(task);
        end->peer_groups = task.credentials().groups;
    }
    return SocketPair { make_file(kernel, first, flags), make_file(kernel, second, flags) };
}

Result<void> UnixSocket::listen(Task& task, i32 backlog)
{
    if (!endpoint_->is_connection_oriented()) return err::opnotsupp;
    if (endpoint_->name.empty()) return err::inval;
    if (endpoint_->state != State::unconnected && endpoint_->state != State::listening) return err::inval;
    endpoint_->backlog = u32(std::min<u64>(u32(backlog), u64(space().settings.most_pending)));
    endpoint_->backlog_room.wake_all();
    endpoint_->state = State::listening;
    // Whom a client sees as its peer: who called listen(2), see SO_PEERCRED.
    endpoint_->peer_credentials = credentials_of(task);
    endpoint_->peer_groups = task.credentials().groups;
    return {};
}

Result<void> UnixSocket::connect(Task& task, SocketAddress const& address)
{
    if (!endpoint_->is_connection_oriented()) return connect_datagram(task, address);
    return connect_stream(task, TRY(name_of(address)));
}

Result<void> UnixSocket::connect_datagram(Task& task, SocketAddress const& address)
{
    RefPtr<UnixEndpoint> target;
    if (address.family() != abi::af_unspec) {
        auto name = TRY(name_of(address));
        TRY(autobind_for_credentials());
        target = TRY(find_endpoint(task, space(), name, type()));
        if (target->peer && !(target->peer == endpoint_.get())) return err::perm;
    }
    endpoint_->peer = target;
    endpoint_->state = target ? State::connected : State::unconnected;
    return {};
}

Result<void> UnixSocket::wait_for_backlog(Task& task, UnixEndpoint& listener)
{
    auto is_dead = [&] { return listener.state != State::listening || listener.receive_shut; };
    auto has_room = [&] { return listener.pending.size() <= listener.backlog; };
    if (is_dead()) return err::connrefused;
    if (has_room()) return {};
    Nanoseconds limit = wait_limit(abi::pollout);
    if (is_nonblocking() || limit == 0) return err::again;
    Nanoseconds deadline = kNever;
    if (limit != kNever) deadline = task.kernel().platform().now(platform::HostClock::monotonic) + limit;
    auto waited = listener.backlog_room.wait_until([&] { return is_dead() || has_room(); }, deadline);
    if (waited.is_error()) return waited.error() == err::timedout ? err::again : waited.error();
    return is_dead() ? Result<void>(err::connrefused) : Result<void>();
}

Result<void> UnixSocket::connect_stream(Task& task, std::string const& name)
{
    TRY(autobind_for_credentials());
    auto listener = TRY(find_endpoint(task, space(), name, type()));
    TRY(wait_for_backlog(task, *listener));
    if (endpoint_->state == State::connected) return err::isconn;
    if (endpoint_->state != State::unconnected) return err::inval;

    auto server = make_ref<UnixEndpoint>(space(), type());
    server->name = listener->name;
    server->peer_credentials = credentials_of(task);
    server->peer_groups = task.credentials().groups;
    endpoint_->peer_credentials = listener->peer_credentials;
    endpoint_->peer_groups = listener->peer_groups;
    join(*endpoint_, *server);
    listener->pending.push_back(server);
    listener->waiters.wake_all(abi::pollin | abi::pollrdnorm);
    endpoint_->waiters.wake_all(abi::pollout | abi::pollwrnorm);
    return {};
}

Result<Ref<Socket>> UnixSocket::accept(u32 flags)
{
    if (!endpoint_->is_connection_oriented()) return err::opnotsupp;
    if (endpoint_->state != State::listening) return err::inval;
    if (endpoint_->pending.empty()) return endpoint_->receive_shut ? err::inval : err::again;
    auto server = endpoint_->pending.front();
    endpoint_->pending.pop_front();
    endpoint_->backlog_room.wake_all();
    auto accepted = make_file(endpoint_->kernel, std::move(server), flags);
    accepted->inherit_credentials_wish(*this);
    return Ref<Socket>(accepted);
}

Result<void> UnixSocket::shutdown(i32 how)
{
    if (how < abi::shut_rd || how > abi::shut_rdwr) return err::inval;
    endpoint_->shut(how != abi::shut_wr, how != abi::shut_rd);
    return {};
}

SocketAddress UnixSocket::local_address() { return address_of(endpoint_->name); }

Result<SocketAddress> UnixSocket::peer_address()
{
    if (!endpoint_->peer) return err::notconn;
    return address_of(endpoint_->peer->name);
}

i32 UnixSocket::take_error()
{
    auto error = std::exchange(endpoint_->error, std::nullopt);
    return error ? i32(*error) : 0;
}

Result<u64> UnixSocket::send(Task& task, IoBuffer& data, SendRequest& request)
{
    if (request.flags & abi::msg_oob && type() != abi::sock_stream) return err::opnotsupp;
    return type() == abi::sock_stream ? send_stream(task, data, request) : send_datagram(task, data, request);
}

Result<u64> UnixSocket::receive(Task&, IoBuffer& data, ReceiveRequest& request)
{
    bool const is_urgent = request.flags & abi::msg_oob;
    if (request.flags & abi::msg_errqueue || (is_urgent && type() != abi::sock_stream)) return err::opnotsupp;
    if (is_urgent) return receive_urgent(data, request);
    return type() == abi::sock_stream ? receive_stream(data, request) : receive_datagram(data, request);
}

Result<u64> UnixSocket::nothing_to_receive()
{
    if (endpoint_->error) return Errno(take_error());
    return endpoint_->receive_shut ? Result<u64>(0) : err::again;
}

u32 UnixSocket::readiness()
{
    UnixEndpoint& end = *endpoint_;
    u32 ready = 0;
    if (end.error) ready |= abi::pollerr;
    if (end.receive_shut && end.send_shut) ready |= abi::pollhup;
    if (end.receive_shut) ready |= abi::pollrdhup;
    // The place of an urgent byte that has been read is nothing to wait for.
    bool const has_data = end.queue.size() > 1
        || (!end.queue.empty() && (type() != abi::sock_stream || end.queue.front()->size() > 0));
    if (end.urgent) ready |= abi::pollpri;
    if (end.receive_shut || has_data || !end.pending.empty()) ready |= abi::pollin | abi::pollrdnorm;
    if (end.is_connection_oriented() && end.state == State::unconnected) ready |= abi::pollhup;
    bool writable = end.state != State::listening && end.is_writable();
    if (writable && !end.is_connection_oriented() && end.peer && end.peer->is_queue_full(end)) {
        end.peer->remember_blocked(end);
        writable = false;
    }
    if (writable) ready |= abi::pollout | abi::pollwrnorm | abi::pollwrband;
    return ready;
}

Result<i64> UnixSocket::ioctl(Task& task, u32 command, u64 argument)
{
    u64 bytes = 0;
    if (command == abi::siocinq) {
        if (is_listening()) return err::inval;
        for (auto const& packet : endpoint_->queue) {
            bytes += packet->size();
            if (type() != abi::sock_stream) break; // the next datagram's size
        }
    } else if (command == abi::siocoutq) {
        bytes = endpoint_->in_flight;
    } else if (command == abi::siocatmark && type() == abi::sock_stream) {
        Packet const* const next = endpoint_->queue.empty() ? nullptr : endpoint_->queue.front().get();
        bytes = next && (next == endpoint_->urgent || (!endpoint_->urgent && next->size() == 0));
    } else {
        return Socket::ioctl(task, command, argument);
    }
    TRY(UserOut<i32> { GuestAddr(argument) }.copy_out(task, i32(bytes)));
    return 0;
}

std::string UnixSocket::fdinfo()
{
    u64 files = 0;
    for (auto const& packet : endpoint_->queue)
        files += packet->ancillary.files.size();
    return "scm_fds: " + std::to_string(files) + "\n";
}

} // namespace umbra::net
