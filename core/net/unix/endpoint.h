// SPDX-License-Identifier: GPL-2.0-or-later
// One end of local communication (unix(7)): name, peer, what has arrived. It lives apart from the file
// (UnixSocket), since a peer, a packet in flight or a connection not yet accepted needs the end without a
// descriptor. References: a socket's file, its peer, its packets in others' queues, a listener's queue and
// the inode it is bound to hold an endpoint; close() drops what it holds itself, so that no circle stays.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/net/network-namespace.h"
#include "core/net/socket.h"
#include "core/sync/mutex.h"

namespace umbra::net {

class UnixEndpoint;
class UnixSocket;

/// Bytes on their way, with what goes along. Counted against the sender's buffer as long as it exists.
class Packet {
public:
    /// ENOBUFS when all that waits in sockets would take more than its share of the instance's memory.
    static Result<std::unique_ptr<Packet>> make(UnixEndpoint& sender, u64 size);
    ~Packet();
    Packet(Packet const&) = delete;

    u8* data() { return data_.get() + taken; }
    u64 size() const { return size_ - taken; } ///< bytes not yet read
    UnixEndpoint& sender() const { return *sender_; }
    void attach(Ancillary ancillary);

    u64 taken
        = 0; ///< by reads of a stream; all of it only where it was urgent: then its place still parts the stream
    Ancillary ancillary {};
    std::string sender_name; ///< as it was when it was sent

private:
    Packet(Ref<UnixEndpoint> sender, u64 size);

    static constexpr u64 kOverhead = 256; ///< so that small and empty packets fill a buffer too
    Ref<UnixEndpoint> sender_;
    u64 size_;
    std::unique_ptr<u8[]> data_;
    u64 counted_files_ = 0;
};

class UnixEndpoint final : public RefCounted, public TaggedNode<UnixEndpoint> {
public:
    enum class State : u8 { unconnected, listening, connected, closed };

    UnixEndpoint(NetworkNamespace& space, i32 type);

    bool is_connection_oriented() const { return type != abi::sock_dgram; }
    bool is_closed() const { return state == State::closed; }

    /// Takes the name away, hangs up, and drops everything queued.
    void close();
    /// shutdown(2) on this end; the peer of a connection gets the complement.
    void shut(bool receive, bool send);
    void enqueue(std::unique_ptr<Packet> packet);
    /// The last byte that has come is urgent. It is a packet.
    void mark_urgent();
    std::unique_ptr<Packet> dequeue();
    /// Whether a datagram from `from` must wait: more than the queue's limit, unless both are each other's
    /// peers.
    bool is_queue_full(UnixEndpoint const& from) const;
    /// Wakes `sender` once there is room in this queue.
    void remember_blocked(UnixEndpoint& sender);

    /// Room for another packet, as a writer sees it; poll(2) wants three quarters free.
    bool has_send_space() const { return in_flight < send_limit; }
    bool is_writable() const { return in_flight * 4 <= send_limit; }

    Ref<NetworkNamespace> space; ///< in whose names an abstract one is
    Kernel& kernel;
    i32 const type;
    State state = State::unconnected;
    UnixSocket* file = nullptr; ///< while it has one

    /// The bytes of sun_path; an abstract name starts with NUL; empty: unbound.
    std::string name;
    std::optional<vfs::Path> place; ///< of the socket file it is bound to
    Mutex bind_mutex; ///< making that file may wait

    RefPtr<UnixEndpoint> peer;
    abi::Ucred peer_credentials { 0, ~0u, ~0u };
    std::vector<u32> peer_groups;
    bool receive_shut = false, send_shut = false;
    std::optional<Errno> error; ///< reported once

    std::deque<std::unique_ptr<Packet>> queue;
    Packet const* urgent = nullptr; ///< the one in the queue that has come by MSG_OOB and is not read yet
    Mutex receive_mutex; ///< held by a reader while it copies
    std::deque<Ref<UnixEndpoint>> pending; ///< a listener's connections to be accepted
    u32 backlog = 0;
    WaitQueue backlog_room;

    u64 in_flight = 0; ///< bytes of ours in others' queues, with overhead
    u64 send_limit;
    WaitQueue waiters;

private:
    void unbind();
    void hang_up(UnixEndpoint& other);
    void wake_blocked();

    std::vector<Ref<UnixEndpoint>> blocked_senders_;
};

/// The sockets of a kernel in all namespaces: what they take, and what the collector of unreachable descriptors needs to
/// know.
struct Network : RefCounted {
    static Network& of(Kernel& kernel);
    /// Whether so many bytes more may lie in queues: all together have an eighth of the memory limit, beside it.
    static bool has_room(Kernel& kernel, u64 size);
    ~Network() override;

    List<UnixEndpoint, TaggedNode<UnixEndpoint>> endpoints; ///< those with a file
    u64 endpoint_count = 0;
    u64 files_in_flight = 0;
    u64 queued_bytes = 0; ///< in all queues, with overhead: they are the kernel's memory, not the instance's
    u64 closed_since_collection = 0;
    bool collecting = false;

    /// Destroys packets one after the other: a packet may hold the last reference on a socket with packets of
    /// its own, and chains of those would eat the kernel stack.
    void discard(std::unique_ptr<Packet> packet);

private:
    std::deque<std::unique_ptr<Packet>> doomed_;
    bool discarding_ = false;
};

/// Closes sockets that only each other's queues refer to (Linux: unix_gc). Called when a socket is closed; looks at all of
/// them, so with many it waits until a part of them was closed.
void collect_unreachable_sockets(Network& network);

} // namespace umbra::net
