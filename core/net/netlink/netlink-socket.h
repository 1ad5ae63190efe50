// SPDX-License-Identifier: GPL-2.0-or-later
// AF_NETLINK sockets (netlink(7)): datagrams between guests and the kernel, which answers within the call that asks. A
// protocol of the kernel's is a function of core/net/netlink/protocols.h. References: the namespace knows its sockets
// without holding them; each takes itself out before it goes.
#pragma once

#include <deque>
#include <optional>
#include <set>

#include "core/net/netlink/message.h"
#include "core/net/socket.h"
#include "core/task/credentials.h"

namespace umbra::net {

class NetlinkSocket final : public Socket {
public:
    struct Datagram {
        std::vector<u8> bytes {};
        u32 from = 0, group = 0; ///< the sender's port (0: the kernel); the group if it was sent to one
        abi::Ucred sender { 0, 0, 0 }; ///< in the kernel's ids
        bool goes_on = false; ///< part of a dump, and not its last
    };

    /// Opened by `task`.
    NetlinkSocket(Task& task, vfs::Path path, u32 flags, i32 type, i32 protocol);
    ~NetlinkSocket() override;

    Result<void> bind(Task& task, SocketAddress const& address) override;
    Result<void> connect(Task& task, SocketAddress const& address) override;
    Result<void> shutdown(i32) override { return err::opnotsupp; }
    SocketAddress local_address() override;
    Result<SocketAddress> peer_address() override;
    Result<u64> send(Task& task, IoBuffer& data, SendRequest& request) override;
    Result<u64> receive(Task& task, IoBuffer& data, ReceiveRequest& request) override;
    Result<void> set_option(Task& task, i32 level, i32 name, std::span<u8 const> value) override;
    Result<std::vector<u8>> get_option(Task& task, i32 level, i32 name) override;
    u32 readiness() override;
    WaitQueue* wait_queue() override { return &waiters_; }

    u32 port() const { return port_; }
    /// Whether its reader is behind.
    bool is_full() const { return queued_ > receive_buffer(); }
    bool is_member(u32 group) const { return group && group <= 64 && groups_ >> (group - 1) & 1; }
    bool is_on_option(i32 name) const { return options_ >> name & 1; }
    /// Who opened it; what a socket that was handed on may ask of the kernel depends on both.
    Credentials const& opener() const { return *opener_; }
    /// Whether a dump has not been read up to its last part.
    bool is_dumping() const { return unread_parts_ > 0; }
    /// Queues a datagram. One for which there is no room is lost, and the next read says ENOBUFS.
    void deliver(Datagram datagram, bool is_answer);

protected:
    i32 take_error() override;

private:
    Result<void> choose_port(Task& task, u32 wanted);
    Result<void> check_groups(Task& task) const;
    /// EAGAIN: the queue at `port` is full, and this socket is woken once it is not.
    Result<void> send_to_guests(u32 port, Datagram datagram);
    /// The kernel's part: each request in turn. `is_addressed`: the kernel was named in the call.
    void serve(Task& task, std::span<u8 const> bytes, bool is_addressed);
    bool has_room(u64 size) const { return queued_ + size + kOverhead <= receive_buffer(); }
    void drop_first();
    void remember_blocked(NetlinkSocket& sender);
    void wake_blocked();

    static constexpr u64 kOverhead = 256; ///< so that empty datagrams fill a queue too
    u32 port_ = 0, peer_port_ = 0, peer_groups_ = 0;
    bool bound_ = false;
    Ref<Credentials> opener_;
    u64 groups_ = 0; ///< by number less one
    u32 options_ = 0; ///< of SOL_NETLINK, by name
    std::deque<Datagram> queue_;
    u64 queued_ = 0, unread_parts_ = 0;
    std::set<NetlinkSocket*> blocked_senders_, blocked_on_; ///< each other's; who goes takes itself out
    std::optional<Errno> error_;
    WaitQueue waiters_;
};

/// The socket that `file` is; null if it is none of netlink.
NetlinkSocket* as_netlink_socket(vfs::File& file);
/// EPROTONOSUPPORT, ESOCKTNOSUPPORT.
Result<Ref<Socket>> make_netlink_socket(Task& task, i32 type, i32 protocol, u32 flags);
/// Tells all members of a group of `protocol` in the namespace.
void tell_group(NetworkNamespace& space, i32 protocol, u32 group, std::vector<u8> const& bytes);

} // namespace umbra::net
