// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/net/capture/pcapng.h"

namespace umbra::net {

namespace {

enum BlockType : u32 { section = 0x0a0d0d0a, interface_description = 1, statistics = 5, enhanced_packet = 6 };
enum Option : u16 {
    end_of_options = 0,
    section_application = 4,
    interface_name = 2,
    interface_resolution = 9,
    statistics_received = 4,
    statistics_dropped = 5,
};
constexpr u32 kByteOrder = 0x1a2b3c4d;
constexpr u16 kMajor = 1, kMinor = 0, kRawIp = 101; ///< LINKTYPE_RAW
constexpr u64 kSectionLengthUnknown = ~u64 { 0 };
constexpr u64 kFrame = 12; ///< type, and the length before and behind

class Block {
public:
    explicit Block(BlockType type)
        : type_(type)
    {
    }
    template <class Number> Block& put(Number value)
    {
        for (size_t i = 0; i < sizeof value; ++i)
            body_ += char(value >> 8 * i);
        return *this;
    }
    /// As two halves, the upper first.
    Block& put_time(u64 time) { return put(u32(time >> 32)).put(u32(time)); }
    /// Filled up to a multiple of 4.
    Block& put_bytes(std::string_view bytes)
    {
        body_ += bytes;
        body_.resize((body_.size() + 3) / 4 * 4);
        return *this;
    }
    Block& option(Option code, std::string_view value)
    {
        return put(u16(code)).put(u16(value.size())).put_bytes(value);
    }
    Block& option(Option code, u64 value) { return put(u16(code)).put(u16(sizeof value)).put(value); }
    std::string finish()
    {
        Block whole(type_);
        u32 const length = u32(kFrame + body_.size());
        whole.put(u32(type_)).put(length);
        whole.body_ += body_;
        return whole.put(length).body_;
    }

private:
    BlockType type_;
    std::string body_;
};

} // namespace

std::string pcapng_section(std::string_view program)
{
    Block block(section);
    block.put(kByteOrder).put(kMajor).put(kMinor).put(kSectionLengthUnknown);
    return block.option(section_application, program).option(end_of_options, "").finish();
}

std::string pcapng_interface(std::string_view name)
{
    Block block(interface_description);
    block.put(kRawIp).put(u16(0)).put(u32(0)); // packets are whole, whatever their length
    block.option(interface_name, name).option(interface_resolution, "\x09"); // 10^-9 s
    return block.option(end_of_options, "").finish();
}

std::string pcapng_packet(u32 interface, u64 time, std::span<u8 const> packet)
{
    u32 const size = u32(packet.size());
    Block block(enhanced_packet);
    block.put(interface).put_time(time).put(size).put(size);
    return block.put_bytes({ reinterpret_cast<char const*>(packet.data()), packet.size() }).finish();
}

std::string pcapng_statistics(u32 interface, u64 time, u64 passed, u64 lost)
{
    Block block(statistics);
    block.put(interface).put_time(time);
    block.option(statistics_received, passed).option(statistics_dropped, lost);
    return block.option(end_of_options, "").finish();
}

} // namespace umbra::net
