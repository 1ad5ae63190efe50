// SPDX-License-Identifier: GPL-2.0-or-later
// The 512-byte header block of a tar archive: ustar's fields, GNU's in their places. Used by tar-reader.cpp
// only.
#pragma once

#include <cstddef>
#include <cstring>
#include <optional>
#include <string>

#include "core/base/types.h"

namespace umbra::fs {

constexpr u64 kTarBlock = 512;

struct TarBlock {
    char name[100];
    char mode[8], uid[8], gid[8];
    char size[12], mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[8]; ///< with the version
    char user[32], group[32];
    char device_major[8], device_minor[8];
    char prefix[155];
    char padding[12];

    struct Sparse {
        char offset[12], length[12];
    };
    static constexpr unsigned kSparseInHeader = 4, kSparseInBlock = 21;
    static constexpr size_t kSparseAt = 386, kGoesOnAt = 482, kRealSizeAt = 483, kBlockGoesOnAt = 504;

    char const* bytes() const { return reinterpret_cast<char const*>(this); }
    // Views of the block's bytes: all members are characters, so there is no alignment to keep.
    Sparse const* sparse() const { return reinterpret_cast<Sparse const*>(bytes() + kSparseAt); }
    Sparse const* sparse_block() const { return reinterpret_cast<Sparse const*>(bytes()); }
    bool sparse_goes_on() const { return bytes()[kGoesOnAt] != 0; }
    bool sparse_block_goes_on() const { return bytes()[kBlockGoesOnAt] != 0; }
    using SizeField = char[12];
    SizeField const& sparse_real_size() const
    {
        return *reinterpret_cast<SizeField const*>(bytes() + kRealSizeAt);
    }

    template <size_t N> static std::string text(char const (&field)[N])
    {
        return std::string(field, strnlen(field, N));
    }
    bool is_posix() const
    {
        return std::memcmp(magic, "ustar", 6) == 0;
    } // with its NUL; GNU has a blank there
    std::string path() const
    {
        auto tail = text(name);
        return is_posix() && prefix[0] ? text(prefix) + "/" + tail : tail;
    }

    /// Octal text, or binary where the first bit is set (GNU, star). An empty field is 0.
    template <size_t N> static std::optional<i64> signed_number(char const (&field)[N])
    {
        if (u8(field[0]) & 0x80) return binary(field, N);
        size_t at = 0;
        while (at < N && field[at] == ' ')
            ++at;
        i64 value = 0;
        for (; at < N && field[at] != ' ' && field[at] != '\0'; ++at) {
            if (field[at] < '0' || field[at] > '7') return std::nullopt;
            value = value * 8 + (field[at] - '0');
        }
        return value;
    }
    template <size_t N> static std::optional<u64> number(char const (&field)[N])
    {
        auto value = signed_number(field);
        if (!value || *value < 0) return std::nullopt;
        return u64(*value);
    }

    bool is_zero() const
    {
        for (u64 i = 0; i < kTarBlock; ++i)
            if (bytes()[i]) return false;
        return true;
    }
    bool checksum_matches() const
    {
        i64 sum = 0, signed_sum = 0; // some old tars added signed characters
        for (u64 i = 0; i < kTarBlock; ++i) {
            bool in_checksum = i >= offsetof(TarBlock, checksum) && i < offsetof(TarBlock, type);
            char c = in_checksum ? ' ' : bytes()[i];
            sum += u8(c);
            signed_sum += static_cast<signed char>(c);
        }
        auto stored = signed_number(checksum);
        return stored && (*stored == sum || *stored == signed_sum);
    }

private:
    static std::optional<i64> binary(char const* field, size_t size)
    {
        bool negative = u8(field[0]) & 0x40;
        u64 value = negative ? ~u64 { 0 } << 6 | (u8(field[0]) & 0x3f) : u8(field[0]) & 0x3f;
        for (size_t i = 1; i < size; ++i) {
            u64 top = value >> 55; // what the shift would lose, and the sign
            if (top != 0 && top != 0x1ff) return std::nullopt;
            value = value << 8 | u8(field[i]);
        }
        return i64(value);
    }
};
static_assert(sizeof(TarBlock) == kTarBlock && offsetof(TarBlock, prefix) == 345 && alignof(TarBlock) == 1);

} // namespace umbra::fs
