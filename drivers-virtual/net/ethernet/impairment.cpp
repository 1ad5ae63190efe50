// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/ethernet/impairment.h"

#include <algorithm>

namespace umbra::drivers {

std::optional<Nanoseconds> ImpairedLine::arrival(Nanoseconds now, u64 bytes)
{
    // Both are drawn for each frame, so that one does not change what the other meets.
    bool const is_lost = one_of(impairments_.loss), overtakes = one_of(impairments_.reorder);
    if (is_lost) return {};
    Nanoseconds left = now;
    if (impairments_.rate) {
        left = std::max(now, is_free_at_)
            + Nanoseconds(bytes * 8 * u64(kNanosecondsPerSecond) / impairments_.rate);
        is_free_at_ = left;
    }
    return left + (overtakes ? 0 : impairments_.latency);
}

} // namespace umbra::drivers
