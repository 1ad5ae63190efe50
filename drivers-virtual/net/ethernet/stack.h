// SPDX-License-Identifier: GPL-2.0-or-later
// The TCP/IP of an instance on a wire: lwIP, as Debian builds it, in its raw interface. Its state is global in the library, so a
// process has one stack, and as everything else it is used under the kernel lock. Its callbacks only take notes; what is to be
// done about them is done when the library has been left (Connection::pump). It has timers while there is something to time.
#pragma once

#include <functional>

#include "core/net/network-namespace.h"
#include "core/sync/wait-queue.h"
#include "core/time/timekeeper.h"
#include "drivers-virtual/net/ethernet/line.h"
#include "lwip/netif.h"

struct raw_pcb;
struct udp_pcb;
struct tcp_pcb;

namespace umbra::drivers {

class StackConnection;
class StackDatagrams;
class StackEchoes;

class IpStack final : public WireUser, private Timer {
public:
    IpStack(Kernel& kernel, Wire& wire);
    ~IpStack() override;

    Wire& wire() const { return wire_; }
    Line& line() { return line_; }
    Kernel& kernel() const { return kernel_; }
    net::NetworkNamespace& space() const { return space_; }
    net::InterfaceCounters& counters() const { return space_.interfaces.back().counters; }
    /// The first of eth0 as it was made; unspecified: it has none of that family.
    net::IpAddress address(bool is_v4 = true) const;
    /// Whether somebody has been found who has the address, or forwards to it.
    bool is_found(net::IpAddress const& address) const;
    bool is_up() const { return space_.interfaces.back().is_up; }
    /// On a vCPU; what is there already goes on.
    void start();

    /// Calls the library, and afterwards does what is to be done.
    template <typename Call> auto run(Call call)
    {
        Inside const inside(*this);
        return call();
    }
    void note(StackConnection& connection);
    void forget(StackConnection& connection);
    void enlist(StackConnection& connection);

    /// Hands a datagram over. ENOBUFS, EHOSTUNREACH, EMSGSIZE.
    Result<void> send_datagram(u16 from_port, net::InetName const& to, std::span<u8 const> data);
    Result<void> send_icmp(net::IpAddress const& to, std::span<u8 const> message);
    void join_group(net::IpAddress const& group, bool joins);
    // Who is to hear of answers.
    void enter(StackDatagrams& user) { datagram_users_.push_back(&user); }
    void leave(StackDatagrams& user) { std::erase(datagram_users_, &user); }
    void enter(StackEchoes& user) { echo_users_.push_back(&user); }
    void leave(StackEchoes& user) { std::erase(echo_users_, &user); }
    /// Waits, for a short time at most, until what closed connections have still to send has arrived. By a task.
    void drain();

private:
    /// The library is at work.
    class Inside {
    public:
        explicit Inside(IpStack& stack)
            : stack_(stack)
        {
            if (stack_.depth_++ == 0) stack_.entered();
        }
        ~Inside()
        {
            if (--stack_.depth_ == 0) stack_.left();
        }
        Inside(Inside const&) = delete;

    private:
        IpStack& stack_;
    };

    void frame_arrived(std::span<u8 const> frame) override;
    void all_arrived() override;
    void address_gone(net::IpAddress const& address) override;
    void may_answer() override;
    void expired() override;

    void entered();
    void left();
    void schedule();
    bool has_something_to_time() const;
    bool is_drained() const;
    void note_what_waits(std::span<u8 const> frame, bool is_ours);

    static err_t set_up(netif* interface);
    static err_t transmit(netif* interface, pbuf* frame);
    static u8 take_datagram(void* self, raw_pcb* pcb, pbuf* packet, ip_addr const* from);
    static u8 take_icmp(void* self, raw_pcb* pcb, pbuf* packet, ip_addr const* from);
    static u8 look_at_segment(void* self, raw_pcb* pcb, pbuf* packet, ip_addr const* from);
    static err_t take_connection(void* self, tcp_pcb* pcb, err_t error);
    u64 most_datagram(bool is_v4) const; ///< bytes
    bool deliver_datagram(std::span<u8 const> packet);
    void set_up_v6();
    void deliver_icmp(std::span<u8 const> packet);
    void open_port_for(std::span<u8 const> packet);

    net::NetworkNamespace& space_;
    Wire& wire_;
    net::Interface const made_; ///< eth0 as it was at first
    netif interface_ {};
    udp_pcb* sender_ = nullptr;
    raw_pcb* datagrams_ = nullptr;
    raw_pcb *icmp_ = nullptr, *icmp_v6_ = nullptr;
    raw_pcb* segments_ = nullptr;
    /// The library's, by whether they are IPv4's, and port; made when somebody asks.
    std::map<std::pair<bool, u16>, tcp_pcb*> listeners_;
    std::vector<StackConnection*> connections_;
    std::vector<Ref<StackConnection>> noted_; ///< those with something to do
    std::vector<StackDatagrams*> datagram_users_;
    std::vector<StackEchoes*> echo_users_;
    std::unique_ptr<u8[]> room_; ///< for one frame or packet
    Nanoseconds busy_until_ = 0; ///< the library waits for something that has no queue to look at
    Nanoseconds idle_since_ = 0;
    int depth_ = 0;
    bool is_started_ = false;
    WaitQueue drained_;
    Line line_;
};

} // namespace umbra::drivers
