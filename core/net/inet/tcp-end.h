// SPDX-License-Identifier: GPL-2.0-or-later
// One end of a TCP connection (tcp(7)). Both ends are here, so there are no packets: a write goes into the peer's queue, and
// closing or shutting an end tells the other. Of a connection with the outside the far end has no socket of a guest's: the
// uplink's driver stands behind it. References: a socket's file, the driver, a listener's queues and the peer hold an end;
// close() drops what it holds itself, so that no circle stays.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "core/net/inet/port-table.h"
#include "core/sync/mutex.h"

namespace umbra::net {

class TcpSocket;

class TcpEnd final : public RefCounted, public PortUser {
public:
    enum class State : u8 { closed, listening, connecting, connected };

    TcpEnd(NetworkNamespace& space, i32 family);
    ~TcpEnd() override;

    u32 state_number() const override;
    u64 receive_queue_bytes() const override;
    u32 backlog() const override { return state == State::listening ? backlog_ : 0; }
    u64 inode_number() const override;
    /// Made, and neither reset nor finished by both sides: Linux has a state other than CLOSE.
    bool is_alive() const { return state == State::connected && !was_reset && !(send_shut && finished); }

    /// Listens, or changes the backlog. EADDRINUSE.
    Result<void> listen(u32 backlog);
    /// The listener for a name at an interface, or null; what is exact goes before "any".
    static TcpEnd* find_listener(NetworkNamespace const& space, InetName const& name, i32 interface);
    /// Asks `listener` for a connection: made at once, or as soon as there is room in its queue.
    void connect_to(TcpEnd& listener);
    /// Begins a connection with the outside: the far end, for who stands behind it. Both are connecting until it says
    /// `accept_outside`, or closes it with `refuse_outside`.
    Ref<TcpEnd> begin_outside();
    void accept_outside();
    void refuse_outside(Errno why);
    /// The next connection to be accepted; null if there is none.
    RefPtr<TcpEnd> accept();
    /// The connection was refused or broken: what comes next says so once.
    void fail(Errno why);
    /// Nobody listens there.
    void be_refused();
    /// SHUT_WR: the peer reads what there is, then the end.
    void finish_sending();
    /// SHUT_RD; on a listener: it listens no more.
    void shut_receiving();
    /// Ends it; with `abort`, or if data was not read, the peer gets a reset. The end can be used anew.
    void close(bool abort);

    /// How much may be written now; 0 unless connected.
    u64 send_space() const;
    bool is_writable() const;
    /// Puts bytes behind what the peer has not read yet. With a `segment` size, what does not fill one is held back until there is
    /// more, or is pushed (MSG_MORE, TCP_CORK). EFAULT, ENOBUFS; may wait for the guest's pages.
    Result<u64> send(IoBuffer& data, u64 size, u64 segment = 0);
    /// Sends what is held back.
    void push();
    u64 held() const;
    /// The last byte that the peer has got is urgent (MSG_OOB): it is told, and an urgent byte before is one like others.
    void mark_urgent();
    struct Reading {
        bool peek = false; ///< they stay
        bool drop = false; ///< nobody wants to see them
        u64 skip = 0, most = ~u64 { 0 }; ///< bytes to begin behind, with `peek` only; and to end after
    };
    /// Takes up to data.remaining() bytes.
    Result<u64> receive(IoBuffer& data, Reading const& how);
    /// The urgent byte; null if there was none, or it has been passed.
    u8 const* urgent_byte() const;
    /// How many bytes are to be read before it. Only where there is one.
    u64 before_urgent() const { return urgent_at_ - position_; }
    /// Bytes of the stream that have come, read or not.
    u64 received() const { return position_ + queued; }
    /// Forgets the first byte, which is the urgent one.
    void pass_urgent();
    // For the kernel's own use of an end, without copies.
    /// The first bytes to be read; they stay until consume().
    std::span<u8 const> unread() const;
    void consume(u64 count);
    /// Room behind what the peer has not read yet, which is there: `wanted` bytes at most, more than 0. ENOBUFS.
    Result<std::span<u8>> room_at_peer(u64 wanted);
    /// The first `count` bytes of that room are sent.
    void send_from_room(u64 count);
    /// Nothing came into it: an idle connection holds no memory.
    void give_back_room();

    Ref<NetworkNamespace> space;
    Kernel& kernel;
    State state = State::closed;
    TcpSocket* file = nullptr; ///< while it has one
    RefPtr<TcpEnd> peer; ///< null once that is closed
    bool was_connected = false; ///< since it was last closed
    bool receive_shut = false, send_shut = false; ///< by this side, or both by a reset
    bool finished = false; ///< the peer sends no more
    bool was_reset = false; ///< by the peer
    std::optional<Errno> error; ///< reported once
    u64 queued = 0; ///< bytes to be read
    u64 send_limit, receive_limit;
    /// Whether there is an urgent byte in the queue, and whether it has been read beside the stream.
    enum class Urgent : u8 { none, waiting, read } urgent = Urgent::none;
    bool urgent_in_line = false; ///< SO_OOBINLINE
    /// Of the segments that a capture makes: what this end sends next, and what it expects.
    struct {
        u32 next = 0, expected = 0;
    } numbers;
    /// Of the kernel's own end of a connection with the outside: who can pass bytes on without the queue.
    class Outlet {
    public:
        virtual ~Outlet() = default;
        /// Sends some of them, which follow all that this end was sent before; returns how many. Does not wait.
        virtual u64 send_now(std::span<u8 const> bytes) = 0;
    };
    Outlet* outlet = nullptr;
    Mutex receive_mutex; ///< held by a reader while it copies
    WaitQueue waiters;

private:
    struct Chunk {
        std::unique_ptr<u8[]> data;
        u64 room, begin = 0, end = 0;
    };

    class Cork;

    u64 send_directly(IoBuffer& data, u64 size);
    u64 deliver(std::span<u8 const> bytes);
    Result<u64> deliver_whole(std::unique_ptr<u8[]> bytes, u64 count);
    Result<u64> hold(std::span<u8 const> bytes, u64 segment);
    bool has_backlog_room() const { return pending_.size() <= backlog_; }
    void establish(TcpEnd& listener);
    void admit_waiting();
    void stop_listening();
    void be_reset();
    void stop_asking();
    void capture_close(bool abort);
    void drop_queue();
    void account(i64 bytes);
    /// The first bytes have been read.
    void advance(u64 count);
    /// Room for bytes at the end of the queue.
    Result<Chunk*> tail(u64 wanted);

    std::deque<Chunk> queue_;
    std::unique_ptr<Cork> cork_; ///< made when something is held back for the first time
    std::deque<Ref<TcpEnd>> pending_; ///< a listener's connections to be accepted
    std::deque<Ref<TcpEnd>> connecting_; ///< those that wait for room among them
    TcpEnd* asked_ = nullptr; ///< the listener in whose connecting_ this one is
    u32 backlog_ = 0;
    u64 position_ = 0, urgent_at_ = 0; ///< in the stream: of the first byte in the queue, of the urgent one
};

} // namespace umbra::net
