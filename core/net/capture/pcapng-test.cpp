// SPDX-License-Identifier: GPL-2.0-or-later
// Blocks as the specification draws them.
#include "core/net/capture/pcapng.h"

#include <array>
#include <cstring>

#include <gtest/gtest.h>

namespace umbra::net {
namespace {

u32 word(std::string const& block, size_t at)
{
    u32 value = 0;
    EXPECT_LE(at + sizeof value, block.size());
    if (at + sizeof value <= block.size()) std::memcpy(&value, block.data() + at, sizeof value);
    return value;
}

/// Type, and the same length in front and behind, a multiple of 4.
void expect_frame(std::string const& block, u32 type)
{
    EXPECT_EQ(word(block, 0), type);
    EXPECT_EQ(word(block, 4), block.size());
    EXPECT_EQ(word(block, block.size() - 4), block.size());
    EXPECT_EQ(block.size() % 4, 0u);
}

TEST(Pcapng, Section)
{
    std::string const block = pcapng_section("umbra");
    expect_frame(block, 0x0a0d0d0a);
    EXPECT_EQ(word(block, 8), 0x1a2b3c4du);
    EXPECT_EQ(word(block, 12), 1u) << "version 1.0";
    EXPECT_EQ(block.substr(16, 8), std::string(8, '\xff'));
    EXPECT_EQ(word(block, 24), 5u << 16 | 4) << "an option of 5 bytes";
    EXPECT_EQ(block.substr(28, 8), std::string("umbra\0\0\0", 8));
    EXPECT_EQ(word(block, 36), 0u) << "no option follows";
}

TEST(Pcapng, Interface)
{
    std::string const block = pcapng_interface("eth0");
    expect_frame(block, 1);
    EXPECT_EQ(word(block, 8), 101u) << "raw IP";
    EXPECT_EQ(word(block, 12), 0u) << "no packet is cut";
    EXPECT_EQ(word(block, 16), 4u << 16 | 2);
    EXPECT_EQ(block.substr(20, 4), "eth0");
    EXPECT_EQ(word(block, 24), 1u << 16 | 9);
    EXPECT_EQ(word(block, 28), 9u) << "nanoseconds";
}

TEST(Pcapng, Packet)
{
    std::array<u8, 5> const bytes { 1, 2, 3, 4, 5 };
    std::string const block = pcapng_packet(1, 0x0102030405060708, bytes);
    expect_frame(block, 6);
    EXPECT_EQ(block.size(), 28u + 8 + 4);
    EXPECT_EQ(word(block, 8), 1u);
    EXPECT_EQ(word(block, 12), 0x01020304u);
    EXPECT_EQ(word(block, 16), 0x05060708u);
    EXPECT_EQ(word(block, 20), 5u);
    EXPECT_EQ(word(block, 24), 5u);
    EXPECT_EQ(block.substr(28, 8), std::string("\1\2\3\4\5\0\0\0", 8));
}

TEST(Pcapng, Statistics)
{
    std::string const block = pcapng_statistics(1, 7, 300, 2);
    expect_frame(block, 5);
    EXPECT_EQ(word(block, 20), 8u << 16 | 4);
    EXPECT_EQ(word(block, 24), 300u);
    EXPECT_EQ(word(block, 32), 8u << 16 | 5);
    EXPECT_EQ(word(block, 36), 2u);
}

} // namespace
} // namespace umbra::net
