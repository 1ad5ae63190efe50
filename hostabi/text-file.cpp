// SPDX-License-Identifier: GPL-2.0-or-later
// See text-file.h.
#include "hostabi/text-file.h"

#include <algorithm>
#include <charconv>

#include <fcntl.h>

#include "hostabi/fd.h"

namespace umbra::hostabi {

std::string read_text(char const* path)
{
    auto file = OwnedFd::open(path, O_RDONLY);
    if (file.is_error()) return {};
    u8 buffer[4096];
    auto const length = read_all(file.value().get(), buffer);
    if (length.is_error()) return {};
    return std::string(reinterpret_cast<char const*>(buffer), length.value());
}

std::string read_line(char const* path)
{
    std::string text = read_text(path);
    text.resize(std::min(text.find('\n'), text.size()));
    return text;
}

u64 to_number(std::string_view text, u64 fallback)
{
    u64 value;
    return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc {} ? value
                                                                                             : fallback;
}

} // namespace umbra::hostabi
