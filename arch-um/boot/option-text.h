// SPDX-License-Identifier: GPL-2.0-or-later
// What the parsers of option values share.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "arch-um/boot/option-values.h"

namespace umbra::boot {

[[noreturn]] inline void usage_error(std::string message) { throw UsageError { std::move(message) }; }

inline std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

/// The whole of `text` as a decimal number.
template <typename T> bool parse_decimal(std::string_view text, T& value)
{
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

} // namespace umbra::boot
