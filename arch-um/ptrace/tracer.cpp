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
    auto const it = std::find_if(early_.begin(), early_.end(), [tid](auto& e) { return e.id == tid; });
    if (it == early_.end()) return;
    i32 const status = it->status;
    early_.erase(it);
    tracee.take_status(status);
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
