// SPDX-License-Identifier: GPL-2.0-or-later
// libFuzzer target: what comes over a switch, from ports and from resolvers: greetings, frames, packets, questions about names.
// Whatever is taken out of it lies within it.
#include "drivers-virtual/net/switch/name-query.h"
#include "drivers-virtual/net/switch/packet.h"
#include "drivers-virtual/net/switch/wire.h"
#include "tests/fuzz/fuzz.h"

using namespace umbra;

namespace {

void check_wire(std::span<u8 const> bytes)
{
    if (auto const greeting = drivers::decode_greeting(bytes)) {
        auto const text = drivers::encode(*greeting);
        require(text.size() == bytes.size()
            && std::equal(bytes.begin(), bytes.end(), text.begin(),
                [](u8 one, char other) { return one == u8(other); }));
    }
    require(drivers::destination_of(bytes).port <= drivers::kLastPort);
    drivers::asks_for_hardware_address(bytes);
    drivers::is_fragment(bytes);
    drivers::may_be_taken(bytes);
}

void check_packets(std::span<u8 const> bytes)
{
    if (auto const packet = drivers::parse_packet(bytes)) {
        require(lies_within(packet->payload, bytes));
        drivers::parse_refusal(packet->payload, true);
        drivers::parse_refusal(packet->payload, false);
    }
    if (auto const datagram = drivers::parse_datagram(bytes)) require(lies_within(datagram->data, bytes));
    drivers::parse_connection_request(bytes);
}

void check_names(std::span<u8 const> bytes)
{
    auto const query = drivers::parse_name_query(bytes);
    if (!query) return;
    require(lies_within(query->question, bytes));
    drivers::address_asked_for(*query);
    auto const reply = drivers::answer(*query, true, drivers::NameRecord::of("a.b"));
    require(!drivers::parse_name_query(reply)); // it is none
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(u8 const* data, size_t size)
{
    check_wire({ data, size });
    check_packets({ data, size });
    check_names({ data, size });
    return 0;
}
