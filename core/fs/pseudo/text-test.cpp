// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/fs/pseudo/text.h"

#include <gtest/gtest.h>

namespace umbra::fs {
namespace {

TEST(PseudoText, Integers)
{
    EXPECT_EQ(parse_integer(" 12\n").value(), 12);
    EXPECT_EQ(parse_integer("-7").value(), -7);
    EXPECT_EQ(parse_integer("0x1f").value(), 31);
    EXPECT_EQ(parse_integer("010").value(), 8);
    EXPECT_TRUE(parse_integer("").is_error());
    EXPECT_TRUE(parse_integer("1x").is_error());
}

TEST(PseudoText, ListsAndEscapes)
{
    EXPECT_EQ(format_list(0b1001111), "0-3,6");
    EXPECT_EQ(format_list(0), "");
    EXPECT_EQ(format_list(~u64 { 0 }), "0-63");
    std::string out;
    append_escaped(out, "a b\\", " ");
    EXPECT_EQ(out, "a\\040b\\134");
}

TEST(PseudoText, WordsAndLongFormats)
{
    std::string_view rest = "  one two ";
    EXPECT_EQ(take_word(rest), "one");
    EXPECT_EQ(take_word(rest), "two");
    EXPECT_EQ(take_word(rest), "");
    EXPECT_EQ(format_text("%s!", std::string(1000, 'x').c_str()).size(), 1001u);
}

} // namespace
} // namespace umbra::fs
