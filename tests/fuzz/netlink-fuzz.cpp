// SPDX-License-Identifier: GPL-2.0-or-later
// libFuzzer target: netlink messages as a guest sends them, which are any bytes at all. Whatever is taken off must lie
// within what was sent; what the writer makes must read back as it was.
#include "core/net/netlink/message.h"
#include "tests/fuzz/fuzz.h"

using namespace umbra;

namespace {

void check_attributes(std::span<u8 const> bytes)
{
    net::Attributes const attributes(bytes);
    net::MessageWriter writer({});
    for (auto const& [type, value] : attributes.all()) {
        require(lies_within(value, bytes));
        require(attributes.text(type).size() <= value.size());
        require(attributes.number(type).has_value() == (value.size() >= sizeof(u32)));
        writer.attribute(type, value);
    }
    auto const message = writer.take();
    std::span<u8 const> written(message);
    auto const again = net::take_message(written);
    require(again && written.empty());
    net::Attributes const same(again->payload);
    require(same.is_whole() && same.all().size() == attributes.all().size());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(u8 const* data, size_t size)
{
    std::span<u8 const> const all(data, size);
    auto rest = all;
    while (auto const message = net::take_message(rest)) {
        require(lies_within(message->payload, all));
        check_attributes(message->payload);
        check_attributes(net::behind<abi::LinkMessage>(message->payload));
        (void)net::fixed_part<abi::InetDiagRequest>(message->payload);
    }
    return 0;
}
