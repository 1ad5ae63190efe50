// SPDX-License-Identifier: GPL-2.0-or-later
// Questions about names as resolvers send them (RFC 1035), and their answers: enough for one name server of one wire. Pure
// functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/net/inet/address.h"

namespace umbra::drivers {

constexpr u16 kNamePort = 53;

struct NameQuery {
    u16 identifier = 0;
    bool wants_recursion = false;
    std::string name {}; ///< with dots between its labels, and none at the end
    bool is_for_v4 = false; ///< type A of the internet's class; of other types a host has no records
    std::span<u8 const> question {}; ///< as it was asked
};

/// One question. Nothing: it is none, or none of a form that resolvers use.
std::optional<NameQuery> parse_name_query(std::span<u8 const> message);

/// `address`: of the host that has the name; null: nobody has it.
std::vector<u8> answer(NameQuery const& query, std::optional<net::IpAddress> const& address);

} // namespace umbra::drivers
