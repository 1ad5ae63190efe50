// SPDX-License-Identifier: GPL-2.0-or-later
// Values of socket options as setsockopt(2) and getsockopt(2) have them: the bytes of a structure.
#pragma once

#include <cstring>
#include <span>
#include <vector>

#include "core/base/result.h"

namespace umbra::net {

template <typename T> std::vector<u8> bytes_of(T const& value)
{
    auto const* start = reinterpret_cast<u8 const*>(&value); // to be read as bytes
    return { start, start + sizeof value };
}

/// What it begins with. EINVAL: it is shorter.
template <typename T> Result<T> value_from(std::span<u8 const> bytes)
{
    T value;
    if (bytes.size() < sizeof value) return err::inval;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

} // namespace umbra::net
