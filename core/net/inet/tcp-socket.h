// SPDX-License-Identifier: GPL-2.0-or-later
// AF_INET and AF_INET6 stream sockets as files (tcp(7)).
#pragma once

#include "core/abi/inet.h"
#include "core/net/inet/inet-socket.h"
#include "core/net/inet/tcp-end.h"

namespace umbra::net {

class TcpSocket final : public InetSocket {
public:
    TcpSocket(vfs::Path path, u32 flags, Ref<TcpEnd> end);
    ~TcpSocket() override;

    Result<void> listen(Task& task, i32 backlog) override;
    /// Waits until the connection is made or refused, unless non-blocking: EINPROGRESS, then EALREADY.
    Result<void> connect(Task& task, SocketAddress const& address) override;
    Result<Ref<Socket>> accept(u32 flags) override;
    /// ENOTCONN also while it is being made, and when it is over.
    Result<SocketAddress> peer_address() override;
    Result<void> shutdown(i32 how) override;
    Result<u64> send(Task& task, IoBuffer& data, SendRequest& request) override;
    Result<u64> receive(Task& task, IoBuffer& data, ReceiveRequest& request) override;
    u32 readiness() override;
    WaitQueue* wait_queue() override { return &end_->waiters; }
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override;
    Result<void> set_option(Task& task, i32 level, i32 name, std::span<u8 const> value) override;
    Result<std::vector<u8>> get_option(Task& task, i32 level, i32 name) override;

protected:
    PortUser& user() override { return *end_; }
    PortTable& ports() const override;
    bool is_listening() const override { return end_->state == State::listening; }
    i32 take_error() override;
    void send_buffer_changed() override { end_->send_limit = send_buffer(); }
    void switches_changed() override { end_->urgent_in_line = is_on(abi::so_oobinline); }
    void receive_buffer_changed() override { end_->receive_limit = receive_buffer(); }

private:
    using State = TcpEnd::State;

    Result<void> start_connecting(Task& task, SocketAddress const& address);
    Result<void> finish_connecting(Task& task);
    /// ECONNREFUSED and others from the connection; clears them.
    Result<void> pending_error();
    Result<u64> nothing_to_receive();
    Result<u64> receive_urgent(IoBuffer& data, ReceiveRequest& request);

    // tcp-options.cpp
    i32 segment_size() const;
    abi::TcpInfo describe() const;

    Ref<TcpEnd> end_;
    i32 wanted_segment_ = 0; ///< TCP_MAXSEG; 0: none
    bool told_in_progress_ = false; ///< connect(2) gave EINPROGRESS and has not yet given the outcome
};

} // namespace umbra::net
