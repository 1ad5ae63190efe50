// SPDX-License-Identifier: GPL-2.0-or-later
// Whether core wants a vCPU back from its guest thread.
#pragma once

#include "core/platform/platform.h"
#include "hostabi/clock.h"

namespace umbra::um {

inline bool core_wants_the_vcpu(platform::VcpuContext& ctx)
{
    if (ctx.attention()) return true;
    Nanoseconds const deadline = ctx.attention_deadline();
    return deadline != kNever && hostabi::monotonic_now() >= deadline;
}

} // namespace umbra::um
