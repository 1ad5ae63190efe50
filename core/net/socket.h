// SPDX-License-Identifier: GPL-2.0-or-later
// The socket layer: what every family's sockets have in common as files, with the options of socket(7). A
// family derives from Socket and is plugged in through make_socket(). As all files, sockets never block:
// send, receive and accept return err::again, and the system calls wait (core/syscall/socket*.cpp); connect
// may wait by itself.
#pragma once

#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/abi/socket.h"
#include "core/vfs/file.h"

namespace umbra::net {

class NetworkNamespace;

/// A struct sockaddr as the guest gave it or will get it.
struct SocketAddress {
    u8 bytes[abi::sockaddr_max] = {};
    u32 length = 0;

    i32 family() const
    {
        u16 value = abi::af_unspec;
        if (length >= sizeof value) std::memcpy(&value, bytes, sizeof value);
        return value;
    }
};

/// A control message as it stands in the guest's buffer, without its header.
struct ControlMessage {
    i32 level, type;
    std::vector<u8> data;
};

/// What travels beside the bytes: descriptors, the identity of the sender, and what is of one family only (cmsg(3)).
struct Ancillary {
    std::vector<Ref<vfs::File>> files; ///< SCM_RIGHTS
    std::optional<abi::Ucred> credentials {}; ///< SCM_CREDENTIALS; of a message on its way always set
    std::optional<u32> netlink_group {}; ///< NETLINK_PKTINFO
    std::vector<ControlMessage> messages {}; ///< of the family's own levels, and timestamps
};

struct SendRequest {
    SocketAddress const* to = nullptr; ///< null: the peer
    u32 flags = 0; ///< MSG_*
    Ancillary ancillary {}; ///< moved from by the call that takes the message
};

struct ReceiveRequest {
    u32 flags = 0; ///< MSG_*
    // Results
    SocketAddress from {}; ///< length 0 where there is none
    Ancillary ancillary {};
    u32 result_flags = 0; ///< MSG_TRUNC, MSG_EOR
};

class Socket : public vfs::File {
public:
    /// `space`: where it stays, wherever its users go.
    Socket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 type, i32 protocol);
    ~Socket() override;

    NetworkNamespace& space() const { return *space_; }
    i32 family() const { return family_; }
    i32 type() const { return type_; }
    i32 protocol() const { return protocol_; }

    virtual Result<void> bind(Task& task, SocketAddress const& address) = 0;
    virtual Result<void> listen(Task& task, i32 backlog);
    /// May wait for room in the listener's queue, unless non-blocking.
    virtual Result<void> connect(Task& task, SocketAddress const& address) = 0;
    /// `flags`: O_NONBLOCK of the new socket. err::again.
    virtual Result<Ref<Socket>> accept(u32 flags);
    /// shutdown(2): how is SHUT_*.
    virtual Result<void> shutdown(i32 how) = 0;
    virtual SocketAddress local_address() = 0;
    virtual Result<SocketAddress> peer_address() = 0;

    /// Sends from `data`. A stream that took a part returns err::again, as vfs::File::write does.
    virtual Result<u64> send(Task& task, IoBuffer& data, SendRequest& request) = 0;
    /// Receives into `data`; the count is a datagram's real length with MSG_TRUNC. With MSG_WAITALL
    /// err::again until the buffer is full.
    virtual Result<u64> receive(Task& task, IoBuffer& data, ReceiveRequest& request) = 0;

    /// setsockopt(2) and getsockopt(2). ENOPROTOOPT, EINVAL. The base knows SOL_SOCKET.
    virtual Result<void> set_option(Task& task, i32 level, i32 name, std::span<u8 const> value);
    virtual Result<std::vector<u8>> get_option(Task& task, i32 level, i32 name);

    /// Whether a received message shall carry its sender's identity (SO_PASSCRED).
    bool wants_credentials() const { return pass_credentials_; }
    /// A connection wants what its listener wanted.
    void inherit_credentials_wish(Socket const& listener) { pass_credentials_ = listener.pass_credentials_; }

