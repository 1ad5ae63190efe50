// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/link/frame-stream.h"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

namespace umbra::drivers {
namespace {

std::vector<u8> frame_of(size_t size, u8 first)
{
    std::vector<u8> frame(size);
    std::iota(frame.begin(), frame.end(), first);
    return frame;
}

/// What comes out when the stream comes in pieces of so many bytes.
std::vector<std::vector<u8>> frames_in(std::span<u8 const> stream, size_t piece, FrameStream& taken)
{
    std::vector<std::vector<u8>> found;
    while (!stream.empty()) {
        auto const room = taken.room();
        size_t const count = std::min({ piece, room.size(), stream.size() });
        std::ranges::copy(stream.first(count), room.begin());
        taken.received(count);
        stream = stream.subspan(count);
        for (auto frame = taken.next(); !frame.empty(); frame = taken.next())
            found.emplace_back(frame.begin(), frame.end());
    }
    return found;
}

TEST(FrameStream, FramesComeOutWhateverThePieces)
{
    std::vector<std::vector<u8>> const frames { frame_of(kEthernetHeader, 1), frame_of(1514, 2),
        frame_of(kLongestFrame, 3), frame_of(60, 4), frame_of(kLongestFrame, 5), frame_of(kLongestFrame, 6) };
    std::vector<u8> stream;
    for (auto const& frame : frames)
        append_frame(stream, frame);
    for (size_t const piece : { 1ul, 3ul, 4ul, 5ul, 1000ul, 65535ul, 65539ul, 65540ul, 1'000'000ul }) {
        FrameStream taken;
        EXPECT_EQ(frames_in(stream, piece, taken), frames) << piece;
        EXPECT_FALSE(taken.is_broken());
    }
}

TEST(FrameStream, ALengthThatNoFrameHasEndsIt)
{
    for (std::vector<u8> const& head :
        { std::vector<u8> { 0, 0, 0, 0 }, std::vector<u8> { 0, 0, 0, kEthernetHeader - 1 },
            std::vector<u8> { 0, 1, 0, 0 }, std::vector<u8> { 0xff, 0xff, 0xff, 0xff } }) {
        std::vector<u8> stream;
        append_frame(stream, frame_of(60, 1));
        stream.insert(stream.end(), head.begin(), head.end());
        append_frame(stream, frame_of(60, 2));
        FrameStream taken;
        std::vector<std::vector<u8>> const before { frame_of(60, 1) };
        EXPECT_EQ(frames_in(stream, 7, taken), before);
        EXPECT_TRUE(taken.is_broken());
    }
}

} // namespace
} // namespace umbra::drivers
