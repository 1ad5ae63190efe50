// SPDX-License-Identifier: GPL-2.0-or-later
// The host side of a standard descriptor that is no terminal: moves bytes between it and a task's IoBuffer
// without blocking, and turns the host's readiness into wake-ups. Shared by all guest files that stand for
// the descriptor.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/base/ref.h"
#include "core/mm/user.h"
#include "core/sync/mutex.h"
#include "core/sync/wait-queue.h"
#include "drivers-virtual/host-io.h"
#include "hostabi/stream.h"

namespace umbra::drivers {

class StdioStream final : public RefCounted {
public:
    StdioStream(HostIo& io, hostabi::HostStream host);
    ~StdioStream() override;

    hostabi::HostStream& host() { return host_; }
    HostIo& io() { return io_; }
    bool is_regular() const { return host_.is_regular(); }
    /// The host lets it be positioned: regular files, block devices, /dev/null.
    bool has_position() const { return has_position_; }

    /// At the descriptor's own position, which other host processes share. As vfs::File::read and write:
    /// err::again with a watch set where nothing can move. Regular files wait in the ring instead.
    Result<u64> read(IoBuffer& buffer);
    Result<u64> write(IoBuffer& buffer);
    Result<u64> read_at(IoBuffer& buffer, u64 offset);
    Result<u64> write_at(IoBuffer& buffer, u64 offset);

    /// The poll(2) bits that hold now. Sees to it that queue() is woken when one of `wanted`, POLLERR or
    /// POLLHUP may come to hold.
    u32 readiness(u32 wanted);
    WaitQueue& queue() { return queue_; }
    /// Counts guest files; when the last goes, nobody waits any more and the host's descriptor may go.
    void opened() { ++files_; }
    void closed();

private:
    class Watch;
    /// Kernel memory that the bytes of one direction pass through; the mutex guards it across copies and
    /// waits.
    struct Lane {
        Mutex mutex;
        std::unique_ptr<u8[]> bytes; ///< made on first use
        u8* data();
    };

    Result<u64> write_from(IoBuffer& buffer, i64 offset);
    Result<u64> give_pending(IoBuffer& buffer);
    /// One read (write) of the host's; what cannot be tried waits in the ring.
    Result<u64> read_piece(std::span<u8> out, i64 offset);
    Result<u64> write_piece(std::span<u8 const> in, i64 offset);
    bool must_use_ring(hostabi::HostErrno tried) const;
    Errno not_now(u32 event);
    void watch(u32 events);

    HostIo& io_;
    hostabi::HostStream host_;
    bool has_position_;
    Lane in_, out_;
    u64 pending_begin_ = 0,
        pending_end_ = 0; ///< in in_: read from the host, then refused by the guest's memory
    WaitQueue queue_;
    std::vector<Watch*> watches_; ///< polls in flight, owned by their rings
    bool cannot_watch_ = false; ///< the host refuses to poll it: always ready
    u32 files_ = 0;
};

} // namespace umbra::drivers
