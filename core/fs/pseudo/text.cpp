// SPDX-License-Identifier: GPL-2.0-or-later
// Formatting and parsing for pseudo files.
#include "core/fs/pseudo/text.h"

#include <charconv>
#include <cstdarg>
#include <cstdio>

namespace umbra::fs {

namespace {
void append_arguments(std::string& out, char const* format, va_list arguments)
{
    char line[512];
    va_list again;
    va_copy(again, arguments);
    int length = std::vsnprintf(line, sizeof line, format, arguments);
    if (length >= int(sizeof line)) {
        size_t before = out.size();
        out.resize(before + size_t(length) + 1);
        (void)std::vsnprintf(out.data() + before, size_t(length) + 1, format, again);
        out.resize(before + size_t(length));
    } else if (length > 0) {
        out.append(line, size_t(length));
    }
    va_end(again);
}

constexpr std::string_view kBlanks = " \t\n";
} // namespace

void append_format(std::string& out, char const* format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    append_arguments(out, format, arguments);
    va_end(arguments);
}

std::string format_text(char const* format, ...)
{
    std::string out;
    va_list arguments;
    va_start(arguments, format);
    append_arguments(out, format, arguments);
    va_end(arguments);
    return out;
}

std::string_view trimmed(std::string_view text)
{
    auto first = text.find_first_not_of(kBlanks);
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string_view take_word(std::string_view& text)
{
    auto first = text.find_first_not_of(kBlanks);
    if (first == text.npos) {
        text = {};
        return {};
    }
    auto end = text.find_first_of(kBlanks, first);
    std::string_view word = text.substr(first, end == text.npos ? end : end - first);
    text.remove_prefix(end == text.npos ? text.size() : end);
    return word;
}

Result<i64> parse_integer(std::string_view text)
{
    text = trimmed(text);
    bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        base = 16;
        text.remove_prefix(2);
    } else if (text.size() > 1 && text[0] == '0') {
        base = 8;
    }
    u64 magnitude = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), magnitude, base);
    if (error != std::errc() || end != text.data() + text.size() || magnitude > u64(INT64_MAX))
        return err::inval;
    return negative ? -i64(magnitude) : i64(magnitude);
}

std::string format_list(u64 set)
{
    std::string out;
    for (unsigned first = 0; first < 64; ++first) {
        if (!(set >> first & 1)) continue;
        unsigned last = first;
        while (last < 63 && (set >> (last + 1) & 1))
            ++last;
        if (!out.empty()) out += ',';
        out += std::to_string(first);
        if (last > first) out += '-' + std::to_string(last);
        first = last;
    }
    return out;
}

void append_escaped(std::string& out, std::string_view text, std::string_view escaped)
{
    for (char c : text) {
        if (c == '\\' || escaped.find(c) != escaped.npos)
            append_format(out, "\\%03o", unsigned(u8(c)));
        else
            out += c;
    }
}

} // namespace umbra::fs
