// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/net/packet/packet-socket.h"

#include <algorithm>

#include "core/abi/inet.h"
#include "core/abi/ioctl.h"
#include "core/kernel.h"
#include "core/net/inet/checksum.h"
#include "core/net/inet/ip-input.h"
#include "core/net/network-namespace.h"
#include "core/net/option-value.h"
#include "core/net/unix/endpoint.h"
#include "core/task/task.h"

namespace umbra::net {

namespace {

constexpr size_t kMostMemberships = 4096; ///< of one socket; Linux has no limit but its memory
constexpr u64 kTypeAt = 12; ///< of the protocol's number in the header of the link

u16 swap(u16 word) { return u16(word << 8 | word >> 8); }

/// Whose it is, by the address that it was sent to.
u8 packet_type_of(PacketSight const& sight)
{
    if (sight.passage == Passage::leaves) return abi::packet_outgoing;
    if (sight.interface.is_loopback) return abi::packet_host;
    if (sight.to == sight.interface.broadcast_address()) return abi::packet_broadcast;
    return sight.to[0] & 1 ? abi::packet_multicast : abi::packet_host;
}

abi::LinkAddress link_address_of(PacketSight const& sight, u8 packet_type)
{
    abi::LinkAddress address { .family = abi::af_packet,
        .protocol = swap(sight.ethertype),
        .interface = sight.interface.index,
        .hardware_type = sight.interface.hardware_type(),
        .packet_type = packet_type,
        .address_length = abi::eth_address_size,
        .address = {} };
    std::ranges::copy(sight.from, address.address);
    return address;
}

} // namespace

PacketSocket::PacketSocket(NetworkNamespace& space, vfs::Path path, u32 flags, i32 type, u16 protocol)
    : Socket(space, std::move(path), flags, abi::af_packet, type, swap(protocol))
{
    space.packet_sockets.push_back(this);
    listen_for(protocol);
}

PacketSocket::~PacketSocket()
{
    listen_for(0);
    std::erase(space().packet_sockets, this);
    while (!queue_.empty())
        take_first();
}

void PacketSocket::listen_for(u16 protocol)
{
    protocol_ = protocol;
    if (is_watching_ == (protocol != 0)) return;
    is_watching_ = protocol != 0;
    is_watching_ ? space().watch(*this) : space().unwatch(*this);
}

Result<void> PacketSocket::bind(Task&, SocketAddress const& address)
{
    abi::LinkAddress wanted {};
    if (address.length < sizeof wanted || address.family() != abi::af_packet) return err::inval;
    std::memcpy(&wanted, address.bytes, sizeof wanted);
    Interface const* const by = wanted.interface ? space().find_interface(wanted.interface) : nullptr;
    if (wanted.interface && !by) return err::nodev;
    interface_ = wanted.interface;
    listen_for(wanted.protocol ? swap(wanted.protocol) : protocol_);
    if (by && !by->is_up) {
        error_ = err::netdown;
        waiters_.wake_all();
    }
    return {};
}

SocketAddress PacketSocket::local_address()
{
    Interface const* const by = interface_ ? space().find_interface(interface_) : nullptr;
    abi::LinkAddress own { .family = abi::af_packet,
        .protocol = swap(protocol_),
        .interface = interface_,
        .hardware_type = by ? by->hardware_type() : u16(0),
        .packet_type = 0,
        .address_length = by ? u8(abi::eth_address_size) : u8(0),
        .address = {} };
    if (by) std::ranges::copy(by->hardware_address, own.address);
    SocketAddress address;
    std::memcpy(address.bytes, &own, sizeof own);
    address.length = abi::link_address_at + own.address_length;
    return address;
}

std::string PacketSocket::describe() const
{
    char line[120];
    std::snprintf(line, sizeof line, "%016x %-6d %-4d %04x   %-5d %1d %-6u %-6u %-6llu\n", 0, 1, type(),
        protocol_, interface_, is_watching_, u32(queued_), inode().attributes().uid,
        static_cast<unsigned long long>(inode().number()));
    return line;
}

Result<PacketSocket::Course> PacketSocket::choose_course(SendRequest const& request) const
{
    Course course { space().find_interface(interface_), protocol_, {} };
    if (request.to) {
        abi::LinkAddress to {};
        if (request.to->length < sizeof to) return err::inval;
        std::memcpy(&to, request.to->bytes, sizeof to);
        if (request.to->length < abi::link_address_at + to.address_length) return err::inval;
        if (!has_link_header() && to.address_length < abi::eth_address_size) return err::inval;
        course = { space().find_interface(to.interface), swap(to.protocol), {} };
        std::copy_n(to.address, abi::eth_address_size, course.to.begin());
    }
    if (!course.interface) return err::nxio;
    if (!course.interface->is_up) return err::netdown;
    return course;
}

Result<void> PacketSocket::check_size(Interface const& by, u64 size) const
{
    u64 const header = has_link_header() ? abi::eth_header_size : 0;
    if (size < header) return err::inval;
    if (size - header > u64(by.mtu)) return err::msgsize;
    return {};
}

Result<u64> PacketSocket::send(Task&, IoBuffer& data, SendRequest& request)
{
    Course course = TRY(choose_course(request));
    Interface const& by = *course.interface;
    u64 const size = data.remaining();
    TRY(check_size(by, size));
    // Beyond eth0 there is nobody who takes packets.
    if (!by.is_loopback) return err::opnotsupp;
    i32 const index = by.index;
    std::vector<u8> bytes(size);
    TRY(data.take_all(bytes.data(), size)); // may wait
    Interface const* const still = space().find_interface(index);
    if (!still) return err::nxio;
    std::span<u8 const> packet(bytes);
    PacketSight sight {
        .interface = *still, .passage = Passage::loops, .ethertype = course.protocol, .packet = packet
    };
    sight.to = course.to;
    sight.sender = this;
    if (has_link_header()) {
        std::copy_n(packet.begin(), abi::eth_address_size, sight.to.begin());
        std::copy_n(packet.begin() + abi::eth_address_size, abi::eth_address_size, sight.from.begin());
        sight.ethertype = get_word(packet, kTypeAt);
        sight.packet = packet.subspan(abi::eth_header_size);
    }
    loop_back(space(), sight);
    return size;
}

bool PacketSocket::wants(PacketSight const& sight) const
{
    return (!interface_ || interface_ == sight.interface.index)
        && (protocol_ == abi::eth_p_all || protocol_ == sight.ethertype);
}

void PacketSocket::see(PacketSight const& sight)
{
    if (!wants(sight)) return;
    Frame frame;
    if (has_link_header()) {
        frame.bytes.reserve(abi::eth_header_size + sight.packet.size());
        frame.bytes.insert(frame.bytes.end(), sight.to.begin(), sight.to.end());
        frame.bytes.insert(frame.bytes.end(), sight.from.begin(), sight.from.end());
        frame.bytes.push_back(u8(sight.ethertype >> 8));
        frame.bytes.push_back(u8(sight.ethertype));
        frame.notes.network_at = abi::eth_header_size;
    }
    frame.bytes.insert(frame.bytes.end(), sight.packet.begin(), sight.packet.end());
    frame.notes.length = frame.notes.captured = u32(frame.bytes.size());
    // What leaves is for those who want to see everything, and who have not sent it.
    if (sight.leaves() && protocol_ == abi::eth_p_all && !ignores_outgoing_ && sight.sender != this) {
        Frame outgoing = frame;
        outgoing.from = link_address_of(sight, abi::packet_outgoing);
        queue(std::move(outgoing));
    }
    if (!sight.arrives()) return;
    frame.from = link_address_of(sight, packet_type_of(sight));
    queue(std::move(frame));
}

void PacketSocket::queue(Frame frame)
{
    ++statistics_.packets;
    u64 const size = frame.bytes.size() + kOverhead;
    if (queued_ + size > receive_buffer() || !Network::has_room(space().kernel, size)) {
        ++statistics_.drops;
        return;
    }
    queued_ += size;
    Network::of(space().kernel).queued_bytes += size;
    queue_.push_back(std::move(frame));
    waiters_.wake_all(abi::pollin | abi::pollrdnorm);
}

PacketSocket::Frame PacketSocket::take_first()
{
    Frame first = std::move(queue_.front());
    queue_.pop_front();
    u64 const size = first.bytes.size() + kOverhead;
    queued_ -= size;
    Network::of(space().kernel).queued_bytes -= size;
    return first;
}

Result<u64> PacketSocket::receive(Task&, IoBuffer& data, ReceiveRequest& request)
{
    constexpr u32 known = abi::msg_peek | abi::msg_dontwait | abi::msg_trunc | abi::msg_errqueue
        | abi::msg_cmsg_cloexec | abi::msg_waitforone | abi::msg_nosignal;
    if (request.flags & ~known) return err::inval;
    if (request.flags & abi::msg_errqueue) return err::again;
    if (error_) return Errno(take_error());
    if (queue_.empty()) return err::again;
    // Copying may wait, and another reader must not get the same: out of the queue it goes first.
    Frame const frame = request.flags & abi::msg_peek ? queue_.front() : take_first();
    u64 const size = frame.bytes.size(), wanted = std::min<u64>(size, data.remaining());
    TRY(data.put_all(frame.bytes.data(), wanted));
    std::memcpy(request.from.bytes, &frame.from, sizeof frame.from);
    request.from.length = sizeof frame.from;
    if (wants_notes_)
        request.ancillary.messages.push_back({ abi::sol_packet, abi::packet_auxdata, bytes_of(frame.notes) });
    if (wanted < size) request.result_flags |= abi::msg_trunc;
    return request.flags & abi::msg_trunc ? size : wanted;
}

u32 PacketSocket::readiness()
{
    u32 ready = abi::pollout | abi::pollwrnorm | abi::pollwrband;
    if (error_) ready |= abi::pollerr;
    if (!queue_.empty()) ready |= abi::pollin | abi::pollrdnorm;
    return ready;
}

i32 PacketSocket::take_error()
{
    auto const error = std::exchange(error_, std::nullopt);
    return error ? i32(*error) : 0;
}

Result<i64> PacketSocket::ioctl(Task& task, u32 command, u64 argument)
{
    i32 value = 0;
    if (command == abi::siocinq && !queue_.empty())
        value = i32(queue_.front().bytes.size());
    else if (command != abi::siocinq && command != abi::siocoutq)
        return Socket::ioctl(task, command, argument);
    TRY(UserOut<i32> { GuestAddr(argument) }.copy_out(task, value));
    return 0;
}

Result<void> PacketSocket::change_membership(i32 name, std::span<u8 const> value)
{
    auto const wanted = TRY(value_from<abi::PacketMembership>(value));
    if (wanted.address_length > sizeof wanted.address) return err::inval;
    auto const found = std::ranges::find(memberships_, wanted);
    if (name == abi::packet_drop_membership) {
        if (found != memberships_.end()) memberships_.erase(found);
        return {}; // as Linux, also for one that is none
    }
    if (!space().find_interface(wanted.interface)) return err::nodev;
    if (wanted.address_length > abi::eth_address_size || wanted.type > abi::packet_mr_unicast)
        return err::inval;
    if (memberships_.size() >= kMostMemberships) return err::nobufs;
    memberships_.push_back(wanted); // everything that passes is seen anyhow
    return {};
}

Result<bool*> PacketSocket::find_switch(i32 name)
{
    switch (name) {
    case abi::packet_auxdata:
        return &wants_notes_;
    case abi::packet_origdev: // which is the one that it came by
        return &wants_origin_;
    case abi::packet_ignore_outgoing:
        return &ignores_outgoing_;
    default:
        return err::noprotoopt;
    }
}

Result<void> PacketSocket::set_option(Task& task, i32 level, i32 name, std::span<u8 const> value)
{
    if (level != abi::sol_packet) {
        if (level == abi::sol_socket) return Socket::set_option(task, level, name, value);
        return err::noprotoopt;
    }
    if (name == abi::packet_add_membership || name == abi::packet_drop_membership)
        return change_membership(name, value);
    bool* const kept = TRY(find_switch(name));
    i32 const wanted = TRY(value_from<i32>(value));
    if (name == abi::packet_ignore_outgoing && (wanted < 0 || wanted > 1)) return err::inval;
    *kept = wanted != 0;
    return {};
}

Result<std::vector<u8>> PacketSocket::get_option(Task& task, i32 level, i32 name)
{
    if (level != abi::sol_packet) {
        if (level == abi::sol_socket) return Socket::get_option(task, level, name);
        return err::noprotoopt;
    }
    if (name == abi::packet_statistics) return bytes_of(std::exchange(statistics_, { 0, 0 }));
    return bytes_of(i32(*TRY(find_switch(name))));
}

Result<Ref<Socket>> make_packet_socket(Task& task, i32 type, i32 protocol, u32 flags)
{
    NetworkNamespace& space = network_namespace(task);
    if (!rules(task, space, Capability::net_raw)) return err::perm;
    if (type != abi::sock_raw && type != abi::sock_dgram) return err::socktnosupport;
    auto path = make_socket_path(task.kernel());
    return Ref<Socket>(make_ref<PacketSocket>(space, std::move(path), flags, type, swap(u16(protocol))));
}

} // namespace umbra::net