    Result<u64> read(IoBuffer& buffer, u64 offset) final;
    Result<u64> write(IoBuffer& buffer, u64 offset) final;
    Nanoseconds wait_limit(u32 events) const final;
    /// What all sockets know: the interfaces, the namespace.
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override;

protected:
    /// SO_SNDBUF and SO_RCVBUF in the kernel's own count (twice what the guest asked for, see socket(7)).
    u64 send_buffer() const { return send_buffer_; }
    u64 receive_buffer() const { return receive_buffer_; }
    virtual void send_buffer_changed() { }
    virtual void receive_buffer_changed() { }
    virtual void switches_changed() { } ///< an on-off option
    /// SO_BINDTODEVICE: the only interface by which it hears and speaks; 0: any.
    i32 bound_interface() const { return bound_interface_; }
    /// Whether an on-off option (SO_REUSEADDR, ..) is on.
    /// SO_RCVLOWAT: a read waits for so many bytes, or as many as it has room for.
    u64 receive_low_water() const { return u64(receive_low_water_); }
    /// Whether a read of a stream that has room for more is to go on: `count` is what it has got.
    bool wants_more(ReceiveRequest const& request, u64 count, u64 room) const
    {
        if (request.flags & abi::msg_peek || room == 0) return false;
        return request.flags & abi::msg_waitall || count < receive_low_water();
    }
    bool is_on(i32 simple_option) const { return simple_options_ >> simple_option & 1; }
    void turn_on(i32 simple_option) { simple_options_ |= u64 { 1 } << simple_option; }
    abi::Linger const& linger() const { return linger_; }
    /// On-off options and SO_LINGER, as an accepted connection has them from its listener.
    void take_over_simple_options(Socket const& listener)
    {
        simple_options_ = listener.simple_options_, linger_ = listener.linger_;
        bound_interface_ = listener.bound_interface_;
        send_buffer_ = listener.send_buffer_, receive_buffer_ = listener.receive_buffer_;
        switches_changed();
    }
    virtual bool is_listening() const { return false; }
    /// SO_ERROR: the pending error, which is cleared; 0 for none.
    virtual i32 take_error() { return 0; }
    virtual abi::Ucred peer_credentials() const { return { 0, ~0u, ~0u }; }
    virtual std::vector<u32> peer_groups() const { return {}; }

    static constexpr u64 kDefaultBuffer = 212992, kMaxBuffer = 2 * 212992;
    static constexpr u64 kMinSendBuffer = 4608, kMinReceiveBuffer = 2304;

private:
    Result<void> set_buffer_size(Task& task, i32 name, i32 value);
    Result<void> set_timeout(i32 name, std::span<u8 const> value);
    Result<void> bind_to_interface(Task& task, i32 index);
    Result<void> set_integer_option(Task& task, i32 name, i32 value);

    Ref<NetworkNamespace> space_;
    i32 family_, type_, protocol_;
    bool pass_credentials_ = false;
    u64 simple_options_ = 0; ///< on-off options by number that only remember their value
    i32 bound_interface_ = 0;
    i32 priority_ = 0, mark_ = 0, receive_low_water_ = 1;
    abi::Linger linger_ { 0, 0 };
    u64 send_buffer_ = kDefaultBuffer, receive_buffer_ = kDefaultBuffer;
    Nanoseconds receive_timeout_ = kNever, send_timeout_ = kNever;
};

/// socket(2): EAFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT. `flags`: O_NONBLOCK.
Result<Ref<Socket>> make_socket(Task& task, i32 family, i32 type, i32 protocol, u32 flags);
struct SocketPair {
    Ref<Socket> first, second;
};
/// socketpair(2). EOPNOTSUPP.
Result<SocketPair> make_socket_pair(Task& task, i32 family, i32 type, i32 protocol, u32 flags);
/// The place of a new socket's file: "socket:[number]".
vfs::Path make_socket_path(Kernel& kernel);
/// The socket that `file` is; ENOTSOCK.
Result<Socket*> as_socket(vfs::File& file);

} // namespace umbra::net
