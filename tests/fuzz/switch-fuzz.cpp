// SPDX-License-Identifier: GPL-2.0-or-later
// libFuzzer target: what comes over a switch or another wire, from ports, peers and resolvers: greetings, frames in a stream,
// frames, packets, questions about names.
// Whatever is taken out of it lies within it.
#include "drivers-virtual/net/ethernet/packet.h"
#include "drivers-virtual/net/link/frame-stream.h"
#include "drivers-virtual/net/switch/name-query.h"
#include "drivers-virtual/net/switch/protocol.h"
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

/// The stream comes in two pieces.
void check_stream(std::span<u8 const> bytes)
{
    drivers::FrameStream stream;
    size_t const first = bytes.empty() ? 0 : bytes[0] % (bytes.size() + 1);
    std::vector<u8> again;
    for (auto const piece : { bytes.first(first), bytes.subspan(first) }) {
        auto const room = stream.room();
        size_t const count = std::min(room.size(), piece.size());
        std::copy_n(piece.begin(), count, room.begin());
        stream.received(count);
        for (auto frame = stream.next(); !frame.empty(); frame = stream.next())
            drivers::append_frame(again, frame);
    }
    require(again.size() <= bytes.size() && std::equal(again.begin(), again.end(), bytes.begin()));
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
    check_stream({ data, size });
    check_names({ data, size });
    return 0;
}
