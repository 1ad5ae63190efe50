// SPDX-License-Identifier: GPL-2.0-or-later
// See tracer.h.
#include "arch-um/ptrace/tracer.h"

#include <algorithm>

namespace umbra::um {

namespace {
constexpr i32 kAnyChild = -1;
}

void Tracer::add(i32 tid, Tracee& tracee)
{
    tracees_[tid] = &tracee;
    // There may be two: that it stopped, and that somebody killed it.
    auto const first
        = std::stable_partition(early_.begin(), early_.end(), [tid](auto& early) { return early.id != tid; });
    std::vector const mine(first, early_.end());
    early_.erase(first, early_.end());
    for (auto const& early : mine)
        tracee.take_status(early.status);
}

void Tracer::collect()
{
    for (;;) {
        auto const report = hostabi::process::poll_child(kAnyChild);
        if (report.is_error() || !report.value()) return;
        auto const [tid, status] = *report.value();
        auto const it = tracees_.find(tid);
        if (it != tracees_.end())
            it->second->take_status(status);
        else
            early_.push_back({ tid, status });
    }
}

} // namespace umbra::um
