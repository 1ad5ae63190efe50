// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/ethernet/datagrams.h"

#include "core/net/inet/icmp.h"

namespace umbra::drivers {

namespace {

constexpr size_t kMostQuestions = 16; ///< that wait for an answer; a resolver asks again

bool is_for_many(IpStack& stack, net::IpAddress const& address)
{
    return address.is_multicast() || stack.space().is_broadcast(address);
}

} // namespace

StackDatagrams::StackDatagrams(IpStack& stack, net::DatagramUser& user, u16 port)
    : stack_(stack)
    , user_(user)
    , port_(port)
{
    stack_.enter(*this);
}

StackDatagrams::~StackDatagrams() { stack_.leave(*this); }

Result<void> StackDatagrams::connect(net::InetName const& to)
{
    peer_ = to;
    if (is_for_many(stack_, to.address) || stack_.wire().is_itself(to.address)) return {};
    return stack_.wire().check_destination(to.address);
}

Result<void> StackDatagrams::send(net::InetName const& to, std::span<u8 const> data)
{
    if (stack_.wire().is_itself(to.address)) {
        bool const is_answered = TRY(answer_question(to, data));
        if (!is_answered && questions_.size() < kMostQuestions)
            questions_.push_back({ to, { data.begin(), data.end() } });
        return {};
    }
    if (!is_for_many(stack_, to.address)) TRY(stack_.wire().check_destination(to.address));
    TRY(stack_.send_datagram(port_, to, data));
    stack_.counters().count_sent(data.size());
    return {};
}

void StackDatagrams::refused(Refusal const& refusal)
{
    if (refusal.from.port == port_ && peer_ == refusal.to) user_.failed(err::connrefused);
}

Result<bool> StackDatagrams::answer_question(net::InetName const& asked, std::span<u8 const> question)
{
    auto const answer = TRY(stack_.wire().answer(asked.port, question));
    if (answer && !answer->empty()) user_.arrived(asked, *answer);
    return answer.has_value();
}

void StackDatagrams::answer_questions()
{
    // One that is refused now would have been before.
    std::erase_if(questions_, [&](auto const& one) {
        auto const is_answered = answer_question(one.to, one.text);
        return is_answered.is_error() || is_answered.value();
    });
}

StackEchoes::StackEchoes(IpStack& stack, net::DatagramUser& user, u16 identifier)
    : stack_(stack)
    , user_(user)
    , identifier_(identifier)
{
    stack_.enter(*this);
}

StackEchoes::~StackEchoes() { stack_.leave(*this); }

Result<void> StackEchoes::send(net::InetName const& to, std::span<u8 const> request)
{
    std::vector<u8> message(request.begin(), request.end());
    if (stack_.wire().is_itself(to.address)) {
        net::turn_into_reply(message, to.address.is_v4());
        user_.arrived({ to.address, 0 }, message);
        return {};
    }
    if (!is_for_many(stack_, to.address)) TRY(stack_.wire().check_destination(to.address));
    net::set_echo_identifier(message, identifier_);
    net::set_checksum(message, stack_.address(to.address.is_v4()), to.address);
    TRY(stack_.send_icmp(to.address, message));
    stack_.counters().count_sent(message.size());
    return {};
}

void StackEchoes::take(net::IpAddress const& from, std::span<u8 const> message)
{
    if (message.size() < net::kEchoHeader || !net::is_echo_reply(message, from.is_v4())) return;
    if (net::echo_identifier(message) != identifier_) return;
    stack_.counters().count_received(message.size());
    user_.arrived({ from, 0 }, message);
}

} // namespace umbra::drivers
