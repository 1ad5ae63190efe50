// SPDX-License-Identifier: GPL-2.0-or-later
// AF_UNIX sockets as files: stream, datagram and sequenced-packet (unix(7)).
#pragma once

#include "core/net/unix/endpoint.h"

namespace umbra::net {

class UnixSocket final : public Socket {
public:
    UnixSocket(vfs::Path path, u32 flags, Ref<UnixEndpoint> endpoint);
    ~UnixSocket() override;

    UnixEndpoint& endpoint() const { return *endpoint_; }

    Result<void> bind(Task& task, SocketAddress const& address) override;
    Result<void> listen(Task& task, i32 backlog) override;
    Result<void> connect(Task& task, SocketAddress const& address) override;
    Result<Ref<Socket>> accept(u32 flags) override;
    Result<void> shutdown(i32 how) override;
    SocketAddress local_address() override;
    Result<SocketAddress> peer_address() override;
    Result<u64> send(Task& task, IoBuffer& data, SendRequest& request) override;
    Result<u64> receive(Task& task, IoBuffer& data, ReceiveRequest& request) override;

    u32 readiness() override;
    WaitQueue* wait_queue() override { return &endpoint_->waiters; }
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override;
    std::string fdinfo() override;

protected:
    void send_buffer_changed() override { endpoint_->send_limit = send_buffer(); }
    bool is_listening() const override { return endpoint_->state == State::listening; }
    i32 take_error() override;
    abi::Ucred peer_credentials() const override { return endpoint_->peer_credentials; }
    std::vector<u32> peer_groups() const override { return endpoint_->peer_groups; }

private:
    using State = UnixEndpoint::State;

    // unix-names.cpp
    Result<void> bind_to_path(Task& task, std::string const& name);
    Result<void> bind_to_abstract(std::string const& name);
    /// An abstract name of five hexadecimal digits (unix(7), autobind).
    Result<void> autobind();
    /// Senders that want credentials get a name to answer to.
    Result<void> autobind_for_credentials();

    Result<void> connect_datagram(Task& task, SocketAddress const& address);
    Result<void> connect_stream(Task& task, std::string const& name);
    /// Waits until the listener's queue has room. ECONNREFUSED once it listens no more.
    Result<void> wait_for_backlog(Task& task, UnixEndpoint& listener);

    // unix-stream.cpp
    Result<u64> send_stream(Task& task, IoBuffer& data, SendRequest& request);
    Result<u64> receive_stream(IoBuffer& data, ReceiveRequest& request);
    Result<u64> receive_urgent(IoBuffer& data, ReceiveRequest& request);
    enum class AtMark : u8 { none, end, next };
    /// What becomes of a read that comes to the packet at `index`, which may be urgent or have been: it is read as others
    /// are, ends before it, or goes on with the packet that stands at `index` now.
    AtMark look_for_mark(size_t& index, bool has_read, bool peek);

    // unix-datagram.cpp
    Result<u64> send_datagram(Task& task, IoBuffer& data, SendRequest& request);
    Result<void> check_target(UnixEndpoint& target, bool is_peer);
    Result<u64> receive_datagram(IoBuffer& data, ReceiveRequest& request);

    /// What receiving gives when nothing is queued: a pending error, end of file, or err::again.
    Result<u64> nothing_to_receive();

    Ref<UnixEndpoint> endpoint_;
};

Result<Ref<Socket>> make_unix_socket(Task& task, i32 type, i32 protocol, u32 flags);
Result<SocketPair> make_unix_socket_pair(Task& task, i32 type, i32 protocol, u32 flags);

// unix-names.cpp
/// sun_path of an address as a name; EINVAL.
Result<std::string> name_of(SocketAddress const& address);
/// The other way round.
SocketAddress address_of(std::string const& name);
/// The lines of /proc/net/unix below the header.
std::string describe_unix_sockets(NetworkNamespace const& space);
/// The endpoint bound to a name. ECONNREFUSED, EPROTOTYPE, and the errors of the path walk; writing must be
/// allowed.
Result<Ref<UnixEndpoint>> find_endpoint(
    Task& task, NetworkNamespace& space, std::string const& name, i32 type);
/// The identity that SO_PEERCRED shows for a task.
abi::Ucred credentials_of(Task const& task);
/// Fills in the sender's identity, and checks a given one (EPERM) and the descriptors in flight
/// (ETOOMANYREFS).
Result<void> prepare_ancillary(Task& task, Ancillary& ancillary);

} // namespace umbra::net
