// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/switch/name-query.h"

#include <gtest/gtest.h>

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
    EXPECT_TRUE(parsed->is_for_v4);
    EXPECT_EQ(parsed->question.size(), 12u);
    EXPECT_FALSE(parse_name_query(query(28))->is_for_v4);
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
    Bytes const found = answer(*parse_name_query(asked), where);
    ASSERT_EQ(found.size(), asked.size() + 16);
    EXPECT_EQ(Bytes(found.begin(), found.begin() + 8), (Bytes { 0x12, 0x34, 0x85, 0, 0, 1, 0, 1 }));
    EXPECT_TRUE(std::equal(asked.begin() + 12, asked.end(), found.begin() + 12));
    EXPECT_EQ(Bytes(found.end() - 16, found.end()),
        (Bytes { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 10, 0, 3, 7 }));
    Bytes const other_type = answer(*parse_name_query(asked_v6), where);
    EXPECT_EQ(other_type.size(), asked.size()) << "the host is there and has none";
    EXPECT_EQ(other_type[3] & 15, 0);
    Bytes const nobody = answer(*parse_name_query(asked), std::nullopt);
    EXPECT_EQ(nobody.size(), asked.size());
    EXPECT_EQ(nobody[3] & 15, 3);
}

} // namespace
} // namespace umbra::drivers
