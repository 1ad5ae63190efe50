// SPDX-License-Identifier: GPL-2.0-or-later
// Reading and writing of netlink messages.
#include "core/net/netlink/message.h"

#include <algorithm>

namespace umbra::net {

namespace {

std::span<u8 const> past(std::span<u8 const> bytes, u64 length)
{
    return bytes.subspan(std::min<u64>(abi::netlink_align(length), bytes.size()));
}

} // namespace

std::optional<NetlinkMessage> take_message(std::span<u8 const>& bytes)
{
    auto const header = fixed_part<abi::NetlinkHeader>(bytes);
    if (!header || header->length < sizeof *header || header->length > bytes.size()) return std::nullopt;
    NetlinkMessage message { *header, bytes.subspan(sizeof *header, header->length - sizeof *header) };
    bytes = past(bytes, header->length);
    return message;
}

Attributes::Attributes(std::span<u8 const> bytes)
{
    while (auto const head = fixed_part<abi::NetlinkAttribute>(bytes)) {
        if (head->length < sizeof *head || head->length > bytes.size()) return;
        all_[head->type & abi::nla_type_mask] = bytes.subspan(sizeof *head, head->length - sizeof *head);
        bytes = past(bytes, head->length);
    }
    whole_ = bytes.empty();
}

std::span<u8 const> Attributes::bytes(u16 type) const
{
    auto const found = all_.find(type);
    return found == all_.end() ? std::span<u8 const>() : found->second;
}

std::optional<u32> Attributes::number(u16 type) const { return fixed_part<u32>(bytes(type)); }

std::string_view Attributes::text(u16 type) const
{
    auto const found = bytes(type);
    std::string_view const all(reinterpret_cast<char const*>(found.data()), found.size());
    return all.substr(0, all.find('\0'));
}

MessageWriter::MessageWriter(abi::NetlinkHeader header) { put(header); }

MessageWriter& MessageWriter::append(std::span<u8 const> bytes)
{
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    bytes_.resize(abi::netlink_align(bytes_.size()));
    return *this;
}

MessageWriter& MessageWriter::attribute(u16 type, std::span<u8 const> bytes)
{
    put(abi::NetlinkAttribute { u16(sizeof(abi::NetlinkAttribute) + bytes.size()), type });
    return append(bytes);
}

MessageWriter& MessageWriter::text(u16 type, std::string_view text)
{
    std::vector<u8> bytes(text.begin(), text.end());
    bytes.push_back(0);
    return attribute(type, bytes);
}

std::vector<u8> MessageWriter::take()
{
    u32 const length = u32(bytes_.size());
    std::memcpy(bytes_.data(), &length, sizeof length);
    return std::move(bytes_);
}

} // namespace umbra::net
