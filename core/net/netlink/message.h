// SPDX-License-Identifier: GPL-2.0-or-later
// Netlink messages as bytes: taking apart what a guest sent, which is any bytes at all, and putting together answers.
// Depends on nothing but the ABI, so that it can be fuzzed alone (tests/fuzz/netlink-fuzz.cpp).
#pragma once

#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/abi/netlink.h"

namespace umbra::net {

/// One message within what was sent.
struct NetlinkMessage {
    abi::NetlinkHeader header;
    std::span<u8 const> payload; ///< behind the head
};

/// Takes the first message off `bytes`; nothing if what is there is no whole message, which ends the reading.
std::optional<NetlinkMessage> take_message(std::span<u8 const>& bytes);

/// The attributes behind a message's fixed part, by type; of several with one type the last counts. What is no whole
/// attribute ends the reading.
class Attributes {
public:
    explicit Attributes(std::span<u8 const> bytes);
    /// Whether nothing was left over, as strict checking wants it.
    bool is_whole() const { return whole_; }
    bool has(u16 type) const { return all_.contains(type); }
    std::span<u8 const> bytes(u16 type) const;
    std::optional<u32> number(u16 type) const;
    /// Up to the first NUL; empty if it is not there.
    std::string_view text(u16 type) const;
    std::map<u16, std::span<u8 const>> const& all() const { return all_; }

private:
    std::map<u16, std::span<u8 const>> all_;
    bool whole_ = false;
};

/// The fixed part at the beginning of a payload; nothing if it is shorter.
template <typename T> std::optional<T> fixed_part(std::span<u8 const> payload)
{
    if (payload.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, payload.data(), sizeof value);
    return value;
}
/// What follows it.
template <typename T> std::span<u8 const> behind(std::span<u8 const> payload)
{
    u64 const skipped = abi::netlink_align(sizeof(T));
    return payload.size() < skipped ? std::span<u8 const>() : payload.subspan(skipped);
}

/// Builds one message: head, fixed part, attributes.
class MessageWriter {
public:
    explicit MessageWriter(abi::NetlinkHeader header);
    template <typename T> MessageWriter& put(T const& value)
    {
        return append({ reinterpret_cast<u8 const*>(&value), sizeof value });
    }
    /// Raw bytes, padded to a multiple of 4.
    MessageWriter& append(std::span<u8 const> bytes);
    MessageWriter& attribute(u16 type, std::span<u8 const> bytes);
    template <typename T>
    requires std::is_trivially_copyable_v<T> MessageWriter& value(u16 type, T const& value)
    {
        return attribute(type, { reinterpret_cast<u8 const*>(&value), sizeof value });
    }
    /// With its NUL.
    MessageWriter& text(u16 type, std::string_view text);
    /// The whole message, its length filled in.
    std::vector<u8> take();

private:
    std::vector<u8> bytes_;
};

} // namespace umbra::net
