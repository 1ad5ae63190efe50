// SPDX-License-Identifier: GPL-2.0-or-later
// The table of file-system types, and the parsing of mount options that they share.
#include "core/vfs/file-system-types.h"
#include "core/kernel.h"

#include <charconv>

namespace umbra::vfs {

FileSystemType const* FileSystemTypes::find(std::string_view name) const
{
    for (auto const& type : types_) {
        if (type.name == name) return &type;
    }
    return nullptr;
}

UserNamespace& MountRequest::user_namespace() const
{
    return who ? *who->user_namespace : *kernel.first_user_namespace;
}

Result<u32> MountRequest::uid(u32 given) const
{
    auto const id = user_namespace().uid_in(given);
    return id ? Result<u32>(*id) : err::inval;
}

Result<u32> MountRequest::gid(u32 given) const
{
    auto const id = user_namespace().gid_in(given);
    return id ? Result<u32>(*id) : err::inval;
}

MountParameter const* FileSystemType::find_parameter(std::string_view wanted) const
{
    for (auto const& parameter : parameters) {
        if (parameter.name == wanted) return &parameter;
    }
    return nullptr;
}

bool MountParameter::accepts(std::optional<std::string_view> value) const
{
    if (kind == Kind::flag) return !value;
    if (!value || value->empty()) return false;
    switch (kind) {
    case Kind::number:
        return parse_number(*value, 10).ok();
    case Kind::octal:
        return parse_number(*value, 8).ok();
    case Kind::size_or_share:
        if (value->ends_with('%')) return parse_number(value->substr(0, value->size() - 1), 10).ok();
        [[fallthrough]];
    case Kind::size:
        return parse_size(*value).ok();
    default:
        return true;
    }
}

std::vector<MountOption> split_options(std::string_view options)
{
    std::vector<MountOption> result;
    while (!options.empty()) {
        size_t end = std::min(options.find(','), options.size());
        std::string_view option = options.substr(0, end);
        options.remove_prefix(std::min(end + 1, options.size()));
        if (option.empty()) continue;
        size_t equals = std::min(option.find('='), option.size());
        result.push_back({ option.substr(0, equals), option.substr(std::min(equals + 1, option.size())) });
    }
    return result;
}

Result<u64> parse_size(std::string_view text)
{
    u64 value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return err::inval;
    std::string_view suffix(end, size_t(text.data() + text.size() - end));
    if (suffix.empty()) return value;
    if (suffix.size() > 1) return err::inval;
    size_t power = std::string_view("kmgt").find(char(suffix[0] | 0x20));
    if (power == std::string_view::npos || value > (~u64 { 0 } >> (10 * (power + 1)))) return err::inval;
    return value << (10 * (power + 1));
}

Result<u32> parse_number(std::string_view text, unsigned base)
{
    u32 value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, int(base));
    if (error != std::errc() || end != text.data() + text.size() || text.empty()) return err::inval;
    return value;
}

} // namespace umbra::vfs
