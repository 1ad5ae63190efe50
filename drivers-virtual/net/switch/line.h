// SPDX-License-Identifier: GPL-2.0-or-later
// What lies between a port and the others: nothing, or a bad line that holds frames back. Under the kernel lock.
#pragma once

#include <map>
#include <vector>

#include "core/sync/wait-queue.h"
#include "core/time/timekeeper.h"
#include "drivers-virtual/net/switch/impairment.h"
#include "drivers-virtual/net/switch/port.h"

namespace umbra::drivers {

class SwitchLine final : private Timer {
public:
    /// `emptied`: who waits there is woken when nothing is held back any more.
    SwitchLine(Kernel& kernel, SwitchPort& port, WaitQueue& emptied);

    /// Before anything is sent.
    void impair(Impairments const& impairments);
    /// At once, later or never.
    void send(std::span<u8 const> frame);
    bool is_impaired() const { return impaired_.has_value(); }
    bool is_empty() const { return held_.empty(); }

private:
    void expired() override;

    SwitchPort& port_;
    WaitQueue& emptied_;
    std::optional<ImpairedLine> impaired_ {};
    std::multimap<Nanoseconds, std::vector<u8>> held_ {}; ///< by when they arrive, and then in their order
};

} // namespace umbra::drivers
