// SPDX-License-Identifier: GPL-2.0-or-later
// What lies between the stack and the wire: nothing, or a bad line that holds frames back. Under the kernel lock.
#pragma once

#include <map>
#include <vector>

#include "core/sync/wait-queue.h"
#include "core/time/timekeeper.h"
#include "drivers-virtual/net/ethernet/impairment.h"
#include "drivers-virtual/net/ethernet/wire.h"

namespace umbra::drivers {

class Line final : private Timer {
public:
    /// `emptied`: who waits there is woken when nothing is held back any more.
    Line(Kernel& kernel, Wire& wire, WaitQueue& emptied);

    /// Before anything is sent.
    void impair(Impairments const& impairments);
    /// At once, later or never.
    void send(std::span<u8 const> frame);
    bool is_impaired() const { return impaired_.has_value(); }
    bool is_empty() const { return held_.empty(); }

private:
    void expired() override;

    Wire& wire_;
    WaitQueue& emptied_;
    std::optional<ImpairedLine> impaired_ {};
    std::multimap<Nanoseconds, std::vector<u8>> held_ {}; ///< by when they arrive, and then in their order
};

} // namespace umbra::drivers
