// SPDX-License-Identifier: GPL-2.0-or-later
// What sockets of whole messages share, UDP's and ICMP's: a queue of what has come, and an error that is told once.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "core/net/inet/inet-socket.h"

namespace umbra::net {

class DatagramSocket : public InetSocket, public PortUser {
public:
    DatagramSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 family, i32 type, i32 protocol);
    ~DatagramSocket() override;

    Result<void> shutdown(i32 how) override;
    Result<u64> receive(Task& task, IoBuffer& data, ReceiveRequest& request) override;
    u32 readiness() override;
    WaitQueue* wait_queue() override { return &waiters_; }
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override;
    /// What was sent came back: the next call says so, or SO_ERROR.
    void fail(Errno why);

    u32 state_number() const override;
    u64 receive_queue_bytes() const override { return queued_; }
    u64 inode_number() const override { return inode().number(); }

protected:
    struct Datagram {
        std::unique_ptr<u8[]> data;
        u64 size;
        InetName from;
        PacketNotes notes;
    };

    PortUser& user() override { return *this; }
    i32 take_error() override;
    /// Whether connect(2) has named one to send to.
    virtual bool has_peer() const { return is_connected(); }

    /// One to be filled. ENOBUFS: all queues together have their share of the memory.
    Result<Datagram> make_datagram(u64 size, InetName const& from, PacketNotes const& notes) const;
    /// Counts bytes that wait outside of a queue to the share that all have, and no more. ENOBUFS.
    Result<void> hold(u64 size) const;
    void let_go(u64 size) const;
    /// Takes a datagram, or drops it where there is no room.
    void deliver(Datagram datagram);

    Kernel& kernel_;
    bool receive_shut_ = false, send_shut_ = false;
    std::optional<Errno> error_; ///< reported once

private:
    void drop_first();

    static constexpr u64 kOverhead = 256; ///< so that empty datagrams fill a queue too
    std::deque<Datagram> queue_;
    u64 queued_ = 0; ///< bytes in the queue, with overhead
    WaitQueue waiters_;
};

} // namespace umbra::net
