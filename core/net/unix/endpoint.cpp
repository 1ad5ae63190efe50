// SPDX-License-Identifier: GPL-2.0-or-later
// The life of an endpoint: queues, hanging up, closing.
#include "core/net/unix/endpoint.h"

#include "core/kernel.h"
#include "core/net/unix/unix-socket.h"

namespace umbra::net {

namespace {

constexpr u64 kDefaultSendBuffer = 212992;
constexpr size_t kMaxDatagrams = 10; ///< net.unix.max_dgram_qlen
constexpr u32 kReadable = abi::pollin | abi::pollrdnorm;
constexpr u32 kWritable = abi::pollout | abi::pollwrnorm | abi::pollwrband;

} // namespace

Result<std::unique_ptr<Packet>> Packet::make(UnixEndpoint& sender, u64 size)
{
    Kernel& kernel = sender.kernel;
    if (!Network::has_room(kernel, size + kOverhead)) return err::nobufs;
    return std::unique_ptr<Packet>(new Packet(Ref<UnixEndpoint>(sender), size));
}

Packet::Packet(Ref<UnixEndpoint> sender, u64 size)
    : sender_(std::move(sender))
    , size_(size)
    , data_(new u8[size])
{
    sender_->in_flight += size_ + kOverhead;
    Network::of(sender_->kernel).queued_bytes += size_ + kOverhead;
}

Packet::~Packet()
{
    sender_->in_flight -= size_ + kOverhead;
    Network::of(sender_->kernel).queued_bytes -= size_ + kOverhead;
    if (sender_->is_writable()) sender_->waiters.wake_all(kWritable);
    if (counted_files_) Network::of(sender_->kernel).files_in_flight -= counted_files_;
}

void Packet::attach(Ancillary what)
{
    ancillary = std::move(what);
    counted_files_ = ancillary.files.size();
    if (counted_files_) Network::of(sender_->kernel).files_in_flight += counted_files_;
}

UnixEndpoint::UnixEndpoint(NetworkNamespace& space, i32 type)
    : space(space)
    , kernel(space.kernel)
    , type(type)
    , send_limit(kDefaultSendBuffer)
{
}

void UnixEndpoint::enqueue(std::unique_ptr<Packet> packet)
{
    queue.push_back(std::move(packet));
    waiters.wake_all(kReadable);
}

void UnixEndpoint::mark_urgent()
{
    urgent = queue.back().get();
    if (file) (void)vfs::send_urgent(kernel, file->async_owner);
    waiters.wake_all(kReadable | abi::pollpri);
}

std::unique_ptr<Packet> UnixEndpoint::dequeue()
{
    auto packet = std::move(queue.front());
    if (urgent == packet.get()) urgent = nullptr;
    queue.pop_front();
    wake_blocked();
    return packet;
}

bool UnixEndpoint::is_queue_full(UnixEndpoint const& from) const
{
    return type == abi::sock_dgram && this != &from && !(peer == &from) && queue.size() > kMaxDatagrams;
}

void UnixEndpoint::remember_blocked(UnixEndpoint& sender)
{
    for (auto const& known : blocked_senders_)
        if (known == &sender) return;
    blocked_senders_.push_back(Ref<UnixEndpoint>(sender));
}

void UnixEndpoint::wake_blocked()
{
    for (auto& sender : std::exchange(blocked_senders_, {}))
        sender->waiters.wake_all(kWritable);
}

void UnixEndpoint::shut(bool receive, bool send)
{
    receive_shut |= receive;
    send_shut |= send;
    waiters.wake_all();
    backlog_room.wake_all();
    if (!is_connection_oriented() || !peer) return;
    peer->receive_shut |= send;
    peer->send_shut |= receive;
    peer->waiters.wake_all();
}

/// The other end of a connection learns that this one is gone; data that nobody read makes that a reset.
void UnixEndpoint::hang_up(UnixEndpoint& other)
{
    other.receive_shut = other.send_shut = true;
    bool never_accepted = !file;
    if (!queue.empty() || never_accepted) other.error = err::connreset;
    other.waiters.wake_all();
}

void UnixEndpoint::unbind()
{
    // An accepted connection carries its listener's name, without being found by it.
    auto& names = space->abstract_names;
    if (auto entry = names.find(name); entry != names.end() && entry->second == this) names.erase(entry);
    if (place && place->inode().attachment == this) place->inode().attachment = nullptr;
    place.reset();
}

void UnixEndpoint::close()
{
    Ref<UnixEndpoint> alive(*this); // the inode's or the peer's reference may be the last
    unbind();
    if (peer && is_connection_oriented()) hang_up(*peer);
    peer = nullptr;
    file = nullptr;
    state = State::closed;
    receive_shut = send_shut = true;
    for (auto& connection : std::exchange(pending, {}))
        connection->close();
    while (!queue.empty())
        Network::of(kernel).discard(dequeue());
    wake_blocked();
    backlog_room.wake_all();
    waiters.wake_all();
}

Network& Network::of(Kernel& kernel)
{
    if (!kernel.network) kernel.network = RefPtr<RefCounted>(Ref<RefCounted>(make_ref<Network>()));
    return static_cast<Network&>(*kernel.network);
}

bool Network::has_room(Kernel& kernel, u64 size)
{
    constexpr u64 share = 8;
    return of(kernel).queued_bytes + size <= kernel.options().memory_limit / share;
}

Network::~Network() = default;

void Network::discard(std::unique_ptr<Packet> packet)
{
    doomed_.push_back(std::move(packet));
    if (discarding_) return;
    discarding_ = true;
    while (!doomed_.empty()) {
        auto next = std::move(doomed_.front());
        doomed_.pop_front();
        next.reset();
    }
    discarding_ = false;
}

} // namespace umbra::net
