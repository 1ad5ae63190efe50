// SPDX-License-Identifier: GPL-2.0-or-later
// The checksum of IP, TCP, UDP and ICMP (RFC 1071): the ones' complement sum of words of 16 bits in network byte order.
#pragma once

#include <span>

#include "core/base/types.h"

namespace umbra::net {

constexpr u32 kChecksumMask = 0xffff;

/// Adds `bytes` to a sum; each part of a message but the last has an even number of bytes, and all parts together less
/// than 2^17, so that nothing is carried out of the 32 bits.
inline u32 checksum_sum(std::span<u8 const> bytes, u32 sum = 0)
{
    for (size_t i = 0; i < bytes.size(); ++i)
        sum += i % 2 ? bytes[i] : u32(bytes[i]) << 8;
    return sum;
}

/// To 16 bits; the checksum is its complement.
inline u16 checksum_fold(u32 sum)
{
    while (sum > kChecksumMask)
        sum = (sum & kChecksumMask) + (sum >> 16);
    return u16(sum);
}

inline u16 get_word(std::span<u8 const> bytes, u64 at) { return u16(bytes[at] << 8 | bytes[at + 1]); }
inline void put_word(std::span<u8> bytes, u64 at, u16 word)
{
    bytes[at] = u8(word >> 8);
    bytes[at + 1] = u8(word);
}

} // namespace umbra::net
