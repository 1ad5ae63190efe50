// SPDX-License-Identifier: GPL-2.0-or-later
// AF_PACKET sockets (packet(7)): they see each packet that passes an interface, with the header of the link (SOCK_RAW) or without
// (SOCK_DGRAM), and send such over lo. eth0 leads to sockets of the host's, which take no packets: EOPNOTSUPP. There are no
// rings (PACKET_RX_RING), fan-outs and filters. Guarded by the kernel lock.
#pragma once

#include <deque>
#include <optional>

#include "core/abi/packet.h"
#include "core/net/capture/packet-watcher.h"
#include "core/net/socket.h"

namespace umbra::net {

class PacketSocket final : public Socket, private PacketWatcher {
public:
    /// `protocol`: ETH_P_* in host byte order; 0: nothing is seen until it is bound to one.
    PacketSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 type, u16 protocol);
    ~PacketSocket() override;

    Result<void> bind(Task& task, SocketAddress const& address) override;
    Result<void> connect(Task&, SocketAddress const&) override { return err::opnotsupp; }
    Result<void> shutdown(i32) override { return err::opnotsupp; }
    SocketAddress local_address() override;
    Result<SocketAddress> peer_address() override { return err::opnotsupp; }
    Result<u64> send(Task& task, IoBuffer& data, SendRequest& request) override;
    Result<u64> receive(Task& task, IoBuffer& data, ReceiveRequest& request) override;
    Result<void> set_option(Task& task, i32 level, i32 name, std::span<u8 const> value) override;
    Result<std::vector<u8>> get_option(Task& task, i32 level, i32 name) override;
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override;
    /// Its line of /proc/net/packet.
    std::string describe() const;
    u32 readiness() override;
    WaitQueue* wait_queue() override { return &waiters_; }

protected:
    i32 take_error() override;

private:
    struct Frame {
        std::vector<u8> bytes {};
        abi::LinkAddress from {};
        abi::PacketAuxData notes {};
    };
    /// Where something goes, and as what.
    struct Course {
        Interface const* interface;
        u16 protocol;
        Interface::HardwareAddress to;
    };

    bool has_link_header() const { return type() == abi::sock_raw; }
    void listen_for(u16 protocol);
    /// ENXIO, EINVAL.
    Result<Course> choose_course(SendRequest const& request) const;
    /// EINVAL, EMSGSIZE.
    Result<void> check_size(Interface const& by, u64 size) const;

    void see(PacketSight const& sight) override;
    bool wants(PacketSight const& sight) const;
    void queue(Frame frame);
    Frame take_first();
    Result<void> change_membership(i32 name, std::span<u8 const> value);
    Result<bool*> find_switch(i32 name);

    static constexpr u64 kOverhead = 256; ///< so that small frames fill a queue too
    u16 protocol_ = 0;
    i32 interface_ = 0; ///< the only one that it sees; 0: all
    bool is_watching_ = false, wants_notes_ = false, ignores_outgoing_ = false, wants_origin_ = false;
    std::vector<abi::PacketMembership> memberships_;
    abi::PacketStatistics statistics_ { 0, 0 }; ///< since they were read
    std::deque<Frame> queue_;
    u64 queued_ = 0; ///< bytes in the queue, with overhead
    std::optional<Errno> error_; ///< reported once
    WaitQueue waiters_;
};

/// EPERM, ESOCKTNOSUPPORT. `protocol`: as socket(2) has it, in network byte order.
Result<Ref<Socket>> make_packet_socket(Task& task, i32 type, i32 protocol, u32 flags);

} // namespace umbra::net
