// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/switch/name-query.h"

#include "core/net/inet/checksum.h"

namespace umbra::drivers {

namespace {

constexpr u64 kHeader = 12, kMostLabel = 63, kMostName = 255;
constexpr u16 kIsAnswer = 0x8000, kOperation = 0x7800, kIsAuthority = 0x0400, kWantsRecursion = 0x0100;
constexpr u16 kNoSuchName = 3;
constexpr u16 kTypeAddress = 1, kClassInternet = 1;

void append(std::vector<u8>& message, u16 word)
{
    message.push_back(u8(word >> 8));
    message.push_back(u8(word));
}

/// Takes a name off the front. Nothing: it does not end, or refers to another place.
std::optional<std::string> take_name(std::span<u8 const>& bytes)
{
    std::string name;
    while (!bytes.empty()) {
        u64 const length = bytes[0];
        if (length > kMostLabel || bytes.size() <= length) return std::nullopt;
        auto const label = bytes.subspan(1, length);
        bytes = bytes.subspan(1 + length);
        if (label.empty()) return name;
        if (!name.empty()) name += '.';
        name.append(label.begin(), label.end());
        if (name.size() > kMostName) return std::nullopt;
    }
    return std::nullopt;
}

} // namespace

std::optional<NameQuery> parse_name_query(std::span<u8 const> message)
{
    constexpr u64 flags_at = 2, questions_at = 4, answers_at = 6;
    if (message.size() < kHeader) return std::nullopt;
    u16 const flags = net::get_word(message, flags_at);
    if (flags & (kIsAnswer | kOperation) || net::get_word(message, questions_at) != 1
        || net::get_word(message, answers_at) != 0)
        return std::nullopt;
    auto const asked = message.subspan(kHeader);
    auto rest = asked;
    auto name = take_name(rest);
    if (!name || rest.size() < 2 * sizeof(u16)) return std::nullopt;
    bool const is_for_v4
        = net::get_word(rest, 0) == kTypeAddress && net::get_word(rest, sizeof(u16)) == kClassInternet;
    return NameQuery { .identifier = net::get_word(message, 0),
        .wants_recursion = (flags & kWantsRecursion) != 0,
        .name = std::move(*name),
        .is_for_v4 = is_for_v4,
        .question = asked.first(asked.size() - rest.size() + 2 * sizeof(u16)) };
}

std::vector<u8> answer(NameQuery const& query, std::optional<net::IpAddress> const& address)
{
    constexpr u16 first_name = 0xc000 | kHeader; // the question's
    constexpr u64 address_size = 4;
    bool const has_record = address && query.is_for_v4;
    std::vector<u8> message;
    append(message, query.identifier);
    append(message,
        u16(kIsAnswer | kIsAuthority | (query.wants_recursion ? kWantsRecursion : 0)
            | (address ? 0 : kNoSuchName)));
    for (u16 const count : { u16(1), u16(has_record), u16(0), u16(0) })
        append(message, count);
    message.insert(message.end(), query.question.begin(), query.question.end());
    if (!has_record) return message;
    // Nobody is to remember it: ports come and go. The time to live has 32 bits.
    for (u16 const word : { first_name, kTypeAddress, kClassInternet, u16(0), u16(0), u16(address_size) })
        append(message, word);
    message.insert(message.end(), address->bytes.end() - address_size, address->bytes.end());
    return message;
}

} // namespace umbra::drivers
