// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/switch/name-query.h"

#include <algorithm>
#include <charconv>

#include "core/net/inet/checksum.h"

namespace umbra::drivers {

namespace {

constexpr u64 kHeader = 12, kMostLabel = 63, kMostName = 255;
constexpr u16 kIsAnswer = 0x8000, kOperation = 0x7800, kIsAuthority = 0x0400, kWantsRecursion = 0x0100;
constexpr u16 kNoSuchName = 3;
constexpr u16 kClassInternet = 1;

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
    u16 const type = net::get_word(rest, 0);
    bool const is_known = type == kNameTypeV4 || type == kNameTypeV6 || type == kNameTypePointer;
    return NameQuery { .identifier = net::get_word(message, 0),
        .wants_recursion = (flags & kWantsRecursion) != 0,
        .name = std::move(*name),
        .type = is_known && net::get_word(rest, sizeof(u16)) == kClassInternet ? type : u16(0),
        .question = asked.first(asked.size() - rest.size() + 2 * sizeof(u16)) };
}

std::optional<net::IpAddress> address_asked_for(NameQuery const& query)
{
    constexpr std::string_view end_v4 = ".in-addr.arpa", end_v6 = ".ip6.arpa";
    std::string_view text = query.name;
    bool const is_v4 = text.ends_with(end_v4);
    if (query.type != kNameTypePointer || (!is_v4 && !text.ends_with(end_v6))) return std::nullopt;
    text.remove_suffix(is_v4 ? end_v4.size() : end_v6.size());
    // The last number comes first: bytes in decimal, or half bytes in hexadecimal digits.
    std::vector<u32> parts;
    while (!text.empty()) {
        auto const part = text.substr(0, text.find('.'));
        u32 number = 0;
        auto const [end, error]
            = std::from_chars(part.data(), part.data() + part.size(), number, is_v4 ? 10 : 16);
        if (error != std::errc() || end != part.data() + part.size() || number > (is_v4 ? 255u : 15u))
            return std::nullopt;
        parts.push_back(number);
        text.remove_prefix(std::min(part.size() + 1, text.size()));
    }
    constexpr size_t bytes_v4 = 4, halves_v6 = 32;
    if (parts.size() != (is_v4 ? bytes_v4 : halves_v6)) return std::nullopt;
    if (is_v4) return net::IpAddress::v4(u8(parts[3]), u8(parts[2]), u8(parts[1]), u8(parts[0]));
    net::IpAddress address;
    for (size_t i = 0; i < address.bytes.size(); ++i)
        address.bytes[i] = u8(parts[halves_v6 - 1 - 2 * i] << 4 | parts[halves_v6 - 2 - 2 * i]);
    return address;
}

NameRecord NameRecord::of(net::IpAddress const& address)
{
    auto const bytes = std::span(address.bytes).subspan(address.is_v4() ? 12 : 0);
    return { { bytes.begin(), bytes.end() } };
}

NameRecord NameRecord::of(std::string_view host_name)
{
    NameRecord record;
    while (!host_name.empty()) {
        auto const label = host_name.substr(0, std::min<size_t>(host_name.find('.'), kMostLabel));
        record.data.push_back(u8(label.size()));
        record.data.insert(record.data.end(), label.begin(), label.end());
        host_name.remove_prefix(std::min(label.size() + 1, host_name.size()));
    }
    record.data.push_back(0);
    return record;
}

std::vector<u8> answer(NameQuery const& query, bool is_known, std::optional<NameRecord> const& record)
{
    constexpr u16 first_name = 0xc000 | kHeader; // the question's
    std::vector<u8> message;
    append(message, query.identifier);
    append(message,
        u16(kIsAnswer | kIsAuthority | (query.wants_recursion ? kWantsRecursion : 0)
            | (is_known ? 0 : kNoSuchName)));
    for (u16 const count : { u16(1), u16(record.has_value()), u16(0), u16(0) })
        append(message, count);
    message.insert(message.end(), query.question.begin(), query.question.end());
    if (!record) return message;
    // Nobody is to remember it: ports come and go. The time to live has 32 bits.
    for (u16 const word :
        { first_name, query.type, kClassInternet, u16(0), u16(0), u16(record->data.size()) })
        append(message, word);
    message.insert(message.end(), record->data.begin(), record->data.end());
    return message;
}

} // namespace umbra::drivers
