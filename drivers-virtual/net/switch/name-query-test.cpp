// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/switch/name-query.h"

#include <gtest/gtest.h>

#include "drivers-virtual/net/switch/protocol.h"

namespace umbra::drivers {
namespace {

using Bytes = std::vector<u8>;

/// "db.lab", as glibc asks; `type`: 1 is A, 28 AAAA.
Bytes query(u8 type = 1)
{
    return { 0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 'd', 'b', 3, 'l', 'a', 'b', 0, 0, type, 0, 1 };
}

TEST(NameQuery, IsTakenApart)
{
    Bytes const bytes = query();
    auto const parsed = parse_name_query(bytes);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->identifier, 0x1234);
    EXPECT_TRUE(parsed->wants_recursion);
    EXPECT_EQ(parsed->name, "db.lab");
    EXPECT_EQ(parsed->type, kNameTypeV4);
    EXPECT_EQ(parsed->question.size(), 12u);
    EXPECT_EQ(parse_name_query(query(28))->type, kNameTypeV6);
    EXPECT_EQ(parse_name_query(query(15))->type, 0) << "MX";
}

TEST(NameQuery, WhatFollowsTheQuestionIsLetAlone)
{
    Bytes bytes = query();
    bytes[11] = 1;
    bytes.insert(bytes.end(), { 0, 0, 41, 4, 176, 0, 0, 0, 0, 0, 0 }); // EDNS (RFC 6891)
    auto const parsed = parse_name_query(bytes);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->question.size(), 12u);
}

TEST(NameQuery, OfAnotherFormIsNone)
{
    Bytes const whole = query();
    for (size_t length = 0; length < whole.size(); ++length)
        EXPECT_FALSE(parse_name_query(std::span(whole).first(length))) << length;
    for (auto [at, value] : { std::pair(2, 0x80), { 2, 0x08 }, { 5, 2 }, { 5, 0 }, { 7, 1 }, { 12, 0xc0 } }) {
        Bytes bytes = query();
        bytes[size_t(at)] = u8(value);
        EXPECT_FALSE(parse_name_query(bytes)) << at;
    }
}

TEST(NameQuery, AnswersHaveTheQuestionAndTheAddress)
{
    Bytes const asked = query(), asked_v6 = query(28);
    auto const where = net::IpAddress::v4(10, 0, 3, 7);
    Bytes const found = answer(*parse_name_query(asked), true, NameRecord::of(where));
    ASSERT_EQ(found.size(), asked.size() + 16);
    EXPECT_EQ(Bytes(found.begin(), found.begin() + 8), (Bytes { 0x12, 0x34, 0x85, 0, 0, 1, 0, 1 }));
    EXPECT_TRUE(std::equal(asked.begin() + 12, asked.end(), found.begin() + 12));
    EXPECT_EQ(Bytes(found.end() - 16, found.end()),
        (Bytes { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 10, 0, 3, 7 }));
    auto const where_v6 = switch_address(7, false);
    Bytes const found_v6 = answer(*parse_name_query(asked_v6), true, NameRecord::of(where_v6));
    ASSERT_EQ(found_v6.size(), asked.size() + 28);
    EXPECT_EQ(found_v6[asked.size() + 3], 28);
    EXPECT_TRUE(std::equal(where_v6.bytes.begin(), where_v6.bytes.end(), found_v6.end() - 16));
    Bytes const other_type = answer(*parse_name_query(asked_v6), true, std::nullopt);
    EXPECT_EQ(other_type.size(), asked.size()) << "the host is there and has none";
    EXPECT_EQ(other_type[3] & 15, 0);
    Bytes const nobody = answer(*parse_name_query(asked), false, std::nullopt);
    EXPECT_EQ(nobody.size(), asked.size());
    EXPECT_EQ(nobody[3] & 15, 3);
}

std::optional<net::IpAddress> asked_by(std::string name, u16 type = kNameTypePointer)
{
    return address_asked_for({ .name = std::move(name), .type = type });
}

TEST(NameQuery, AddressesHaveNames)
{
    EXPECT_EQ(asked_by("7.3.0.10.in-addr.arpa"), net::IpAddress::v4(10, 0, 3, 7));
    EXPECT_EQ(asked_by("7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.0.0.0.1.6.2.7.2.6.d.6.5.7.d.f.ip6.arpa"),
        switch_address(7, false));
    for (char const* name : { "", "in-addr.arpa", ".in-addr.arpa", "3.0.10.in-addr.arpa",
             "1.7.3.0.10.in-addr.arpa", "256.3.0.10.in-addr.arpa", "7..0.10.in-addr.arpa",
             "x.3.0.10.in-addr.arpa", "7.0.ip6.arpa", "7.3.0.10.in-addr" })
        EXPECT_FALSE(asked_by(name)) << name;
    EXPECT_FALSE(asked_by("7.3.0.10.in-addr.arpa", kNameTypeV4));
    EXPECT_EQ(NameRecord::of("db.lab").data, (Bytes { 2, 'd', 'b', 3, 'l', 'a', 'b', 0 }));
}

} // namespace
} // namespace umbra::drivers
