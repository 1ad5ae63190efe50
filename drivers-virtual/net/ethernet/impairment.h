// SPDX-License-Identifier: GPL-2.0-or-later
// What a bad line does to frames: it is late, slow, loses some and lets others overtake, as Linux's tc-netem(8) does to what leaves
// an interface. What happens to a frame depends on the seed and on how many there were before it, and on nothing else.
#pragma once

#include <optional>
#include <random>

#include "core/base/types.h"

namespace umbra::drivers {

constexpr u32 kMillion = 1'000'000;

struct Impairments {
    Nanoseconds latency = 0; ///< each frame arrives so much later
    u32 loss = 0; ///< of a million frames so many do not arrive
    u32 reorder = 0; ///< of a million so many are not late, and overtake those that are
    u64 rate = 0; ///< bits a second go through; 0: as many as come
    u64 seed = 1;

    bool are_none() const { return !latency && !loss && !reorder && !rate; }
    bool operator==(Impairments const&) const = default;
};

class ImpairedLine {
public:
    explicit ImpairedLine(Impairments const& impairments)
        : impairments_(impairments)
        , random_(impairments.seed)
    {
    }

    /// When a frame of so many bytes arrives that is sent at `now`; nothing: it does not.
    std::optional<Nanoseconds> arrival(Nanoseconds now, u64 bytes);

private:
    bool one_of(u32 in_a_million) { return random_() % kMillion < in_a_million; }

    Impairments impairments_;
    std::mt19937_64 random_;
    Nanoseconds is_free_at_ = 0; ///< when all that was sent before has left
};

} // namespace umbra::drivers
