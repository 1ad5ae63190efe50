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
    u16 type = 0; ///< of the internet's class: A, AAAA, PTR; 0: another, of which nobody has records
    std::span<u8 const> question {}; ///< as it was asked
};

/// One question. Nothing: it is none, or none of a form that resolvers use.
std::optional<NameQuery> parse_name_query(std::span<u8 const> message);

constexpr u16 kNameTypeV4 = 1, kNameTypePointer = 12, kNameTypeV6 = 28;

/// The address whose host's name is asked for ("7.3.0.10.in-addr.arpa", or IPv6's); nothing: it is no such name.
std::optional<net::IpAddress> address_asked_for(NameQuery const& query);

/// What a host has: an address, the bytes of it that count, or for a pointer its name.
struct NameRecord {
    std::vector<u8> data {};
    static NameRecord of(net::IpAddress const& address);
    static NameRecord of(std::string_view host_name);
};
/// `is_known`: somebody has the name. Without a record he has none of that type.
std::vector<u8> answer(NameQuery const& query, bool is_known, std::optional<NameRecord> const& record);

} // namespace umbra::drivers
