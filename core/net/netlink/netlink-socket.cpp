// SPDX-License-Identifier: GPL-2.0-or-later
// Ports, groups, queues, and the frame of requests: acknowledgements, errors and ends of dumps.
#include "core/net/netlink/netlink-socket.h"

#include <algorithm>
#include <bit>

#include "core/kernel.h"
#include "core/net/netlink/protocols.h"
#include "core/net/unix/unix-socket.h"
#include "core/task/pid-namespace.h"
#include "core/task/task.h"

namespace umbra::net {

namespace {

constexpr u64 kBatch = 8192; ///< bytes of a dump in one datagram, for readers with small buffers
constexpr u64 kReserve = 32; ///< of the send buffer, as Linux

/// What a message takes that is in no queue, but on its way to the kernel.
class Charge {
public:
    explicit Charge(Kernel& kernel)
        : kernel_(kernel)
        , network_(Network::of(kernel))
    {
    }
    ~Charge() { release(); }
    Charge(Charge const&) = delete;
    /// ENOBUFS. Once.
    Result<void> take(u64 bytes)
    {
        if (!Network::has_room(kernel_, bytes)) return err::nobufs;
        network_->queued_bytes += bytes_ = bytes;
        return {};
    }
    void release() { network_->queued_bytes -= std::exchange(bytes_, 0); }

private:
    Kernel& kernel_;
    Ref<Network> network_;
    u64 bytes_ = 0;
};

Result<abi::SockaddrNetlink> parse_name(SocketAddress const& address)
{
    abi::SockaddrNetlink name;
    if (address.length < sizeof name || address.family() != abi::af_netlink) return err::inval;
    std::memcpy(&name, address.bytes, sizeof name);
    return name;
}

SocketAddress address_of(u32 port, u32 groups)
{
    abi::SockaddrNetlink const name { abi::af_netlink, 0, port, groups };
    SocketAddress address;
    std::memcpy(address.bytes, &name, sizeof name);
    address.length = sizeof name;
    return address;
}

u32 group_mask(u32 group) { return group && group <= 32 ? u32 { 1 } << (group - 1) : 0; }

u32 group_count(i32 protocol) { return protocol == abi::netlink_route ? abi::rtnlgrp_max : 32; }

/// Everybody may join what these tell.
bool is_public(i32 protocol) { return protocol != abi::netlink_usersock; }

std::vector<u8> bytes_of(i32 value)
{
    auto const* start = reinterpret_cast<u8 const*>(&value);
    return { start, start + sizeof value };
}

} // namespace

NetlinkSocket::NetlinkSocket(Task& task, vfs::Path path, u32 flags, i32 type, i32 protocol)
    : Socket(network_namespace(task), std::move(path), flags, abi::af_netlink, type, protocol)
    , opener_(task.credentials_ref())
{
    space().netlink_sockets.push_back(this);
}

NetlinkSocket::~NetlinkSocket()
{
    std::erase(space().netlink_sockets, this);
    if (bound_) space().netlink_ports.erase({ protocol(), port_ });
    wake_blocked();
    for (NetlinkSocket* receiver : std::exchange(blocked_on_, {}))
        receiver->blocked_senders_.erase(this);
    while (!queue_.empty())
        drop_first();
}

Result<void> NetlinkSocket::choose_port(Task& task, u32 wanted)
{
    auto& ports = space().netlink_ports;
    auto is_taken = [&](u32 port) { return !port || ports.contains({ protocol(), port }); };
    if (wanted && is_taken(wanted)) return err::addrinuse;
    u32 port = wanted ? wanted : u32(pid_out(task, task.process().id));
    while (is_taken(port))
        port = space().choose_netlink_port();
    ports[{ protocol(), port }] = this;
    port_ = port;
    bound_ = true;
    return {};
}

Result<void> NetlinkSocket::check_groups(Task& task) const
{
    return is_public(protocol()) || rules(task, space(), Capability::net_admin) ? Result<void>() : err::perm;
}

Result<void> NetlinkSocket::bind(Task& task, SocketAddress const& address)
{
    auto const name = TRY(parse_name(address));
    if (name.groups) TRY(check_groups(task));
    if (bound_ && name.port != port_) return err::inval;
    if (!bound_) TRY(choose_port(task, name.port));
    u64 const known = (u64 { 1 } << std::min(group_count(protocol()), 32u)) - 1;
    groups_ = (groups_ & ~u64 { 0xffffffff }) | (name.groups & known);
    return {};
}

Result<void> NetlinkSocket::connect(Task& task, SocketAddress const& address)
{
    if (address.length < sizeof(u16)) return err::inval;
    if (address.family() == abi::af_unspec) {
        peer_port_ = peer_groups_ = 0;
        return {};
    }
    auto const name = TRY(parse_name(address));
    bool const anybody = protocol() == abi::netlink_usersock;
    if ((name.port || name.groups) && !anybody && !rules(task, space(), Capability::net_admin))
        return err::perm;
    if (!bound_) TRY(choose_port(task, 0));
    peer_port_ = name.port;
    peer_groups_ = name.groups;
    return {};
}

SocketAddress NetlinkSocket::local_address() { return address_of(port_, u32(groups_)); }
Result<SocketAddress> NetlinkSocket::peer_address() { return address_of(peer_port_, peer_groups_); }

void NetlinkSocket::deliver(Datagram datagram, bool is_answer)
{
    Kernel& kernel = space().kernel;
    u64 const cost = datagram.bytes.size() + kOverhead;
    bool const fits = has_room(datagram.bytes.size()) || (is_answer && queue_.empty());
    // A dump waits until it is read on Linux; here all of it is made at once.
    bool const is_dump = is_answer && queued_ < receive_buffer() * 16;
    if ((!fits && !is_dump) || !Network::has_room(kernel, cost)) {
        if (!is_on_option(abi::netlink_no_enobufs)) error_ = err::nobufs;
        waiters_.wake_all();
        return;
    }
    queued_ += cost;
    Network::of(kernel).queued_bytes += cost;
    unread_parts_ += datagram.goes_on;
    queue_.push_back(std::move(datagram));
    waiters_.wake_all(abi::pollin | abi::pollrdnorm);
}

void NetlinkSocket::drop_first()
{
    u64 const cost = queue_.front().bytes.size() + kOverhead;
    queued_ -= cost;
    Network::of(space().kernel).queued_bytes -= cost;
    unread_parts_ -= queue_.front().goes_on;
    queue_.pop_front();
    wake_blocked();
}

void NetlinkSocket::remember_blocked(NetlinkSocket& sender)
{
    blocked_senders_.insert(&sender);
    sender.blocked_on_.insert(this);
}

void NetlinkSocket::wake_blocked()
{
    for (NetlinkSocket* sender : std::exchange(blocked_senders_, {})) {
        sender->blocked_on_.erase(this);
        sender->waiters_.wake_all(abi::pollout | abi::pollwrnorm);
    }
}

Result<void> NetlinkSocket::send_to_guests(u32 port, Datagram datagram)
{
    auto const found = space().netlink_ports.find({ protocol(), port });
    NetlinkSocket* const target = found == space().netlink_ports.end() ? nullptr : found->second;
    // Before a group is told, which happens once.
    if (target && !target->has_room(datagram.bytes.size())) {
        target->remember_blocked(*this);
        return err::again;
    }
    if (u32 const group = datagram.group) {
        bool told = false;
        for (NetlinkSocket* other : space().netlink_sockets) {
            if (other == this || other->protocol() != protocol() || !other->is_member(group)) continue;
            other->deliver(datagram, false);
            told = true;
        }
        if (!told && !port) return err::srch;
        if (!port) return {};
    }
    if (!target) return err::connrefused;
    datagram.group = 0;
    target->deliver(std::move(datagram), false);
    return {};
}

Result<u64> NetlinkSocket::send(Task& task, IoBuffer& data, SendRequest& request)
{
    if (request.flags & abi::msg_oob) return err::opnotsupp;
    if (!request.ancillary.files.empty()) return err::inval; // only local sockets carry them
    TRY(prepare_ancillary(task, request.ancillary));
    u32 port = peer_port_, groups = peer_groups_;
    bool const anybody = protocol() == abi::netlink_usersock;
    bool const is_addressed = request.to && request.to->length > 0;
    if (is_addressed) {
        auto const name = TRY(parse_name(*request.to));
        port = name.port, groups = name.groups;
        if ((port || groups) && !anybody && !rules(task, space(), Capability::net_admin)) return err::perm;
    }
    if (!bound_) TRY(choose_port(task, 0));
    u64 const size = data.remaining();
    if (size + kReserve > send_buffer()) return err::msgsize;
    Charge charge(space().kernel);
    TRY(charge.take(size + kOverhead));
    std::vector<u8> bytes(size);
    TRY(data.take_all(bytes.data(), size));
    if (port || groups || anybody) {
        u32 const group = groups ? u32(std::countr_zero(groups)) + 1 : 0;
        charge.release(); // the queue counts it
        Datagram datagram { std::move(bytes), port_, group, *request.ancillary.credentials };
        if (auto sent = send_to_guests(port, std::move(datagram)); sent.is_error()) {
            data.rewind(size); // nobody took it
            return sent.error();
        }
        return size;
    }
    serve(task, bytes, is_addressed);
    return size;
}

namespace {

/// What is said of a request that failed, or asked for an acknowledgement.
std::vector<u8> acknowledgement(NetlinkRequest const& request, i32 error)
{
    auto const& asked = request.message;
    bool const whole = error && !request.socket.is_on_option(abi::netlink_cap_ack);
    bool const explains = !request.complaint.empty() && request.socket.is_on_option(abi::netlink_ext_ack);
    abi::NetlinkHeader head { 0, abi::nlmsg_error, 0, asked.header.sequence, request.socket.port() };
    if (!whole) head.flags |= abi::nlm_f_capped;
    if (explains) head.flags |= abi::nlm_f_ack_tlvs;
    MessageWriter writer(head);
    writer.put(-error).put(asked.header);
    if (whole) writer.append(asked.payload);
    if (explains) writer.text(abi::nlmsgerr_attr_msg, request.complaint);
    return writer.take();
}

Result<void> answer(NetlinkRequest& request)
{
    if (request.is_dump() && request.socket.is_dumping()) return err::busy;
    if (request.is_dump() && request.socket.is_full()) return err::nobufs;
    switch (request.socket.protocol()) {
    case abi::netlink_route:
        return answer_route(request);
    case abi::netlink_sock_diag:
        return answer_sock_diag(request);
    default:
        return err::opnotsupp;
    }
}

/// Several messages go in one datagram, up to a size.
void deliver_dump(NetlinkRequest& request)
{
    request.answers.push_back(MessageWriter(request.head(abi::nlmsg_done)).put(i32(0)).take());
    std::vector<u8> batch;
    for (auto const& message : request.answers) {
        if (!batch.empty() && batch.size() + message.size() > kBatch)
            request.socket.deliver({ .bytes = std::exchange(batch, {}), .goes_on = true }, true);
        batch.insert(batch.end(), message.begin(), message.end());
    }
    request.socket.deliver({ .bytes = std::move(batch) }, true);
}

} // namespace

void NetlinkSocket::serve(Task& task, std::span<u8 const> bytes, bool is_addressed)
{
    if (protocol() == abi::netlink_kobject_uevent) return; // nothing is asked there
    while (auto const message = take_message(bytes)) {
        NetlinkRequest request { task, *this, *message, is_addressed };
        bool const is_asked
            = (request.flags() & abi::nlm_f_request) && message->header.type >= abi::nlmsg_min_type;
        auto const done = is_asked ? answer(request) : Result<void>();
        if (is_asked && done.ok() && request.is_dump()) {
            deliver_dump(request);
            if (!bytes.empty()) give_way();
            continue; // its end is its acknowledgement
        }
        for (auto& one : request.answers)
            deliver({ .bytes = std::move(one) }, true);
        bool const acknowledges = request.flags() & abi::nlm_f_ack;
        if (done.is_error())
            deliver({ .bytes = acknowledgement(request, i32(done.error())) }, true);
        else if (acknowledges)
            deliver({ .bytes = acknowledgement(request, 0) }, true);
        if (!bytes.empty()) give_way();
    }
}

Result<u64> NetlinkSocket::receive(Task&, IoBuffer& data, ReceiveRequest& request)
{
    if (request.flags & abi::msg_oob) return err::opnotsupp;
    if (error_) return Errno(take_error());
    if (queue_.empty()) return err::again;
    // Copying may wait, and another reader must not get the same: out of the queue it goes first.
    Datagram datagram = queue_.front();
    if (!(request.flags & abi::msg_peek)) drop_first();
    u64 const size = datagram.bytes.size(), wanted = std::min(size, data.remaining());
    TRY(data.put_all(datagram.bytes.data(), wanted));
    request.from = address_of(datagram.from, group_mask(datagram.group));
    request.ancillary.credentials = datagram.sender;
    if (is_on_option(abi::netlink_pktinfo)) request.ancillary.netlink_group = datagram.group;
    if (wanted < size) request.result_flags |= abi::msg_trunc;
    return request.flags & abi::msg_trunc ? size : wanted;
}

u32 NetlinkSocket::readiness()
{
    u32 ready = abi::pollout | abi::pollwrnorm;
    if (error_) ready |= abi::pollerr;
    if (!queue_.empty()) ready |= abi::pollin | abi::pollrdnorm;
    return ready;
}

i32 NetlinkSocket::take_error()
{
    auto const error = std::exchange(error_, std::nullopt);
    return error ? i32(*error) : 0;
}

namespace {

/// Options that are on or off.
bool is_switch(i32 name)
{
    return name == abi::netlink_pktinfo || name == abi::netlink_broadcast_error
        || name == abi::netlink_no_enobufs || name == abi::netlink_cap_ack || name == abi::netlink_ext_ack
        || name == abi::netlink_get_strict_chk;
}

} // namespace

Result<void> NetlinkSocket::set_option(Task& task, i32 level, i32 name, std::span<u8 const> value)
{
    if (level == abi::sol_socket) return Socket::set_option(task, level, name, value);
    if (level != abi::sol_netlink) return err::noprotoopt;
    u32 number = 0;
    if (value.size() < sizeof number) return err::inval;
    std::memcpy(&number, value.data(), sizeof number);
    switch (name) {
    case abi::netlink_add_membership:
    case abi::netlink_drop_membership: {
        TRY(check_groups(task));
        if (!number || number > group_count(protocol())) return err::inval;
        u64 const bit = u64 { 1 } << (number - 1);
        groups_ = name == abi::netlink_add_membership ? groups_ | bit : groups_ & ~bit;
        return {};
    }
    default:
        if (!is_switch(name)) return err::noprotoopt;
        options_ = number ? options_ | 1u << name : options_ & ~(1u << name);
        return {};
    }
}

Result<std::vector<u8>> NetlinkSocket::get_option(Task& task, i32 level, i32 name)
{
    if (level == abi::sol_socket) return Socket::get_option(task, level, name);
    if (level != abi::sol_netlink) return err::noprotoopt;
    switch (name) {
    case abi::netlink_list_memberships: {
        std::vector<u8> groups(group_count(protocol()) > 32 ? 8 : 4);
        std::memcpy(groups.data(), &groups_, groups.size());
        return groups;
    }
    default:
        if (is_switch(name)) return bytes_of(is_on_option(name));
    }
    return err::noprotoopt;
}

NetlinkSocket* as_netlink_socket(vfs::File& file) { return dynamic_cast<NetlinkSocket*>(&file); }

void tell_group(NetworkNamespace& space, i32 protocol, u32 group, std::vector<u8> const& bytes)
{
    for (NetlinkSocket* socket : space.netlink_sockets)
        if (socket->protocol() == protocol && socket->is_member(group))
            socket->deliver({ .bytes = bytes, .group = group }, false);
}

Result<Ref<Socket>> make_netlink_socket(Task& task, i32 type, i32 protocol, u32 flags)
{
    if (type != abi::sock_raw && type != abi::sock_dgram) return err::socktnosupport;
    constexpr i32 known[]
        = { abi::netlink_route, abi::netlink_usersock, abi::netlink_sock_diag, abi::netlink_kobject_uevent };
    if (std::ranges::find(known, protocol) == std::end(known)) return err::protonosupport;
    auto path = make_socket_path(task.kernel());
    return Ref<Socket>(make_ref<NetlinkSocket>(task, std::move(path), flags, type, protocol));
}

} // namespace umbra::net
