// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/switch/stack.h"

#include <algorithm>

#include "core/kernel.h"
#include "core/net/inet/udp-socket.h"
#include "core/task/namespaces.h"
#include "drivers-virtual/net/switch/connection.h"
#include "drivers-virtual/net/switch/datagrams.h"
#include "drivers-virtual/net/switch/lwip-address.h"
#include "drivers-virtual/net/switch/packet.h"
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

SwitchStack& stack_of(void* self) { return *static_cast<SwitchStack*>(self); }

/// Whether something will have to happen to the connection by itself.
bool has_to_be_timed(tcp_pcb const& pcb)
{
    bool const is_quiet = pcb.state == ESTABLISHED || pcb.state == CLOSE_WAIT
        || (pcb.state == FIN_WAIT_2 && !(pcb.flags & TF_RXCLOSED));
    constexpr tcpflags_t due = TF_ACK_DELAY | TF_ACK_NOW | TF_FIN | TF_CLOSEPEND;
    return !is_quiet || pcb.unsent || pcb.unacked || pcb.ooseq || pcb.refused_data || pcb.persist_backoff
        || (pcb.flags & due);
}

/// Of one that the guest has closed.
bool has_to_be_delivered(tcp_pcb const& pcb)
{
    return !pcb.callback_arg
        && (pcb.unsent || pcb.unacked || pcb.state == FIN_WAIT_1 || pcb.state == LAST_ACK
            || pcb.state == CLOSING);
}

} // namespace

SwitchStack::SwitchStack(Kernel& kernel, HostIo& io)
    : Timer(kernel)
    , space_(*kernel.first_namespaces().network)
    , port_(io, *this)
    , room_(new u8[kRoom])
    , line_(kernel, port_, drained_)
{
}

SwitchStack::~SwitchStack() = default;

err_t SwitchStack::set_up(netif* interface)
{
    auto& stack = stack_of(interface->state);
    auto const own = hardware_address_of(stack.port_.number());
    std::ranges::copy(own, interface->hwaddr);
    interface->hwaddr_len = u8_t(own.size());
    interface->name[0] = 's', interface->name[1] = 'w';
    interface->mtu = kMostPayload;
    interface->flags
        = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    interface->output = etharp_output;
    interface->output_ip6 = ethip6_output;
    interface->linkoutput = transmit;
    return ERR_OK;
}

