// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/link/frame-stream.h"

#include <algorithm>

namespace umbra::drivers {

namespace {

constexpr u64 kRoom = 2 * (kLengthSize + kLongestFrame);

u64 length_at(u8 const* bytes)
{
    return u64(bytes[0]) << 24 | u64(bytes[1]) << 16 | u64(bytes[2]) << 8 | bytes[3];
}

} // namespace

void append_frame(std::vector<u8>& stream, std::span<u8 const> frame)
{
    u64 const length = frame.size();
    for (int const shift : { 24, 16, 8, 0 })
        stream.push_back(u8(length >> shift));
    stream.insert(stream.end(), frame.begin(), frame.end());
}

std::span<u8> FrameStream::room()
{
    bytes_.resize(kRoom);
    // What is left is less than one frame with its length: so there is always room behind it.
    std::copy(bytes_.begin() + i64(begin_), bytes_.begin() + i64(end_), bytes_.begin());
    end_ -= begin_;
    begin_ = 0;
    return std::span(bytes_).subspan(end_);
}

std::span<u8 const> FrameStream::next()
{
    if (is_broken_ || end_ - begin_ < kLengthSize) return {};
    u64 const length = length_at(&bytes_[begin_]);
    is_broken_ = length < kEthernetHeader || length > kLongestFrame;
    if (is_broken_ || end_ - begin_ - kLengthSize < length) return {};
    auto const frame = std::span<u8 const>(bytes_).subspan(begin_ + kLengthSize, length);
    begin_ += kLengthSize + length;
    return frame;
}

} // namespace umbra::drivers
