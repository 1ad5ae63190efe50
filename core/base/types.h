// SPDX-License-Identifier: GPL-2.0-or-later
// The integer names and the distinct number types that every part of Umbra uses.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace umbra {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

/// A number that does not mix with other numbers of the same width. `Tag` makes the type distinct.
template <typename Tag, typename Value> struct Strong {
    Value value {};

    constexpr Strong() = default;
    constexpr explicit Strong(Value v)
        : value(v)
    {
    }
    constexpr auto operator<=>(Strong const&) const = default;
};

/// An address in a guest process. Never dereferenced directly: see core/mm/user.h.
struct GuestAddr : Strong<struct GuestAddrTag, u64> {
    using Strong::Strong;
    constexpr GuestAddr operator+(u64 n) const { return GuestAddr(value + n); }
    constexpr GuestAddr operator-(u64 n) const { return GuestAddr(value - n); }
    constexpr u64 operator-(GuestAddr o) const { return value - o.value; }
    constexpr bool is_null() const { return value == 0; }
};

/// A descriptor number of a guest process.
struct GuestFd : Strong<struct GuestFdTag, i32> {
    using Strong::Strong;
};

/// A process or thread id as guests see it.
struct Pid : Strong<struct PidTag, i32> {
    using Strong::Strong;
};

/// Nanoseconds; an instant of a clock or a duration, as the name at the use says.
using Nanoseconds = i64;
constexpr Nanoseconds kNever = INT64_MAX;
constexpr Nanoseconds kNanosecondsPerSecond = 1'000'000'000;

constexpr u64 kPageSize = 4096;
constexpr u64 kPageShift = 12;
constexpr u64 kPageMask = kPageSize - 1;
constexpr u64 page_down(u64 v) { return v & ~kPageMask; }
constexpr u64 page_up(u64 v) { return (v + kPageMask) & ~kPageMask; }

} // namespace umbra