void SwitchStack::start()
{
    if (std::exchange(is_started_, true)) return;
    lwip_init();
    idle_since_ = kernel_.time().monotonic();
    run([&] {
        ip_addr_t const own = lwip_address(address()),
                        all = lwip_address(net::IpAddress::v4(255, 255, 255, 0)),
                        none = lwip_address(net::IpAddress::v4(0, 0, 0, 0));
        netif_add(&interface_, ip_2_ip4(&own), ip_2_ip4(&all), ip_2_ip4(&none), this, set_up, ethernet_input);
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
    port_.start();
}

/// The address is known to be nobody else's, and no router is there to be asked.
void SwitchStack::set_up_v6()
{
    ip_addr_t const own = lwip_address(address(false));
    netif_set_ip6_autoconfig_enabled(&interface_, 0);
    netif_ip6_addr_set(&interface_, 0, ip_2_ip6(&own));
    netif_ip6_addr_set_state(&interface_, 0, IP6_ADDR_PREFERRED);
    interface_.rs_count = 0;
}

void SwitchStack::note(SwitchConnection& connection)
{
    if (!std::exchange(connection.is_noted_, true)) noted_.emplace_back(connection);
}

void SwitchStack::enlist(SwitchConnection& connection) { connections_.push_back(&connection); }

void SwitchStack::forget(SwitchConnection& connection) { std::erase(connections_, &connection); }

void SwitchStack::entered()
{
    if (is_armed()) return;
    // While nothing was timed its clock stood still.
    sys_restart_timeouts();
    Nanoseconds const ticks = (kernel_.time().monotonic() - idle_since_) / kTcpTick;
    tcp_ticks += u32_t(ticks);
    idle_since_ += ticks * kTcpTick;
}

void SwitchStack::left()
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

bool SwitchStack::has_something_to_time() const
{
    if (kernel_.time().monotonic() < busy_until_) return true;
    for (tcp_pcb const* pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (has_to_be_timed(*pcb)) return true;
    for (igmp_group const* group = netif_igmp_data(&interface_); group; group = group->next)
        if (group->timer > 0) return true;
    return false;
}

void SwitchStack::schedule()
{
    Nanoseconds const now = kernel_.time().monotonic();
    if (!has_something_to_time()) {
        if (is_armed()) idle_since_ = now;
        return cancel();
    }
    Nanoseconds const sleep = std::max(sys_timeouts_sleeptime() * kMillisecond, kShortestSleep);
    if (!is_armed() || now + sleep < deadline()) arm(now + sleep);
}

void SwitchStack::expired()
{
    idle_since_ = kernel_.time().monotonic(); // disarmed, but not for long
    ++depth_;
    sys_check_timeouts();
    --depth_;
    left();
}

void SwitchStack::note_what_waits(std::span<u8 const> frame, bool is_ours)
{
    Nanoseconds limit = 0;
    if (is_ours && asks_for_hardware_address(frame)) limit = kAskingLimit;
    if (!is_ours && is_fragment(frame)) limit = kFragmentLimit;
    if (limit) busy_until_ = std::max(busy_until_, kernel_.time().monotonic() + limit);
}

err_t SwitchStack::transmit(netif* interface, pbuf* frame)
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

void SwitchStack::frame_arrived(std::span<u8 const> frame)
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

void SwitchStack::all_arrived() { left(); }

void SwitchStack::port_gone(PortNumber port)
{
    run([&] {
        ip_addr_t const gone = lwip_address(switch_address(port)),
                        gone_v6 = lwip_address(switch_address(port, false));
        auto abort_one = [&](tcp_pcb* list) {
            for (tcp_pcb* pcb = list; pcb; pcb = pcb->next) {
                if (!ip_addr_cmp(&pcb->remote_ip, &gone) && !ip_addr_cmp(&pcb->remote_ip, &gone_v6)) continue;
                tcp_abort(pcb); // tells who has it
                return true;
            }
            return false;
        };
        while (abort_one(tcp_active_pcbs) || abort_one(tcp_tw_pcbs))
            ;
    });
}

void SwitchStack::port_named()
{
    for (auto* user : std::vector(datagram_users_))
        user->answer_questions();
}

Result<void> SwitchStack::send_datagram(u16 from_port, net::InetName const& to, std::span<u8 const> data)
{
    if (data.size() > (to.address.is_v4() ? kMostDatagram : kMostDatagramV6)) return err::msgsize;
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

Result<void> SwitchStack::send_icmp(net::IpAddress const& to, std::span<u8 const> message)
{
    if (message.size() > (to.is_v4() ? kMostDatagram : kMostDatagramV6)) return err::msgsize;
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

void SwitchStack::join_group(net::IpAddress const& group, bool joins)
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

bool SwitchStack::is_drained() const
{
    if (!line_.is_empty()) return false;
    if (std::ranges::any_of(connections_, [](auto const* one) { return one->is_flushing(); })) return false;
    for (tcp_pcb const* pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (has_to_be_delivered(*pcb)) return false;
    return true;
}

void SwitchStack::drain()
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

u8 SwitchStack::take_datagram(void* self, raw_pcb*, pbuf* packet, ip_addr const*)
{
    auto& stack = stack_of(self);
    // Nobody there: the library says so.
    if (!stack.deliver_datagram(whole_packet(packet, stack.room_.get()))) return 0;
    pbuf_free(packet);
    return 1;
}

u8 SwitchStack::take_icmp(void* self, raw_pcb*, pbuf* packet, ip_addr const*)
{
    auto& stack = stack_of(self);
    stack.deliver_icmp(whole_packet(packet, stack.room_.get()));
    return 0; // echo requests are answered by the library
}

u8 SwitchStack::look_at_segment(void* self, raw_pcb*, pbuf* packet, ip_addr const*)
{
    auto& stack = stack_of(self);
    u8* const head = stack.room_.get();
    stack.open_port_for({ head, pbuf_copy_partial(packet, head, u16_t(kMostHeaders), 0) });
    return 0;
}

bool SwitchStack::deliver_datagram(std::span<u8 const> packet)
{
    auto const datagram = parse_datagram(packet);
    if (!datagram) return false;
    counters().count_received(datagram->data.size());
    return net::UdpSocket::deliver_from_outside(space_, datagram->to, datagram->from, datagram->data);
}

void SwitchStack::deliver_icmp(std::span<u8 const> packet)
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

void SwitchStack::open_port_for(std::span<u8 const> packet)
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

err_t SwitchStack::take_connection(void* self, tcp_pcb* pcb, err_t error)
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
    SwitchConnection::take(stack, pcb, std::move(far));
    return ERR_OK;
}

} // namespace umbra::drivers
