// SPDX-License-Identifier: GPL-2.0-or-later
// One socket's datagrams, or echo requests, to others on the wire. What arrives goes to the port's receiver, whoever has sent;
// here only answers come: that nobody has the port, and replies to echoes. What is for the wire itself it answers.
#pragma once

#include "core/net/uplink.h"
#include "drivers-virtual/net/ethernet/packet.h"
#include "drivers-virtual/net/ethernet/stack.h"

namespace umbra::drivers {

class StackDatagrams final : public net::OutsideDatagrams {
public:
    StackDatagrams(IpStack& stack, net::DatagramUser& user, u16 port);
    ~StackDatagrams() override;

    Result<void> connect(net::InetName const& to) override;
    void disconnect() override { peer_.reset(); }
    Result<void> send(net::InetName const& to, std::span<u8 const> data) override;
    /// Nobody has the port there.
    void refused(Refusal const& refusal);
    /// The wire may have answers to those questions that were waiting for one.
    void answer_questions();

private:
    struct Question {
        net::InetName to;
        std::vector<u8> text;
    };
    /// False: not yet. ECONNREFUSED.
    Result<bool> answer_question(net::InetName const& asked, std::span<u8 const> question);

    std::vector<Question> questions_; ///< those not answered yet
    IpStack& stack_;
    net::DatagramUser& user_;
    u16 port_;
    std::optional<net::InetName> peer_ {}; ///< only of whom a connected socket hears
};

class StackEchoes final : public net::OutsideDatagrams {
public:
    StackEchoes(IpStack& stack, net::DatagramUser& user, u16 identifier);
    ~StackEchoes() override;

    Result<void> connect(net::InetName const&) override { return {}; } // each request is for itself
    void disconnect() override { }
    Result<void> send(net::InetName const& to, std::span<u8 const> request) override;
    /// A message has come.
    void take(net::IpAddress const& from, std::span<u8 const> message);

private:
    IpStack& stack_;
    net::DatagramUser& user_;
    u16 identifier_;
};

} // namespace umbra::drivers
