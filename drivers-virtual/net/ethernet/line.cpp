// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/net/ethernet/line.h"

#include "core/kernel.h"

namespace umbra::drivers {

namespace {
constexpr size_t kMostHeld = 1000; ///< frames, as netem's limit: more are lost
}

Line::Line(Kernel& kernel, Wire& wire, WaitQueue& emptied)
    : Timer(kernel)
    , wire_(wire)
    , emptied_(emptied)
{
}

void Line::impair(Impairments const& impairments)
{
    if (!impairments.are_none()) impaired_.emplace(impairments);
}

void Line::send(std::span<u8 const> frame)
{
    if (!impaired_) return wire_.send(frame);
    if (held_.size() >= kMostHeld) return; // lost
    Nanoseconds const now = kernel_.time().monotonic();
    auto const arrival = impaired_->arrival(now, frame.size());
    if (!arrival) return;
    if (*arrival <= now) return wire_.send(frame);
    held_.emplace(*arrival, std::vector<u8>(frame.begin(), frame.end()));
    if (!is_armed() || held_.begin()->first < deadline()) arm(held_.begin()->first);
}

void Line::expired()
{
    Nanoseconds const now = kernel_.time().monotonic();
    while (!held_.empty() && held_.begin()->first <= now) {
        wire_.send(held_.begin()->second);
        held_.erase(held_.begin());
    }
    if (!held_.empty()) return arm(held_.begin()->first);
    emptied_.wake_all();
}

} // namespace umbra::drivers
