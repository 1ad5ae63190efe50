// SPDX-License-Identifier: GPL-2.0-or-later
// Who listens to the tracepoints.
#include "core/trace/trace.h"

#include <algorithm>

namespace umbra {

void Tracepoints::attach(TraceObserver& observer, u32 points)
{
    attachments_.push_back({ &observer, points });
    enabled_ |= points;
}

void Tracepoints::detach(TraceObserver& observer)
{
    std::erase_if(attachments_, [&](Attachment const& a) { return a.observer == &observer; });
    enabled_ = 0;
    for (Attachment const& a : attachments_)
        enabled_ |= a.points;
}

} // namespace umbra
