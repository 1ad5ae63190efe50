// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/switch/datagrams.h"

#include "core/net/inet/icmp.h"
#include "drivers-virtual/net/switch/name-query.h"

namespace umbra::drivers {

namespace {

constexpr size_t kMostQuestions = 16; ///< that wait for somebody to say his name; a resolver asks again

bool is_for_many(SwitchStack& stack, net::IpAddress const& address)
{
    return address.is_multicast() || stack.space().is_broadcast(address);
}

bool is_switch_itself(net::IpAddress const& address)
{
    return address == switch_address(kSwitchItself, address.is_v4());
}

} // namespace

Result<void> check_destination(SwitchStack& stack, net::IpAddress const& address)
{
    if (!is_on_switch(address)) return err::netunreach;
    PortNumber const port = port_of(address);
    return port && stack.port().is_there(port) ? Result<void>() : err::hostunreach;
}

SwitchDatagrams::SwitchDatagrams(SwitchStack& stack, net::DatagramUser& user, u16 port)
    : stack_(stack)
    , user_(user)
    , port_(port)
{
    stack_.enter(*this);
}

SwitchDatagrams::~SwitchDatagrams() { stack_.leave(*this); }

Result<void> SwitchDatagrams::connect(net::InetName const& to)
{
    peer_ = to;
    if (is_for_many(stack_, to.address) || is_switch_itself(to.address)) return {};
    return check_destination(stack_, to.address);
}

Result<void> SwitchDatagrams::send(net::InetName const& to, std::span<u8 const> data)
{
    if (is_switch_itself(to.address)) {
        if (to.port != kNamePort) return err::connrefused;
        if (!answer_question(to.address, data) && questions_.size() < kMostQuestions)
            questions_.push_back({ to.address, { data.begin(), data.end() } });
        return {};
    }
    if (!is_for_many(stack_, to.address)) TRY(check_destination(stack_, to.address));
    TRY(stack_.send_datagram(port_, to, data));
    stack_.counters().count_sent(data.size());
    return {};
}

void SwitchDatagrams::refused(Refusal const& refusal)
{
    if (refusal.from.port == port_ && peer_ == refusal.to) user_.failed(err::connrefused);
}

bool SwitchDatagrams::answer_question(net::IpAddress const& asked, std::span<u8 const> question)
{
    auto const query = parse_name_query(question);
    if (!query) return true; // a resolver would ask again, and others get no answer
    std::optional<NameRecord> record;
    bool is_known = false;
    if (auto const address = address_asked_for(*query)) {
        auto const name = stack_.port().name_of(drivers::port_of(*address));
        is_known = !name.empty();
        if (is_known) record = NameRecord::of(name);
    } else if (PortNumber const port = stack_.port().find(query->name)) {
        is_known = true;
        if (query->type == kNameTypeV4 || query->type == kNameTypeV6)
            record = NameRecord::of(switch_address(port, query->type == kNameTypeV4));
    }
    if (!is_known && stack_.port().awaits_names()) return false;
    user_.arrived({ asked, kNamePort }, answer(*query, is_known, record));
    return true;
}

void SwitchDatagrams::answer_questions()
{
    std::erase_if(questions_, [&](auto const& one) { return answer_question(one.to, one.text); });
}

SwitchEchoes::SwitchEchoes(SwitchStack& stack, net::DatagramUser& user, u16 identifier)
    : stack_(stack)
    , user_(user)
    , identifier_(identifier)
{
    stack_.enter(*this);
}

SwitchEchoes::~SwitchEchoes() { stack_.leave(*this); }

Result<void> SwitchEchoes::send(net::InetName const& to, std::span<u8 const> request)
{
    std::vector<u8> message(request.begin(), request.end());
    if (is_switch_itself(to.address)) {
        net::turn_into_reply(message, to.address.is_v4());
        user_.arrived({ to.address, 0 }, message);
        return {};
    }
    if (!is_for_many(stack_, to.address)) TRY(check_destination(stack_, to.address));
    net::set_echo_identifier(message, identifier_);
    net::set_checksum(message, stack_.address(to.address.is_v4()), to.address);
    TRY(stack_.send_icmp(to.address, message));
    stack_.counters().count_sent(message.size());
    return {};
}

void SwitchEchoes::take(net::IpAddress const& from, std::span<u8 const> message)
{
    if (message.size() < net::kEchoHeader || !net::is_echo_reply(message, from.is_v4())) return;
    if (net::echo_identifier(message) != identifier_) return;
    stack_.counters().count_received(message.size());
    user_.arrived({ from, 0 }, message);
}

} // namespace umbra::drivers
