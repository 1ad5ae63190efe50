// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/ethernet/stack.h"

#include <algorithm>

#include "core/kernel.h"
#include "core/net/inet/udp-socket.h"
#include "core/task/namespaces.h"
#include "drivers-virtual/net/ethernet/connection.h"
#include "drivers-virtual/net/ethernet/datagrams.h"
#include "drivers-virtual/net/ethernet/lwip-address.h"
#include "drivers-virtual/net/ethernet/packet.h"
#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/igmp.h"
#include "lwip/init.h"
#include "lwip/mld6.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/raw.h"
#include "lwip/timeouts.h"
#include "lwip/udp.h"
#include "netif/ethernet.h"

namespace umbra::drivers {

namespace {

constexpr Nanoseconds kMillisecond = 1'000'000;
constexpr Nanoseconds kShortestSleep
    = 50 * kMillisecond; ///< the library's timers are coarse: some go off together
constexpr Nanoseconds kTcpTick = TCP_SLOW_INTERVAL * kMillisecond;
constexpr Nanoseconds kAskingLimit = 6 * kNanosecondsPerSecond; ///< so long it asks for a hardware address
constexpr Nanoseconds kFragmentLimit
    = 16 * kNanosecondsPerSecond; ///< so long it waits for the rest of a packet
constexpr Nanoseconds kDrainLimit = 2 * kNanosecondsPerSecond;
constexpr Nanoseconds kBadLineDrainLimit
    = 30 * kNanosecondsPerSecond; ///< so often what is lost is sent again
constexpr u64 kRoom = 64 << 10;

IpStack& stack_of(void* self) { return *static_cast<IpStack*>(self); }

/// Whether something will have to happen to the connection by itself.
bool has_to_be_timed(tcp_pcb const& pcb)
{
    bool const is_quiet = pcb.state == ESTABLISHED || pcb.state == CLOSE_WAIT
        || (pcb.state == FIN_WAIT_2 && !(pcb.flags & TF_RXCLOSED));
    constexpr tcpflags_t due = TF_ACK_DELAY | TF_ACK_NOW | TF_FIN | TF_CLOSEPEND;
    return !is_quiet || pcb.unsent || pcb.unacked || pcb.ooseq || pcb.refused_data || pcb.persist_backoff
        || (pcb.flags & due);
}

net::IpAddress net_mask(net::Interface const& interface)
{
    u32 const mask = u32(~u64 { 0 } << (32 - interface.addresses.front().prefix));
    return net::IpAddress::v4(u8(mask >> 24), u8(mask >> 16), u8(mask >> 8), u8(mask));
}

/// Of one that the guest has closed.
bool has_to_be_delivered(tcp_pcb const& pcb)
{
    return !pcb.callback_arg
        && (pcb.unsent || pcb.unacked || pcb.state == FIN_WAIT_1 || pcb.state == LAST_ACK
            || pcb.state == CLOSING);
}

} // namespace

IpStack::IpStack(Kernel& kernel, Wire& wire)
    : Timer(kernel)
    , space_(*kernel.first_namespaces().network)
    , wire_(wire)
    , made_(wire.make_interface())
    , room_(new u8[kRoom])
    , line_(kernel, wire_, drained_)
{
}

IpStack::~IpStack() = default;

net::IpAddress IpStack::address(bool is_v4) const
{
    for (auto const& one : made_.addresses)
        if (one.is_v4() == is_v4) return one.address;
    return net::IpAddress::any(is_v4 ? abi::af_inet : abi::af_inet6);
}

bool IpStack::is_found(net::IpAddress const& address) const
{
    if (wire_.check_destination(address).is_error()) return false;
    if (!address.is_v4()) return true;
    bool const is_near = made_.addresses.front().covers(address);
    ip_addr_t const next = lwip_address(is_near ? address : made_.gateway.value_or(address));
    eth_addr* hardware = nullptr;
    ip4_addr_t const* found = nullptr;
    return etharp_find_addr(const_cast<netif*>(&interface_), ip_2_ip4(&next), &hardware, &found)
        >= 0; // only looks
}

err_t IpStack::set_up(netif* interface)
{
    auto& stack = stack_of(interface->state);
    auto const& own = stack.made_.hardware_address;
    std::ranges::copy(own, interface->hwaddr);
    interface->hwaddr_len = u8_t(own.size());
    interface->name[0] = 'e', interface->name[1] = 'n';
    interface->mtu = u16_t(stack.made_.mtu);
    interface->flags
        = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    interface->output = etharp_output;
    interface->output_ip6 = ethip6_output;
    interface->linkoutput = transmit;
    return ERR_OK;
}

void IpStack::start()
{
    if (std::exchange(is_started_, true)) return;
    lwip_init();
    idle_since_ = kernel_.time().monotonic();
    run([&] {
        ip_addr_t const own = lwip_address(address()), mask = lwip_address(net_mask(made_)),
                        gateway = lwip_address(made_.gateway.value_or(net::IpAddress::v4(0, 0, 0, 0)));
        netif_add(
            &interface_, ip_2_ip4(&own), ip_2_ip4(&mask), ip_2_ip4(&gateway), this, set_up, ethernet_input);
        netif_set_default(&interface_);
        netif_set_link_up(&interface_);
        netif_set_up(&interface_);
        set_up_v6();
        sender_ = udp_new_ip_type(IPADDR_TYPE_ANY);
        auto watch = [&](u8_t protocol, raw_recv_fn taker) {
            raw_pcb* const pcb = raw_new_ip_type(IPADDR_TYPE_ANY, protocol);
            raw_recv(pcb, taker, this);
            return pcb;
        };
        datagrams_ = watch(IP_PROTO_UDP, take_datagram);
        icmp_ = watch(IP_PROTO_ICMP, take_icmp);
        icmp_v6_ = watch(IP6_NEXTH_ICMP6, take_icmp);
        segments_ = watch(IP_PROTO_TCP, look_at_segment);
    });
    wire_.start(*this);
}

/// The address is known to be nobody else's, and no router is there to be asked.
void IpStack::set_up_v6()
{
    if (address(false).is_any()) return;
    ip_addr_t const own = lwip_address(address(false));
    netif_set_ip6_autoconfig_enabled(&interface_, 0);
    netif_ip6_addr_set(&interface_, 0, ip_2_ip6(&own));
    netif_ip6_addr_set_state(&interface_, 0, IP6_ADDR_PREFERRED);
    interface_.rs_count = 0;
}

void IpStack::note(StackConnection& connection)
{
    if (!std::exchange(connection.is_noted_, true)) noted_.emplace_back(connection);
}

void IpStack::enlist(StackConnection& connection) { connections_.push_back(&connection); }

void IpStack::forget(StackConnection& connection) { std::erase(connections_, &connection); }

void IpStack::entered()
{
    if (is_armed()) return;
    // While nothing was timed its clock stood still.
    sys_restart_timeouts();
    Nanoseconds const ticks = (kernel_.time().monotonic() - idle_since_) / kTcpTick;
    tcp_ticks += u32_t(ticks);
    idle_since_ += ticks * kTcpTick;
}

void IpStack::left()
{
    depth_ = 1; // whatever is called now does not come here again
    while (!noted_.empty())
        for (auto const& connection : std::exchange(noted_, {})) {
            connection->is_noted_ = false;
            connection->pump();
        }
    depth_ = 0;
    schedule();
    if (drained_.has_waiters() && is_drained()) drained_.wake_all();
}

bool IpStack::has_something_to_time() const
{
    if (kernel_.time().monotonic() < busy_until_) return true;
    for (tcp_pcb const* pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (has_to_be_timed(*pcb)) return true;
    for (igmp_group const* group = netif_igmp_data(&interface_); group; group = group->next)
        if (group->timer > 0) return true;
    return false;
}

void IpStack::schedule()
{
    Nanoseconds const now = kernel_.time().monotonic();
    if (!has_something_to_time()) {
        if (is_armed()) idle_since_ = now;
        return cancel();
    }
    Nanoseconds const sleep = std::max(sys_timeouts_sleeptime() * kMillisecond, kShortestSleep);
    if (!is_armed() || now + sleep < deadline()) arm(now + sleep);
}

void IpStack::expired()
{
    idle_since_ = kernel_.time().monotonic(); // disarmed, but not for long
    ++depth_;
    sys_check_timeouts();
    --depth_;
    left();
}

void IpStack::note_what_waits(std::span<u8 const> frame, bool is_ours)
{
    Nanoseconds limit = 0;
    if (is_ours && asks_for_hardware_address(frame)) limit = kAskingLimit;
    if (!is_ours && is_fragment(frame)) limit = kFragmentLimit;
    if (limit) busy_until_ = std::max(busy_until_, kernel_.time().monotonic() + limit);
}

err_t IpStack::transmit(netif* interface, pbuf* frame)
{
    auto& stack = stack_of(interface->state);
    if (!stack.is_up() || frame->tot_len > kMostFrame) return ERR_OK; // lost
    std::span<u8 const> bytes(static_cast<u8*>(frame->payload), frame->len);
    if (frame->next) {
        pbuf_copy_partial(frame, stack.room_.get(), frame->tot_len, 0);
        bytes = { stack.room_.get(), frame->tot_len };
    }
    stack.note_what_waits(bytes, true);
    stack.line_.send(bytes);
    return ERR_OK;
}

void IpStack::frame_arrived(std::span<u8 const> frame)
{
    if (!is_up() || !may_be_taken(frame)) return;
    pbuf* const copy = pbuf_alloc(PBUF_RAW, u16_t(frame.size()), PBUF_RAM);
    if (!copy) return; // lost
    pbuf_take(copy, frame.data(), u16_t(frame.size()));
    if (depth_++ == 0) entered();
    note_what_waits(frame, false);
    if (interface_.input(copy, &interface_) != ERR_OK) pbuf_free(copy);
    --depth_; // all_arrived() follows
}

void IpStack::all_arrived() { left(); }

void IpStack::address_gone(net::IpAddress const& address)
{
    run([&] {
        ip_addr_t const gone = lwip_address(address);
        auto abort_one = [&](tcp_pcb* list) {
            for (tcp_pcb* pcb = list; pcb; pcb = pcb->next) {
                if (!ip_addr_cmp(&pcb->remote_ip, &gone)) continue;
                tcp_abort(pcb); // tells who has it
                return true;
            }
            return false;
        };
        while (abort_one(tcp_active_pcbs) || abort_one(tcp_tw_pcbs))
            ;
    });
}

void IpStack::may_answer()
{
    for (auto* user : std::vector(datagram_users_))
        user->answer_questions();
}

u64 IpStack::most_datagram(bool is_v4) const
{
    // Of IPv6 in one frame: it is not cut (may_be_taken).
    return is_v4 ? kMostDatagram : u64(made_.mtu) - kHeadersOfDatagramV6;
}

Result<void> IpStack::send_datagram(u16 from_port, net::InetName const& to, std::span<u8 const> data)
{
    if (data.size() > most_datagram(to.address.is_v4())) return err::msgsize;
    return run([&]() -> Result<void> {
        pbuf* const packet = pbuf_alloc(PBUF_TRANSPORT, u16_t(data.size()), PBUF_RAM);
        if (!packet) return err::nobufs;
        pbuf_take(packet, data.data(), u16_t(data.size()));
        ip_addr_t const there = lwip_address(to.address), own = lwip_address(address(to.address.is_v4()));
        sender_->local_port = from_port; // one of the library's serves all of the guest's
        err_t const error = udp_sendto_if_src(sender_, packet, &there, to.port, &interface_, &own);
        pbuf_free(packet);
        return error == ERR_OK ? Result<void>() : error == ERR_RTE ? err::hostunreach : err::nobufs;
    });
}

Result<void> IpStack::send_icmp(net::IpAddress const& to, std::span<u8 const> message)
{
    if (message.size() > most_datagram(to.is_v4())) return err::msgsize;
    return run([&]() -> Result<void> {
        pbuf* const packet = pbuf_alloc(PBUF_IP, u16_t(message.size()), PBUF_RAM);
        if (!packet) return err::nobufs;
        pbuf_take(packet, message.data(), u16_t(message.size()));
        ip_addr_t const there = lwip_address(to), own = lwip_address(address(to.is_v4()));
        err_t const error
            = raw_sendto_if_src(to.is_v4() ? icmp_ : icmp_v6_, packet, &there, &interface_, &own);
        pbuf_free(packet);
        return error == ERR_OK ? Result<void>() : error == ERR_RTE ? err::hostunreach : err::nobufs;
    });
}

void IpStack::join_group(net::IpAddress const& group, bool joins)
{
    run([&] {
        ip_addr_t const address = lwip_address(group);
        // What has no room is not heard, as a group that nobody has joined.
        if (!group.is_v4()) {
            joins ? mld6_joingroup_netif(&interface_, ip_2_ip6(&address))
                  : mld6_leavegroup_netif(&interface_, ip_2_ip6(&address));
            return;
        }
        joins ? igmp_joingroup_netif(&interface_, ip_2_ip4(&address))
              : igmp_leavegroup_netif(&interface_, ip_2_ip4(&address));
    });
}

bool IpStack::is_drained() const
{
    if (!line_.is_empty()) return false;
    if (std::ranges::any_of(connections_, [](auto const* one) { return one->is_flushing(); })) return false;
    for (tcp_pcb const* pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (has_to_be_delivered(*pcb)) return false;
    return true;
}

void IpStack::drain()
{
    // Timed out: it is lost, as with a machine that is switched off.
    Nanoseconds const limit = line_.is_impaired() ? kBadLineDrainLimit : kDrainLimit;
    (void)drained_.wait_until(
        [&] { return is_drained(); }, kernel_.time().monotonic() + limit, Interruption::killable);
}

// What arrives.

/// A packet in one piece; empty where it is longer than one can be.
static std::span<u8 const> whole_packet(pbuf* packet, u8* room)
{
    return { room, pbuf_copy_partial(packet, room, packet->tot_len, 0) };
}

u8 IpStack::take_datagram(void* self, raw_pcb*, pbuf* packet, ip_addr const*)
{
    auto& stack = stack_of(self);
    // Nobody there: the library says so.
    if (!stack.deliver_datagram(whole_packet(packet, stack.room_.get()))) return 0;
    pbuf_free(packet);
    return 1;
}

u8 IpStack::take_icmp(void* self, raw_pcb*, pbuf* packet, ip_addr const*)
{
    auto& stack = stack_of(self);
    stack.deliver_icmp(whole_packet(packet, stack.room_.get()));
    return 0; // echo requests are answered by the library
}

u8 IpStack::look_at_segment(void* self, raw_pcb*, pbuf* packet, ip_addr const*)
{
    auto& stack = stack_of(self);
    u8* const head = stack.room_.get();
    stack.open_port_for({ head, pbuf_copy_partial(packet, head, u16_t(kMostHeaders), 0) });
    return 0;
}

bool IpStack::deliver_datagram(std::span<u8 const> packet)
{
    auto const datagram = parse_datagram(packet);
    if (!datagram) return false;
    counters().count_received(datagram->data.size());
    return net::UdpSocket::deliver_from_outside(space_, datagram->to, datagram->from, datagram->data);
}

void IpStack::deliver_icmp(std::span<u8 const> packet)
{
    auto const ip = parse_packet(packet);
    if (!ip) return;
    if (auto const refused = parse_refusal(ip->payload, ip->from.is_v4())) {
        for (auto* user : std::vector(datagram_users_))
            user->refused(*refused);
        return;
    }
    for (auto* user : std::vector(echo_users_))
        user->take(ip->from, ip->payload);
}

void IpStack::open_port_for(std::span<u8 const> packet)
{
    auto const asked = parse_connection_request(packet);
    if (!asked) return;
    bool const is_wanted
        = net::TcpEnd::find_listener(space_, asked->to, space_.interfaces.back().index) != nullptr;
    bool const is_v4 = asked->to.address.is_v4();
    auto const found = listeners_.find({ is_v4, asked->to.port });
    if (is_wanted == (found != listeners_.end())) return;
    if (!is_wanted) {
        tcp_close(found->second);
        listeners_.erase(found);
        return;
    }
    tcp_pcb* const pcb = tcp_new_ip_type(is_v4 ? IPADDR_TYPE_V4 : IPADDR_TYPE_V6);
    if (!pcb) return;
    ip_set_option(pcb, SOF_REUSEADDR);
    ip_addr_t const own = lwip_address(address(is_v4));
    tcp_pcb* listener = nullptr;
    if (tcp_bind(pcb, &own, asked->to.port) == ERR_OK) listener = tcp_listen(pcb);
    if (!listener) return tcp_abort(pcb);
    tcp_arg(listener, this);
    tcp_accept(listener, take_connection);
    listeners_[{ is_v4, asked->to.port }] = listener;
}

err_t IpStack::take_connection(void* self, tcp_pcb* pcb, err_t error)
{
    if (error != ERR_OK || !pcb) return ERR_VAL;
    auto& stack = stack_of(self);
    net::InetName const from { address_from(pcb->remote_ip), pcb->remote_port },
        to { address_from(pcb->local_ip), pcb->local_port };
    net::TcpEnd* const listener
        = net::TcpEnd::find_listener(stack.space_, to, stack.space_.interfaces.back().index);
    if (!listener) {
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    auto far = make_ref<net::TcpEnd>(stack.space_, listener->family);
    far->local = from;
    far->remote = to;
    far->connect_to(*listener);
    StackConnection::take(stack, pcb, std::move(far));
    return ERR_OK;
}

} // namespace umbra::drivers
