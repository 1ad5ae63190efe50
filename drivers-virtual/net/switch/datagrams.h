// SPDX-License-Identifier: GPL-2.0-or-later
// One socket's datagrams, or echo requests, to others on the switch. What arrives goes to the port's receiver, whoever has sent;
// here only answers come: that nobody has the port, and replies to echoes. What is for the switch itself it answers.
#pragma once

#include "core/net/uplink.h"
#include "drivers-virtual/net/switch/packet.h"
#include "drivers-virtual/net/switch/stack.h"

namespace umbra::drivers {

class SwitchDatagrams final : public net::OutsideDatagrams {
public:
    SwitchDatagrams(SwitchStack& stack, net::DatagramUser& user, u16 port);
    ~SwitchDatagrams() override;

    Result<void> connect(net::InetName const& to) override;
    void disconnect() override { peer_.reset(); }
    Result<void> send(net::InetName const& to, std::span<u8 const> data) override;
    /// Nobody has the port there.
    void refused(Refusal const& refusal);
    /// Somebody has said who he is: questions about names that were waiting for that.
    void answer_questions();

private:
    /// False: who has not said his name yet may have it.
    bool answer_question(net::IpAddress const& asked, std::span<u8 const> question);

    struct Question {
        net::IpAddress to;
        std::vector<u8> text;
    };
    std::vector<Question> questions_; ///< those not answered yet
    SwitchStack& stack_;
    net::DatagramUser& user_;
    u16 port_;
    std::optional<net::InetName> peer_ {}; ///< only of whom a connected socket hears
};

class SwitchEchoes final : public net::OutsideDatagrams {
public:
    SwitchEchoes(SwitchStack& stack, net::DatagramUser& user, u16 identifier);
    ~SwitchEchoes() override;

    Result<void> connect(net::InetName const&) override { return {}; } // each request is for itself
    void disconnect() override { }
    Result<void> send(net::InetName const& to, std::span<u8 const> request) override;
    /// A message has come.
    void take(net::IpAddress const& from, std::span<u8 const> message);

private:
    SwitchStack& stack_;
    net::DatagramUser& user_;
    u16 identifier_;
};

/// Whether somebody can be there. EHOSTUNREACH; ENETUNREACH: the switch forwards to nobody.
Result<void> check_destination(SwitchStack& stack, net::IpAddress const& address);

} // namespace umbra::drivers
