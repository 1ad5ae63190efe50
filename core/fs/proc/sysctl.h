// SPDX-License-Identifier: GPL-2.0-or-later
// What the files below /proc/sys share. Internal to core/fs/proc.
#pragma once

#include <charconv>
#include <limits>

#include "core/fs/pseudo/pseudo.h"
#include "core/fs/pseudo/text.h"

namespace umbra::fs {

/// A whole number of either signedness. EINVAL.
template <typename Number> Result<Number> parse_number(std::string_view text)
{
    text = trimmed(text);
    if constexpr (std::is_signed_v<Number>) {
        i64 value = TRY(parse_integer(text));
        if (value < std::numeric_limits<Number>::min() || value > std::numeric_limits<Number>::max())
            return err::inval;
        return Number(value);
    } else {
        Number value = 0;
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc() || end != text.data() + text.size()) return err::inval;
        return value;
    }
}

/// sysctl-namespaces.cpp: values of the namespace that the reader or writer is in.
void add_namespace_sysctls(StaticDirectory& sys);

} // namespace umbra::fs
