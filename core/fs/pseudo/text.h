// SPDX-License-Identifier: GPL-2.0-or-later
// Small helpers for files made of text.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/types.h"

namespace umbra::fs {

/// Appends as printf(3) formats.
void append_format(std::string& out, char const* format, ...) __attribute__((format(printf, 2, 3)));
std::string format_text(char const* format, ...) __attribute__((format(printf, 1, 2)));

/// Without blanks, tabs and newlines at both ends.
std::string_view trimmed(std::string_view text);
/// The first word, which is taken from `text` together with the blanks before it; empty at the end.
std::string_view take_word(std::string_view& text);
/// A whole number in decimal, octal (0...) or hexadecimal (0x...), perhaps negative. EINVAL.
Result<i64> parse_integer(std::string_view text);
/// A bit set as Linux writes lists of CPUs: "0-3,6"; empty for none.
std::string format_list(u64 set);
/// Appends with the characters of `escaped`, and backslashes, as \ooo (mangle_path of /proc/mounts and maps).
void append_escaped(std::string& out, std::string_view text, std::string_view escaped);

} // namespace umbra::fs
