// SPDX-License-Identifier: GPL-2.0-or-later
// Frames in a stream of bytes, as QEMU's stream netdev has them: before each its length, four bytes, the highest first.
#pragma once

#include <span>
#include <vector>

#include "drivers-virtual/net/ethernet/wire.h"

namespace umbra::drivers {

constexpr u64 kLengthSize = 4;
constexpr u64 kLongestFrame = 65535; ///< that is taken from a stream; without segmentation none is longer

/// Appends the frame, at most kLongestFrame bytes.
void append_frame(std::vector<u8>& stream, std::span<u8 const> frame);

/// Takes a stream apart that comes in pieces of any size.
class FrameStream {
public:
    /// Where the next bytes are to be put; never empty. What `next` has given is gone.
    std::span<u8> room();
    /// So many bytes have been put there.
    void received(u64 count) { end_ += count; }
    /// The next whole frame, until `room` is asked for; empty: there is none yet.
    std::span<u8 const> next();
    /// What comes is no such stream: a frame that is too short or too long.
    bool is_broken() const { return is_broken_; }

private:
    std::vector<u8> bytes_ {};
    u64 begin_ = 0, end_ = 0; ///< of what is there and not yet given
    bool is_broken_ = false;
};

} // namespace umbra::drivers
